"""Both directions of a bidirectional layer at once are, to the bit, what they are one after the other."""

from __future__ import annotations

from dataclasses import replace

import numba
import pytest
import recurrence_facts as facts
from recurrent_case import Case, Run, assert_same, threads
from recurrent_cells import CELLS

CASES = [  # T, B, F, H, and options
    ((1, 1, 1, 1), {}),
    ((10, 1, 3, 50), {}),
    ((31, 1, 40, 85), {}),
    ((7, 13, 5, 34), {"mask_kind": "holes"}),
    ((5, 65, 34, 85), {"mask_kind": "right", "layout": "batch-major", "last_only": True}),
    ((5, 17, 3, 31), {"need_dx": False, "state": False, "state_gradient": False}),
    ((4, 1, 40, 400), {}),
    ((3, 3, 40, 400), {"mask_kind": "holes", "resets": True, "dropout": 0.4}),
    ((9, 12, 16, 64), {"recurrent_activation": "hard_sigmoid", "zero_output": True, "mask_kind": "left"}),
    ((9, 12, 16, 64), {"activation": "relu", "zero_output": True, "mask_kind": "left"}),
]


@pytest.fixture(params=CELLS)
def cell_name(request):
    return request.param


def two(case):
    """A case, and another one like it."""
    return case, replace(case, seed=1)


@pytest.mark.parametrize(("sizes", "options"), CASES, ids=str)
def test_a_pair_has_the_bits_of_two(backend, cell_name, dtype, sizes, options):
    facts.a_pair_has_the_bits_of_two(backend, *two(Case(cell_name, *sizes, dtype, **options)))


@pytest.mark.parametrize(
    "less",
    [
        {"need_dx": False, "state_gradient": False, "bias": False},
        {"mask_kind": None, "resets": True},
        {"zero_output": True, "state": False},
    ],
    ids=str,
)
def test_one_direction_may_want_less(backend, cell_name, dtype, less):
    first, second = two(Case(cell_name, 7, 13, 5, 34, dtype, mask_kind="holes"))
    facts.a_pair_has_the_bits_of_two(backend, first, replace(second, **less))


@pytest.mark.parametrize(("sizes", "options"), [CASES[2], CASES[4], CASES[7]], ids=str)
def test_the_number_of_threads_changes_nothing(backend, cell_name, dtype, sizes, options):
    for count in {1, numba.config.NUMBA_NUM_THREADS}:
        with threads(count):
            facts.a_pair_has_the_bits_of_two(backend, *two(Case(cell_name, *sizes, dtype, **options)))


@pytest.mark.parametrize("option", [{}, {"dropout": 0.4}, {"activation": "relu"}], ids=str)
@pytest.mark.parametrize("sizes", [(3, 5, 2, 7), (40, 65, 5, 64), (100, 1, 32, 128), (3, 3, 40, 400)], ids=str)
def test_the_plan_is_what_runs(backend, cell_name, sizes, option):
    facts.the_plan_of_a_pair_is_what_runs(backend, *two(Case(cell_name, *sizes, "float32", **option)))


def test_one_row_has_work_for_two_threads(cell_name):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba has one thread here")
    import numlstm.kernels.cpu as cpu

    steps = 400 // len(Case(cell_name, 1, 1, 1, 1).cell.gates)
    runs = [Run(cpu, case) for case in two(Case(cell_name, steps, 1, 32, 128, "float32"))]
    facts.run_pair(cpu, runs)
    assert [run.trace.kernel_name for run in runs] == ["both directions, rows over 1 thread each"] * 2


def test_traces_serve_again(backend, cell_name):
    runs = [Run(backend, case) for case in two(Case(cell_name, 3, 5, 2, 7, "float32"))]
    for first, again in zip(facts.run_pair(backend, runs), facts.run_pair(backend, runs), strict=True):
        assert_same(first, again)
