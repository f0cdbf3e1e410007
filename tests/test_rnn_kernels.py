"""The kernels of Elman's network of every backend against the oracle, through the contract's functions."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
from rnn_case import LAYOUTS, MASKS, Case, Run
from test_gradients import assert_gradient
from test_lstm_kernels import assert_same

import numlstm.kernels.cpu as cpu
from numlstm.kernels import ACTIVATIONS


@pytest.fixture
def check(backend, assert_close):
    """Runs a case forward and backward and compares everything with the oracle."""

    def check(case):
        # Kernels may not write into what they read: the numbers are compared with copies afterwards.
        before = {name: values.copy() for name, values in case.numbers.items()}
        compare(Run(backend, case).both(), case, assert_close)
        for name, values in case.numbers.items():
            np.testing.assert_array_equal(values, before[name], err_msg=f"the kernel changed its input {name}")

    return check


def compare(results, case, assert_close):
    for name, actual in results.items():
        expected = case.expected[name]
        if expected is None:
            assert actual is None
            continue
        forward = name in ("y", "h")
        length = (case.F + case.H + 1) * case.T if forward else max(case.H, case.B) * case.T
        assert_close(actual, expected, case.dtype, length, factor=4 if forward else 8, what=f"{name} of {case}")


SHAPES = [  # T, B, F, H
    (1, 1, 1, 1),
    (10, 32, 1, 50),
    (2, 3, 5, 7),
    (3, 12, 16, 16),
    (7, 13, 3, 31),
    (5, 2, 130, 17),
    (4, 17, 34, 85),
    (2, 5, 85, 130),
    (31, 1, 2, 65),
    (130, 2, 1, 5),
]
GENERAL = [{"resets": True}, {"dropout": 0.4}, {"resets": True, "dropout": 0.4, "zero_output": True}]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(check, dtype, shape):
    check(Case(*shape, dtype))
    check(Case(*shape, dtype, activation="relu"))


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations(check, dtype, kind):
    check(Case(4, 5, 3, 17, dtype, activation=kind))
    check(Case(4, 5, 3, 17, dtype, "holes", activation=kind))


@pytest.mark.parametrize("last_only", [False, True])
@pytest.mark.parametrize("mask_kind", MASKS)
@pytest.mark.parametrize("option", [{}, {"zero_output": True}, *GENERAL], ids=str)
def test_masks_and_options(check, dtype, option, mask_kind, last_only):
    check(Case(7, 5, 3, 17, dtype, mask_kind, last_only=last_only, **option))


@pytest.mark.parametrize("option", GENERAL, ids=str)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (7, 13, 3, 31), (5, 34, 17, 65)], ids=str)
def test_options_without_masks(check, dtype, shape, option):
    check(Case(*shape, dtype, **option))


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("mask_kind", [None, "holes"])
def test_strided_views(check, dtype, layout, mask_kind):
    check(Case(5, 13, 7, 34, dtype, mask_kind, layout))
    check(Case(5, 13, 7, 34, dtype, mask_kind, layout, last_only=True, resets=True, dropout=0.5))


@pytest.mark.parametrize(
    "option",
    [
        {"bias": False},
        {"state": False},
        {"need_dx": False},
        {"state_gradient": False},
        {"state": False, "state_gradient": False, "last_only": True, "need_dx": False},
    ],
    ids=str,
)
def test_what_may_be_missing(check, dtype, option):
    check(Case(5, 17, 3, 31, dtype, **option))
    check(Case(5, 17, 3, 31, dtype, "left", resets=True, **option))


@pytest.mark.parametrize("option", [{}, GENERAL[2]], ids=str)
def test_without_steps_the_state_stays(backend, dtype, option):
    case = Case(0, 3, 2, 5, dtype, **option)
    results = Run(backend, case).both()
    np.testing.assert_array_equal(results["h"], case.numbers["h0"])
    np.testing.assert_array_equal(results["dh0"], case.numbers["dh"])
    for name in ("dW", "dU", "db"):
        assert (results[name] == 0).all()


@pytest.mark.parametrize("option", [{}, {"mask_kind": "holes"}, GENERAL[2]], ids=str)
def test_inference_has_the_bits_of_training(backend, dtype, option):
    case = Case(7, 13, 5, 34, dtype, **option)
    assert_same(Run(backend, case, training=False).forward(), Run(backend, case).forward())


@pytest.mark.parametrize("shape", [(5, 13, 3, 17)], ids=str)
def test_a_trace_serves_again(backend, dtype, shape):
    run = Run(backend, Case(*shape, dtype, "holes", resets=True, dropout=0.5))
    run.both()
    run.case = replace(run.case, mask_kind=None, state=False, resets=False, dropout=0, seed=1)
    fresh = Run(backend, replace(run.case, seed=0))
    fresh.case = run.case
    assert_same(run.both(), fresh.both())


def test_changed_weights_are_packed_anew(backend, dtype, assert_close):
    run = Run(backend, Case(3, 5, 2, 7, dtype))
    run.both()
    run.case = replace(run.case, seed=1)
    for array, name in zip((run.weights.kernel, run.weights.recurrent_kernel, run.weights.bias), "WUb", strict=True):
        backend.copy(array, run.case.numbers[name])
    run.weights.version.advance()
    compare(run.both(), run.case, assert_close)


@pytest.mark.parametrize("junk", [np.nan, np.inf])
@pytest.mark.parametrize("mask_kind", MASKS)
def test_a_masked_step_is_never_read(backend, dtype, mask_kind, junk):
    clean, dirty = Case(7, 13, 5, 34, dtype, mask_kind), Case(7, 13, 5, 34, dtype, mask_kind)
    clean.numbers["x"][~clean.mask] = 0
    dirty.numbers["x"][~dirty.mask] = junk
    results = Run(backend, dirty).both()
    assert_same(Run(backend, clean).both(), results)
    assert (results["dx"][~dirty.mask] == 0).all()


def test_nan_stays_in_its_row(backend, dtype):
    case, clean = Case(5, 34, 3, 17, dtype), Case(5, 34, 3, 17, dtype)
    case.numbers["x"][2, 13, 1] = np.nan
    results, expected = Run(backend, case).both(), Run(backend, clean).both()
    others = np.arange(case.B) != 13
    for name in ("y", "dx"):
        np.testing.assert_array_equal(results[name][:, others], expected[name][:, others])
    for name in ("h", "dh0"):
        np.testing.assert_array_equal(results[name][others], expected[name][others])
    assert np.isnan(results["y"][2:, 13]).all()
    np.testing.assert_array_equal(results["y"][:2, 13], expected["y"][:2, 13])


@pytest.mark.parametrize("option", [{}, GENERAL[2]], ids=str)
@pytest.mark.parametrize("shape", [(10, 65, 1, 50), (5, 34, 34, 130)], ids=str)
def test_a_row_has_the_same_bits_in_every_batch(backend, dtype, shape, option):
    whole = Case(*shape, dtype, "holes", **option)
    results = Run(backend, whole).both()
    for rows in ([2], [3, 6, 33], list(range(5, 22)), [7, 7, 7, 1]):
        part = replace(whole, B=len(rows))
        for name in ("mask", "reset", "recurrent_dropout"):
            values = getattr(whole, name)
            part.__dict__[name] = (
                values if values is None else values[rows] if len(values) != whole.T else values[:, rows]
            )
        part.numbers.update({name: whole.numbers[name] for name in "WUb"})
        part.numbers.update({name: whole.numbers[name][:, rows] for name in ("x", "dy")})
        part.numbers.update({name: whole.numbers[name][rows] for name in ("h0", "dh")})
        alone = Run(backend, part).both()
        for name in ("y", "dx"):
            np.testing.assert_array_equal(alone[name], results[name][:, rows])
        for name in ("h", "dh0"):
            np.testing.assert_array_equal(alone[name], results[name][rows])


def test_the_number_of_threads_changes_nothing(backend, dtype):
    case = Case(30, 65, 34, 85, dtype, "holes")
    available, results = numba.get_num_threads(), []
    try:
        for threads in {1, available}:
            numba.set_num_threads(threads)
            results.append(Run(backend, case).both())
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        assert_same(results[0], other)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_steps_by_turns_have_the_bits_of_the_whole(backend, dtype, activation):
    case = Case(5, 3, 2, 17, dtype, activation=activation, state=False)
    whole, run = Run(backend, case).forward(), Run(backend, replace(case, T=1), training=False)
    for array, name in zip((run.weights.kernel, run.weights.recurrent_kernel, run.weights.bias), "WUb", strict=True):
        backend.copy(array, case.numbers[name])
    x, y = backend.zeros((3, 2), dtype), backend.zeros((3, 17), dtype)
    even, odd = backend.bind_rnn_step(case.cell, run.weights, x, run.trace, y)
    for t in range(5):
        backend.copy(x, case.numbers["x"][t])
        (odd if t % 2 else even)()
        np.testing.assert_array_equal(backend.to_host(y), whole["y"][t])


def test_the_plan_is_what_runs(backend, dtype):
    for shape, training in (((2, 3), True), ((40, 65), True), ((40, 65), False)):
        case = Case(*shape, 5, 64, dtype)
        run = Run(backend, case, training)
        run.forward()
        plan = backend.rnn_plan(case.cell, shape, training)
        assert plan.kernel_path == run.trace.kernel_path
        assert plan.reason
        names = ("h", "dz") if backend is cpu else ("gates", "states", "x", "carried")
        assert plan.nbytes == sum(
            getattr(run.trace, name).nbytes for name in names if getattr(run.trace, name) is not None
        )


@pytest.mark.parametrize("option", [{}, {"mask_kind": "holes"}, {"mask_kind": "left", **GENERAL[2]}], ids=str)
@pytest.mark.parametrize("activation", ["tanh", "elu", "softplus"])
def test_gradients_are_those_of_central_differences(activation, option):
    case = Case(3, 4, 2, 5, activation=activation, **option)
    n = case.numbers
    gradients = Run(cpu, case).both()

    def objective():
        outputs = Run(cpu, case, training=False).forward()
        return (outputs["y"] * n["dy"]).sum() + (outputs["h"] * n["dh"]).sum()

    for name, of in (("dW", "W"), ("dU", "U"), ("db", "b"), ("dx", "x"), ("dh0", "h0")):
        assert_gradient(gradients[name], objective, n[of], f"{name} of {case}")
