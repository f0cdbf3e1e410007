"""Elman's network of the CUDA twin: the bodies of the other backends' tests, at small sizes.

Like `cuda_cases.py`, run by `test_cuda_simulator.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import test_rnn_kernels
from rnn_case import LAYOUTS, MASKS, Case, Run
from test_lstm_kernels import assert_same
from test_rnn_kernels import GENERAL, compare

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm.kernels import ACTIVATIONS
from numlstm.kernels.cuda.recurrence import masking as recurrent

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")


@pytest.fixture
def backend():
    return cuda


@pytest.fixture
def check(assert_close):
    return lambda case: compare(Run(cuda, case).both(), case, assert_close)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 2, 2, 3), (2, 6, 3, 9)], ids=str)
def test_agrees_with_the_oracle(check, dtype, shape):
    check(Case(*shape, dtype))


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations(check, kind):
    check(Case(2, 2, 2, 3, "float32", "holes", activation=kind))


@pytest.mark.parametrize("mask_kind", [None, *MASKS])
@pytest.mark.parametrize("option", [{}, {"zero_output": True}, *GENERAL], ids=str)
def test_masks_and_options(check, option, mask_kind):
    check(Case(4, 3, 2, 3, "float32", mask_kind, **option))


def test_options_in_double_precision(check):
    check(Case(4, 5, 2, 3, "float64", "holes", last_only=True, **GENERAL[2]))


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_strided_views(check, layout):
    check(Case(3, 2, 2, 3, "float32", "holes", layout, resets=True, dropout=0.5))
    check(Case(3, 2, 2, 3, "float32", None, layout, last_only=True))


@pytest.mark.parametrize(
    "option", [{"bias": False, "need_dx": False}, {"state": False, "state_gradient": False}], ids=str
)
def test_what_may_be_missing(check, option):
    check(Case(3, 2, 2, 3, "float32", "left", resets=True, **option))


@pytest.mark.parametrize("option", [{}, {"mask_kind": "holes", **GENERAL[2]}], ids=str)
def test_inference_has_the_bits_of_training(monkeypatch, option):
    """The z of inference have room for a few steps only."""
    monkeypatch.setattr(recurrent, "WORKSPACE", 200)
    case = Case(7, 3, 2, 4, "float32", **option)
    inference = Run(cuda, case, training=False)
    assert len(inference.trace.gates) < 7
    assert_same(inference.forward(), Run(cuda, case).forward())


def test_without_steps_the_state_stays(backend):
    test_rnn_kernels.test_without_steps_the_state_stays(backend, "float32", GENERAL[2])


def test_a_trace_serves_again(backend):
    test_rnn_kernels.test_a_trace_serves_again(backend, "float32", (3, 3, 2, 3))


def test_a_masked_step_is_never_read():
    clean, dirty = Case(4, 3, 2, 3, "float32", "holes"), Case(4, 3, 2, 3, "float32", "holes")
    clean.numbers["x"][~clean.mask] = 0
    dirty.numbers["x"][~dirty.mask] = np.nan
    results = Run(cuda, dirty).both()
    assert_same(Run(cuda, clean).both(), results)
    assert (results["dx"][~dirty.mask] == 0).all()


def test_steps_by_turns_have_the_bits_of_the_whole(backend):
    test_rnn_kernels.test_steps_by_turns_have_the_bits_of_the_whole(backend, "float32", "tanh")


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 5e-6), ("float64", 1e-10)])
def test_agrees_with_the_cpu(dtype, bound):
    case = Case(4, 5, 3, 7, dtype, "holes", **GENERAL[2])
    ours, theirs = Run(cuda, case).both(), Run(cpu, case).both()
    for name, expected in theirs.items():
        assert np.abs(ours[name] - expected).max() <= bound * max(1, np.abs(expected).max()), name


def test_the_plan_is_what_runs():
    for shape, training in (((3, 2), True), ((3, 2), False)):
        case = Case(*shape, 2, 3, "float32")
        run = Run(cuda, case, training)
        run.forward()
        plan = cuda.rnn_plan(case.cell, shape, training)
        assert plan.kernel_path == run.trace.kernel_path
        arrays = (run.trace.gates, run.trace.states, run.trace.x, run.trace.carried)
        assert plan.nbytes == sum(array.nbytes for array in arrays if array is not None)
