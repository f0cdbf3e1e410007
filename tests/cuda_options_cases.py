"""What an LSTM can do beside the plain equations, on the CUDA twin: see `cuda_cases.py`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import test_lstm_options
import test_pair_kernels
from lstm_case import Case, Run
from test_lstm_kernels import assert_same, compare

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm.kernels import CELL_ACTIVATIONS
from numlstm.kernels.cuda.recurrence import masking as recurrent
from numlstm.kernels.cuda.recurrence import persistent as recurrence

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")

PATHS = ["persistent", "step by step"]
AXES = {
    "path": PATHS,
    "dtype": ["float32", "float64"],
    "mask_kind": [None, "left", "holes", "empty rows"],
    "layout": ["contiguous", "batch-major", "inside a wider array"],
    "activation": list(CELL_ACTIVATIONS),
    "recurrent_activation": list(CELL_ACTIVATIONS),
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


@pytest.fixture
def backend():
    return cuda


@pytest.fixture
def take(monkeypatch):
    """Makes one path of the LSTM the one that is taken."""

    def take(path):
        if path == "step by step":
            monkeypatch.setattr(recurrence, "MOST_UNITS", {"float32": 0, "float64": 0})

    return take


@pytest.fixture(params=PATHS)
def path(request, take):
    """One path after the other."""
    take(request.param)
    return request.param


@pytest.mark.parametrize("options", list(pairwise(AXES)), ids=lambda options: str(list(options.values())))
def test_agrees_with_the_oracle_and_the_cpu(options, take, assert_close):
    path, sizes = (options[name] for name in ("path", "sizes"))
    case = Case(*sizes, **{name: value for name, value in options.items() if name not in ("path", "sizes")})
    take(path)
    run = Run(cuda, case)
    results = run.both()
    assert run.trace.kernel_path.startswith(path)
    assert run.trace.kernel_path.endswith(", general") == case.general
    compare(results, case, assert_close)
    bound = 5e-6 if case.dtype == "float32" else 1e-10
    for name, expected in Run(cpu, case).both().items():
        if expected is not None:
            assert np.abs(results[name] - expected).max() <= bound * max(1, np.abs(expected).max()), name


@pytest.mark.parametrize("last_only", [False, True])
def test_inference_has_the_bits_of_training(path, last_only, monkeypatch):
    """The gates of inference have room for a few steps only: a reset and dropout cross from some to the next."""
    monkeypatch.setattr(recurrent, "WORKSPACE", 300)
    case = Case(7, 3, 3, 3, "float32", "holes", last_only=last_only, resets=True, dropout=0.4, zero_output=True)
    inference = Run(cuda, case, training=False)
    assert len(inference.trace.gates) < 4
    assert_same(inference.forward(), Run(cuda, case).forward())


def test_options_that_change_nothing_leave_the_bits(path):
    plain = Run(cuda, Case(3, 3, 2, 5, "float32", "holes"))
    case = Case(3, 3, 2, 5, "float32", "holes", resets=True, dropout=0.4)
    case.reset[:], case.recurrent_dropout[:] = False, 1
    general = Run(cuda, case)
    assert_same(plain.both(), general.both())
    assert general.trace.kernel_path == f"{plain.trace.kernel_path}, general"


@pytest.mark.parametrize("option", [{}, {"resets": True, "activation": "relu"}], ids=str)
def test_the_gates_of_every_step(path, backend, option, assert_close):
    case = Case(3, 3, 2, 3, "float32", "holes", **option)
    run = Run(backend, case)
    run.forward()
    for name, values in zip("ifgoch", backend.lstm_gates(run.trace), strict=True):
        assert_close(backend.to_host(values), getattr(case.traced, name), "float32", 20 * 5, what=name)


def test_steps_by_turns_have_the_bits_of_the_whole(path, backend):
    test_lstm_options.test_steps_by_turns_have_the_bits_of_the_whole(backend, "float32", ("relu", "hard_sigmoid"))


def test_the_plan_is_what_runs(path, backend):
    test_lstm_options.test_the_plan_is_what_runs(backend, {"dropout": 0.4})


def test_a_pair_has_the_bits_of_two(path, backend):
    first = Case(2, 3, 2, 3, "float32", "holes", dropout=0.4)
    test_pair_kernels.check_pair(backend, (first, replace(first, seed=1)))
