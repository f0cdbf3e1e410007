"""The passes of every cell of every backend against the oracle, through the contract's functions."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import recurrence_facts as facts
from recurrent_case import Case
from recurrent_cells import CELLS, LAYOUTS, MASKS


@pytest.fixture(params=CELLS)
def cell_name(request):
    return request.param


@pytest.fixture
def check(backend, assert_close):
    """Runs a case forward and backward and compares everything with the oracle."""
    return lambda case: facts.a_pass_agrees_with_the_oracle(backend, case, assert_close)


SHAPES = [  # T, B, F, H
    (1, 1, 1, 1),
    (1, 1, 1, 50),
    (10, 32, 1, 50),
    (2, 3, 5, 7),
    (1, 7, 17, 34),
    (3, 12, 16, 16),
    (7, 13, 3, 31),
    (5, 2, 130, 17),
    (4, 17, 34, 85),
    (3, 65, 31, 64),
    (2, 5, 85, 130),
    (31, 1, 2, 65),
    (64, 3, 7, 13),
    (2, 130, 13, 2),
    (130, 2, 1, 5),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(check, cell_name, dtype, shape):
    check(Case(cell_name, *shape, dtype))


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("mask_kind", MASKS)
@pytest.mark.parametrize("shape", [(7, 5, 3, 17), (5, 34, 17, 65)], ids=str)
def test_masks(check, cell_name, dtype, shape, mask_kind, last_only):
    check(Case(cell_name, *shape, dtype, mask_kind, last_only=last_only))


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("mask_kind", [None, "holes"])
def test_strided_views(check, cell_name, dtype, layout, mask_kind):
    check(Case(cell_name, 5, 13, 7, 34, dtype, mask_kind, layout))
    check(Case(cell_name, 5, 13, 7, 34, dtype, mask_kind, layout, last_only=True))


@pytest.mark.parametrize(
    "missing",
    [
        {"bias": False},
        {"state": False},
        {"need_dx": False},
        {"state_gradient": False},
        {"state": False, "state_gradient": False, "last_only": True, "need_dx": False},
    ],
    ids=str,
)
def test_what_may_be_missing(check, cell_name, dtype, missing):
    for mask_kind, resets in ((None, False), ("left", False), ("left", True)):
        check(Case(cell_name, 5, 17, 3, 31, dtype, mask_kind, resets=resets, **missing))


def random_case(cell_name, seed):
    random = np.random.default_rng(seed)
    T, B, F, H = (int(n) for n in random.choice([1, 2, 3, 5, 7, 13, 16, 17, 31, 34, 50, 64, 65, 85], 4))
    flags = ["bias", "state", "need_dx", "last_only", "state_gradient", "zero_output"]
    options = {name: bool(flag) for name, flag in zip(flags, random.integers(0, 2, len(flags)), strict=True)}
    if random.random() < 0.3:
        options |= {"resets": True, "dropout": 0.4}
    return Case(
        cell_name, min(T, 17), B, F, H,
        dtype=str(random.choice(["float32", "float64"])),
        mask_kind=random.choice([None, *MASKS]),
        layout=str(random.choice(list(LAYOUTS))),
        seed=seed,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_random_cases(check, cell_name, seed):
    check(random_case(cell_name, seed))


def test_without_steps_the_state_stays(backend, cell_name, dtype):
    facts.without_steps_the_state_stays(backend, Case(cell_name, 0, 3, 2, 5, dtype))


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("mask_kind", [None, "holes"])
def test_inference_has_the_bits_of_training(backend, cell_name, dtype, mask_kind, last_only):
    facts.inference_has_the_bits_of_training(
        backend, Case(cell_name, 7, 13, 5, 34, dtype, mask_kind, last_only=last_only)
    )  # fmt: skip


def test_a_trace_serves_again(backend, cell_name, dtype):
    facts.a_trace_serves_again(backend, Case(cell_name, 5, 13, 3, 17, dtype, "holes"))


def test_a_state_is_its_own(backend, cell_name, dtype):
    facts.a_state_is_its_own(backend, Case(cell_name, 3, 5, 2, 7, dtype))


def test_changed_weights_are_packed_anew(backend, cell_name, dtype, assert_close):
    facts.changed_weights_are_packed_anew(backend, Case(cell_name, 3, 5, 2, 7, dtype), assert_close)


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mask_kind", MASKS)
def test_a_masked_step_is_never_read(backend, cell_name, dtype, mask_kind, junk):
    facts.a_masked_step_is_never_read(backend, Case(cell_name, 7, 13, 5, 34, dtype, mask_kind), junk)


def test_nan_stays_in_its_row(backend, cell_name, dtype):
    facts.nan_stays_in_its_row(backend, Case(cell_name, 5, 34, 3, 17, dtype), bad=13)


@pytest.mark.parametrize("scale", [1e4, 1e37])
def test_huge_inputs_saturate(backend, cell_name, dtype, scale, assert_close):
    facts.huge_inputs_saturate(backend, Case(cell_name, 7, 5, 3, 17, dtype), scale, assert_close)


@pytest.mark.parametrize("shape", [(10, 65, 1, 50), (5, 34, 34, 130)], ids=str)
def test_a_row_has_the_same_bits_in_every_batch(backend, cell_name, dtype, shape):
    batches = [2], [3, 6, 33], list(range(5, 22)), [7, 7, 7, 1]
    facts.a_row_has_the_same_bits_in_every_batch(backend, Case(cell_name, *shape, dtype, "holes"), batches)


@pytest.mark.parametrize("shape", [(10, 65, 34, 85), (30, 65, 34, 85), (3, 1, 40, 400), (3, 3, 40, 400)], ids=str)
def test_the_number_of_threads_changes_nothing(backend, cell_name, dtype, shape):
    most = numba.config.NUMBA_NUM_THREADS
    facts.the_number_of_threads_changes_nothing(
        backend, Case(cell_name, *shape, dtype, "holes"), {1, min(2, most), most}
    )


def test_steps_by_turns_have_the_bits_of_the_whole(backend, cell_name, dtype):
    facts.steps_by_turns_have_the_bits_of_the_whole(backend, Case(cell_name, 5, 3, 2, 17, dtype, state=False))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(2, 3), (40, 65), (0, 2)], ids=str)
def test_the_plan_is_what_runs(backend, cell_name, dtype, shape, training):
    facts.the_plan_is_what_runs(backend, Case(cell_name, *shape, 5, 64, dtype), training)
