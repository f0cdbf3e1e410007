"""How cases of the CUDA twin run where there is no GPU: see `simulated.py`."""

from __future__ import annotations

import importlib.util
import os
from types import SimpleNamespace

import pytest
import simulated

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")


@pytest.fixture
def process(pytestconfig):
    process = simulated.InAnotherProcess(pytestconfig)
    yield process
    if process.process is not None:
        process.stop()


def case(name):
    nodeid = f"tests/simulator/test_cuda_twin.py::{name}"
    return SimpleNamespace(nodeid=nodeid, location=("", 0, name), keywords={})


def test_a_case_that_passes_is_reported_as_passed(process):
    reports = process.reports(case("test_what_is_on_the_gpu_is_not_copied"))
    assert [(report.when, report.outcome) for report in reports] == [
        ("setup", "passed"),
        ("call", "passed"),
        ("teardown", "passed"),
    ]


def test_a_case_that_cannot_be_run_has_failed(process):
    (report,) = process.reports(case("test_of_no_such_name"))
    assert report.failed
    assert "KeyError" in report.longrepr


def test_a_case_whose_process_dies_has_failed_and_the_next_gets_another(process):
    process.start()
    os.kill(process.process.pid, 9)
    (report,) = process.reports(case("test_what_is_on_the_gpu_is_not_copied"))
    assert report.failed
    assert "has ended" in report.longrepr
    assert process.reports(case("test_what_is_on_the_gpu_is_not_copied"))[1].passed
