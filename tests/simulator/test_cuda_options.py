"""What sequences and cells can do beside the plain equations, on the CUDA twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import recurrence_facts as facts
from cuda_paths import PATHS, WAYS, paths_of, take
from recurrent_case import Case, Run
from recurrent_cells import ACTIVATION_CHOICES, CELLS, MASKS

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm.kernels import CELL_ACTIVATIONS
from numlstm.kernels.cuda.recurrence import plan

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")

ALL = {"resets": True, "dropout": 0.4, "zero_output": True}
SEQUENCE_OPTIONS = [{"zero_output": True}, {"resets": True}, {"dropout": 0.4}, ALL]
AXES = {
    "path": PATHS,
    "dtype": ["float32", "float64"],
    "mask_kind": [None, "left", "holes", "empty rows"],
    "layout": ["contiguous", "batch-major", "inside a wider array"],
    "zero_output": [False, True],
    "resets": [False, True],
    "dropout": [0.0, 0.4],
    "last_only": [False, True],
    "state": [False, True],
    "sizes": [(3, 3, 2, 3), (2, 5, 1, 5), (4, 1, 3, 2)],
}


def pairwise(axes):
    """Few choices of one value from each axis, so that every pair of values of two axes is in one of them."""
    random = np.random.default_rng(0)
    names = list(axes)
    missing = {
        (i, a, j, b)
        for j in range(len(names))
        for i in range(j)
        for a in range(len(axes[names[i]]))
        for b in range(len(axes[names[j]]))
    }
    while missing:
        candidates = random.integers(0, [len(axes[name]) for name in names], (300, len(names)))
        covered = [
            {(i, a, j, b) for j, b in enumerate(row) for i, a in enumerate(row[:j])} & missing for row in candidates
        ]
        best = max(range(len(covered)), key=lambda index: len(covered[index]))
        if covered[best]:
            missing -= covered[best]
            yield {name: axes[name][index] for name, index in zip(names, candidates[best], strict=True)}


def all_pairwise():
    """Such choices for every kind of cell."""
    for cell_name in CELLS:
        activations = {name: list(CELL_ACTIVATIONS) for name in CELLS[cell_name].activations}
        yield from (
            {"cell_name": cell_name, **options}
            for options in pairwise(AXES | {"path": paths_of(cell_name)} | activations)
        )


@pytest.fixture(params=WAYS, ids=" ".join)
def way(request, monkeypatch):
    """One kind of cell after the other, on one path after the other."""
    take(request.param[1], monkeypatch)
    return request.param


@pytest.fixture
def cell_name(way):
    return way[0]


@pytest.mark.parametrize("options", list(all_pairwise()), ids=lambda options: str(list(options.values())))
def test_agrees_with_the_oracle_and_the_cpu(options, monkeypatch, assert_close):
    path, sizes = (options[name] for name in ("path", "sizes"))
    given = {name: value for name, value in options.items() if name not in ("cell_name", "path", "sizes")}
    case = Case(options["cell_name"], *sizes, **given)
    take(path, monkeypatch)
    run, results = facts.a_pass_agrees_with_the_oracle(cuda, case, assert_close)
    assert run.trace.kernel_name.startswith(path)
    bound = 5e-6 if case.dtype == "float32" else 1e-10
    for name, expected in Run(cpu, case).both().items():
        if expected is not None:
            assert np.abs(results[name] - expected).max() <= bound * max(1, np.abs(expected).max()), name


@pytest.mark.parametrize(
    ("cell_name", "activations"),
    [
        (cell_name, choice)
        for cell_name, choice in ACTIVATION_CHOICES
        if not set(choice.values()) <= set(CELL_ACTIVATIONS)
    ],
    ids=str,
)
@pytest.mark.parametrize("path", PATHS)
def test_other_activations(cell_name, activations, path, monkeypatch, assert_close):
    take(path, monkeypatch)
    facts.a_pass_agrees_with_the_oracle(
        cuda, Case(cell_name, 2, 2, 2, 3, "float32", "holes", **activations), assert_close
    )


@pytest.mark.parametrize("mask_kind", [None, *MASKS])
@pytest.mark.parametrize("option", SEQUENCE_OPTIONS, ids=str)
def test_masks(cell_name, option, mask_kind, assert_close):
    case = Case(cell_name, 4, 3, 2, 3, "float32", mask_kind, **option)
    facts.a_pass_agrees_with_the_oracle(cuda, case, assert_close)


def test_options_in_double_precision(cell_name, assert_close):
    case = Case(cell_name, 4, 5, 2, 3, "float64", "holes", last_only=True, **ALL)
    facts.a_pass_agrees_with_the_oracle(cuda, case, assert_close)


def test_without_steps_the_state_stays(cell_name):
    facts.without_steps_the_state_stays(cuda, Case(cell_name, 0, 3, 2, 5, "float32", **ALL))


@pytest.mark.parametrize("last_only", [False, True])
def test_inference_has_the_bits_of_training(cell_name, last_only, monkeypatch):
    """The gates of inference have room for a few steps only: a reset and dropout cross from some to the next."""
    monkeypatch.setattr(plan, "WORKSPACE", 150)
    case = Case(cell_name, 7, 3, 3, 3, "float32", "holes", last_only=last_only, **ALL)
    inference = facts.inference_has_the_bits_of_training(cuda, case)
    assert len(inference.trace.gates) < 4


def test_options_that_change_nothing_leave_the_bits(cell_name):
    facts.options_that_change_nothing_leave_the_bits(cuda, Case(cell_name, 3, 3, 2, 5, "float32", "holes"))


def test_a_reset_begins_another_sequence(cell_name):
    facts.a_reset_begins_another_sequence(cuda, Case(cell_name, 5, 2, 2, 3, "float32", resets=True), at=3)


def test_a_trace_serves_again(cell_name):
    facts.a_trace_serves_again(cuda, Case(cell_name, 3, 3, 2, 3, "float32", "holes", **ALL))


def test_a_masked_step_is_never_read(cell_name):
    facts.a_masked_step_is_never_read(cuda, Case(cell_name, 4, 3, 2, 3, "float32", "holes", **ALL), np.nan)


def test_a_row_has_the_same_bits_in_every_batch(cell_name):
    whole = Case(cell_name, 3, 7, 2, 3, "float32", "holes", **ALL)
    facts.a_row_has_the_same_bits_in_every_batch(cuda, whole, ([2], [3, 6], [4, 5, 6, 0]))


def test_the_gates_of_every_step(cell_name, assert_close):
    case = Case(cell_name, 3, 3, 2, 3, "float32", "holes", resets=True, activation="relu")
    facts.the_gates_of_every_step_are_the_oracles(cuda, case, assert_close)


def test_steps_by_turns_have_the_bits_of_the_whole(cell_name):
    case = Case(cell_name, 5, 3, 2, 3, "float32", state=False, activation="relu", recurrent_activation="hard_sigmoid")
    facts.steps_by_turns_have_the_bits_of_the_whole(cuda, case)


def test_the_plan_is_what_runs(cell_name):
    facts.the_plan_is_what_runs(cuda, Case(cell_name, 3, 5, 2, 3, "float32", dropout=0.4))
    facts.the_plan_is_what_runs(cuda, Case(cell_name, 3, 5, 2, 3, "float32", activation="relu"), training=False)


@pytest.mark.parametrize("option", [{}, {"dropout": 0.4}], ids=str)
def test_a_pair_has_the_bits_of_two(cell_name, option):
    first = Case(cell_name, 2, 3, 2, 3, "float32", "holes", **option)
    facts.a_pair_has_the_bits_of_two(cuda, first, replace(first, seed=1))
    facts.the_plan_of_a_pair_is_what_runs(cuda, first, replace(first, seed=1))
