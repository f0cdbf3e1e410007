"""The recurrence of the CUDA twin against the oracle and against the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import recurrence_facts as facts
from cuda_paths import WAYS, take
from recurrent_case import Case, Run, compare
from recurrent_cells import LAYOUTS, MASKS

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm.kernels.cuda.recurrence import persistent, persistent_backward, persistent_forward, plan

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")


@pytest.fixture(params=WAYS, ids=" ".join)
def way(request, monkeypatch):
    """One kind of cell after the other, on one path after the other."""
    take(request.param[1], monkeypatch)
    return request.param


@pytest.fixture
def cell_name(way):
    return way[0]


@pytest.fixture
def check(way, assert_close):
    """Runs a case on a path and compares everything with the oracle."""

    def check(case):
        run, _ = facts.a_pass_agrees_with_the_oracle(cuda, case, assert_close)
        assert run.trace.kernel_name.startswith(way[1])

    return check


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 2, 2, 3), (2, 6, 3, 9), (4, 3, 9, 5), (2, 1, 1, 17)], ids=str)
def test_agrees_with_the_oracle(check, cell_name, dtype, shape):
    check(Case(cell_name, *shape, dtype))


@pytest.mark.parametrize("mask_kind", MASKS)
def test_masks(check, cell_name, mask_kind):
    check(Case(cell_name, 4, 5, 2, 3, "float32", mask_kind))
    check(Case(cell_name, 4, 5, 2, 3, "float64", mask_kind, last_only=True))


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_strided_views(check, cell_name, layout):
    check(Case(cell_name, 3, 2, 2, 3, "float32", "holes", layout))
    check(Case(cell_name, 3, 2, 2, 3, "float32", None, layout, last_only=True))
    check(Case(cell_name, 3, 2, 2, 3, "float32", "holes", layout, resets=True, dropout=0.5))


@pytest.mark.parametrize(
    "missing",
    [
        {"bias": False, "need_dx": False},
        {"state": False, "state_gradient": False},
        {"state": False},
        {"state_gradient": False, "last_only": True},
    ],
    ids=str,
)
def test_what_may_be_missing(check, cell_name, missing):
    check(Case(cell_name, 3, 2, 2, 3, "float32", "left", **missing))
    check(Case(cell_name, 3, 2, 2, 3, "float32", "left", resets=True, **missing))


def test_weights_beyond_the_registers(monkeypatch, assert_close):
    """What more units than can be simulated need: here the registers are said to be few."""
    monkeypatch.setattr(persistent_forward, "KEPT", {4: {12: 8}})
    monkeypatch.setattr(persistent_backward, "KEPT", {4: {40: 24}})
    monkeypatch.setattr(persistent_backward, "KEPT_WITH_OPTIONS", {4: {40: 24}})
    monkeypatch.setattr(persistent.forward, "_kernels", {})
    monkeypatch.setattr(persistent.backward, "_kernels", {})
    for resets in (False, True):
        case = Case("lstm", 2, 1, 1, 35, "float32", resets=resets)
        compare(Run(cuda, case).both(), case, assert_close)


def test_without_steps_the_state_stays(cell_name):
    facts.without_steps_the_state_stays(cuda, Case(cell_name, 0, 3, 2, 5, "float32"))


@pytest.mark.parametrize("last_only", [False, True])
def test_inference_has_the_bits_of_training(cell_name, last_only, monkeypatch):
    """The gates of inference have room for a few steps only."""
    monkeypatch.setattr(plan, "WORKSPACE", 800)
    case = Case(cell_name, 11, 4, 3, 5, "float32", "holes", last_only=last_only)
    inference = facts.inference_has_the_bits_of_training(cuda, case)
    assert len(inference.trace.gates) < 11


def test_a_trace_serves_again(cell_name):
    facts.a_trace_serves_again(cuda, Case(cell_name, 3, 3, 2, 3, "float32", "holes"))


def test_a_state_is_its_own(cell_name):
    facts.a_state_is_its_own(cuda, Case(cell_name, 2, 3, 2, 3, "float32"))


def test_changed_weights_are_packed_anew(cell_name, assert_close):
    facts.changed_weights_are_packed_anew(cuda, Case(cell_name, 2, 3, 2, 3, "float32"), assert_close)


def test_a_masked_step_is_never_read(cell_name):
    facts.a_masked_step_is_never_read(cuda, Case(cell_name, 4, 3, 2, 3, "float32", "holes"), np.nan)


def test_a_row_has_the_same_bits_in_every_batch(cell_name):
    """Of one row, of two and of four in a block."""
    facts.a_row_has_the_same_bits_in_every_batch(
        cuda, Case(cell_name, 3, 7, 2, 3, "float32"), ([2], [3, 6], [4, 5, 6, 0])
    )


def test_nan_stays_in_its_row(cell_name):
    facts.nan_stays_in_its_row(cuda, Case(cell_name, 3, 5, 2, 3, "float32"), bad=2)


@pytest.mark.parametrize("scale", [1e4, 1e37])
def test_huge_inputs_saturate(cell_name, dtype, scale, assert_close):
    facts.huge_inputs_saturate(cuda, Case(cell_name, 3, 2, 2, 3, dtype, seed=2), scale, assert_close)


def test_two_runs_have_the_same_bits(cell_name):
    facts.two_runs_have_the_same_bits(cuda, Case(cell_name, 5, 7, 3, 5, "float32", "holes"))


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 5e-6), ("float64", 1e-10)])
def test_agrees_with_the_cpu(cell_name, dtype, bound):
    case = Case(cell_name, 4, 5, 3, 7, dtype, "holes")
    ours, theirs = Run(cuda, case).both(), Run(cpu, case).both()
    for name, expected in theirs.items():
        assert np.abs(ours[name] - expected).max() <= bound * max(1, np.abs(expected).max()), name


def test_steps_by_turns_have_the_bits_of_the_whole(cell_name):
    facts.steps_by_turns_have_the_bits_of_the_whole(cuda, Case(cell_name, 5, 3, 2, 3, "float32", state=False))


def test_the_gates_of_every_step(cell_name, assert_close):
    facts.the_gates_of_every_step_are_the_oracles(cuda, Case(cell_name, 3, 3, 2, 3, "float32", "holes"), assert_close)


@pytest.mark.parametrize(("batch", "training"), [(1, True), (3, False), (9, True)])
def test_the_plan_is_what_runs(cell_name, batch, training):
    facts.the_plan_is_what_runs(cuda, Case(cell_name, 3, batch, 2, 3, "float32"), training)
