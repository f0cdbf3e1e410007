"""What sequences and cells can do beside the plain equations, on every backend, for every cell."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest
import recurrence_facts as facts
from recurrent_case import Case, compare
from recurrent_cells import ACTIVATION_CHOICES, CELL_OPTIONS, CELLS, LAYOUTS, MASKS, PLAIN_AND_OPTIONS

from numlstm.kernels import RecurrentInputs

ALL = {"resets": True, "dropout": 0.4, "zero_output": True}
SIZES = [  # T, B, F, H
    (1, 1, 1, 1),
    (2, 1, 3, 50),
    (10, 32, 1, 50),
    (7, 13, 3, 31),
    (3, 12, 16, 16),
    (5, 2, 130, 17),
    (2, 5, 85, 130),
    (31, 2, 2, 65),
    (130, 2, 1, 5),
]

MASKED = [None, "left", "holes"]
OF_DIFFERENCES = [(*each, mask_kind) for each in PLAIN_AND_OPTIONS for mask_kind in MASKED]
# Where a cell has two activations, every pair of them once: each activation in each place still meets all masks.
OF_DIFFERENCES += [
    (cell_name, choice, mask_kind)
    for number, (cell_name, choice) in enumerate(ACTIVATION_CHOICES)
    for mask_kind in (MASKED if len(choice) == 1 else [MASKED[number % 3]])
]


@pytest.fixture(params=CELLS)
def cell_name(request):
    return request.param


@pytest.fixture
def check(backend, assert_close):
    """Runs a case forward and backward and compares everything with the oracle."""
    return lambda case: facts.a_pass_agrees_with_the_oracle(backend, case, assert_close)


@pytest.mark.parametrize(("cell_name", "activations"), ACTIVATION_CHOICES, ids=str)
def test_activations(check, dtype, cell_name, activations):
    check(Case(cell_name, 3, 5, 3, 17, dtype, **activations))
    check(Case(cell_name, 3, 5, 3, 17, dtype, "holes", last_only=True, **activations))


@pytest.mark.parametrize(("cell_name", "option"), CELL_OPTIONS, ids=str)
@pytest.mark.parametrize("mask_kind", [None, *MASKS])
def test_masks(check, dtype, mask_kind, cell_name, option):
    for last_only, state in itertools.product([False, True], repeat=2):
        check(Case(cell_name, 7, 5, 3, 17, dtype, mask_kind, last_only=last_only, state=state, **option))
    check(Case(cell_name, 5, 34, 17, 65, dtype, mask_kind, state_gradient=False, **option))


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize(("cell_name", "option"), CELL_OPTIONS, ids=str)
def test_strided_views(check, dtype, layout, cell_name, option):
    check(Case(cell_name, 5, 13, 7, 34, dtype, "holes", layout, **option))
    check(Case(cell_name, 5, 13, 7, 34, dtype, None, layout, last_only=True, **option))


@pytest.mark.parametrize(("cell_name", "option"), CELL_OPTIONS, ids=str)
@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_sizes(check, dtype, shape, cell_name, option):
    check(Case(cell_name, *shape, dtype, **option))


def test_without_steps_the_state_stays(backend, cell_name, dtype):
    facts.without_steps_the_state_stays(backend, Case(cell_name, 0, 3, 2, 5, dtype, **ALL))


@pytest.mark.parametrize(("cell_name", "option", "mask_kind"), OF_DIFFERENCES, ids=str)
def test_gradients_are_those_of_differences(backend, cell_name, option, mask_kind):
    facts.gradients_are_those_of_differences(backend, Case(cell_name, 4, 3, 2, 5, "float64", mask_kind, **option))


@pytest.mark.parametrize("mask_kind", [None, "holes"])
def test_options_that_change_nothing_leave_the_bits(backend, cell_name, dtype, mask_kind):
    facts.options_that_change_nothing_leave_the_bits(backend, Case(cell_name, 7, 13, 5, 34, dtype, mask_kind))


@pytest.mark.parametrize("mask_kind", [None, "holes"])
@pytest.mark.parametrize(("cell_name", "option"), CELL_OPTIONS, ids=str)
def test_inference_has_the_bits_of_training(backend, dtype, mask_kind, cell_name, option):
    facts.inference_has_the_bits_of_training(backend, Case(cell_name, 7, 13, 5, 34, dtype, mask_kind, **option))


def test_a_reset_begins_another_sequence(backend, cell_name, dtype):
    facts.a_reset_begins_another_sequence(backend, Case(cell_name, 7, 3, 2, 17, dtype, resets=True), at=4)


@pytest.mark.parametrize("junk", [np.nan, np.inf])
@pytest.mark.parametrize(("cell_name", "option"), CELL_OPTIONS, ids=str)
def test_a_masked_step_is_never_read(backend, dtype, junk, cell_name, option):
    facts.a_masked_step_is_never_read(backend, Case(cell_name, 7, 5, 3, 34, dtype, "holes", **option), junk)


@pytest.mark.parametrize(("cell_name", "activations"), ACTIVATION_CHOICES, ids=str)
def test_nan_stays_in_its_row(backend, dtype, cell_name, activations):
    facts.nan_stays_in_its_row(backend, Case(cell_name, 5, 34, 3, 17, dtype, dropout=0.2, **activations), bad=13)


@pytest.mark.parametrize("shape", [(10, 65, 1, 50), (5, 34, 34, 130)], ids=str)
def test_a_row_has_the_same_bits_in_every_batch(backend, cell_name, dtype, shape):
    batches = [2], [3, 6, 33], list(range(5, 22)), [7, 7, 7, 1]
    facts.a_row_has_the_same_bits_in_every_batch(backend, Case(cell_name, *shape, dtype, "holes", **ALL), batches)


@pytest.mark.parametrize("shape", [(10, 65, 34, 85), (3, 1, 40, 400), (3, 3, 40, 400)], ids=str)
def test_the_number_of_threads_changes_nothing(backend, cell_name, dtype, shape, assert_close):
    case = Case(cell_name, *shape, dtype, "holes", resets=True, dropout=0.4, recurrent_activation="hard_sigmoid")
    counts = {1, numba.config.NUMBA_NUM_THREADS}
    compare(facts.the_number_of_threads_changes_nothing(backend, case, counts), case, assert_close)


def test_a_trace_serves_again(backend, cell_name, dtype):
    facts.a_trace_serves_again(backend, Case(cell_name, 5, 13, 3, 17, dtype, "holes", resets=True, dropout=0.4))


@pytest.mark.parametrize("mask_kind", [None, "holes"])
@pytest.mark.parametrize(("cell_name", "option"), PLAIN_AND_OPTIONS, ids=str)
def test_the_gates_of_every_step(backend, dtype, cell_name, option, mask_kind, assert_close):
    case = Case(cell_name, 5, 3, 2, 17, dtype, mask_kind, **option)
    facts.the_gates_of_every_step_are_the_oracles(backend, case, assert_close)


@pytest.mark.parametrize(("cell_name", "activations"), ACTIVATION_CHOICES, ids=str)
def test_steps_by_turns_have_the_bits_of_the_whole(backend, dtype, cell_name, activations):
    facts.steps_by_turns_have_the_bits_of_the_whole(
        backend, Case(cell_name, 5, 3, 2, 17, dtype, state=False, **activations)
    )


@pytest.mark.parametrize(("cell_name", "option"), PLAIN_AND_OPTIONS, ids=str)
def test_the_plan_is_what_runs(backend, cell_name, option):
    facts.the_plan_is_what_runs(backend, Case(cell_name, 3, 5, 2, 17, "float32", **option))


def test_inputs_say_whether_they_have_options():
    assert not RecurrentInputs(x=None, mask=1, state=1, zero_output=True).with_options
    assert RecurrentInputs(x=None, reset=1).with_options
    assert RecurrentInputs(x=None, recurrent_dropout=1).with_options
