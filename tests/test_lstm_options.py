"""What an LSTM can do beside the plain equations, on every backend, against the oracle and against differences."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from lstm_case import LAYOUTS, MASKS, Case, Run
from test_gradients import assert_gradient
from test_lstm_kernels import assert_same, compare

from numlstm.kernels import CELL_ACTIVATIONS, RecurrentInputs

OPTIONS = [
    {"activation": "relu"},
    {"recurrent_activation": "hard_sigmoid"},
    {"zero_output": True},
    {"resets": True},
    {"dropout": 0.4},
    {"resets": True, "dropout": 0.4, "zero_output": True, "activation": "sigmoid"},
]


def check(backend, case, assert_close):
    run = Run(backend, case)
    compare(run.both(), case, assert_close)
    assert run.trace.kernel_path.endswith(", general") == case.general


@pytest.mark.parametrize("recurrent_activation", CELL_ACTIVATIONS)
@pytest.mark.parametrize("activation", CELL_ACTIVATIONS)
def test_activations(backend, dtype, activation, recurrent_activation, assert_close):
    kinds = {"activation": activation, "recurrent_activation": recurrent_activation}
    check(backend, Case(3, 5, 3, 17, dtype, **kinds), assert_close)
    check(backend, Case(3, 5, 3, 17, dtype, "holes", last_only=True, **kinds), assert_close)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
@pytest.mark.parametrize("mask_kind", [None, *MASKS])
def test_masks(backend, dtype, mask_kind, option, assert_close):
    for last_only, state in itertools.product([False, True], repeat=2):
        check(backend, Case(7, 5, 3, 17, dtype, mask_kind, last_only=last_only, state=state, **option), assert_close)
    check(backend, Case(5, 34, 17, 65, dtype, mask_kind, state_gradients=(False, False), **option), assert_close)


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_strided_views(backend, dtype, layout, option, assert_close):
    check(backend, Case(5, 13, 7, 34, dtype, "holes", layout, **option), assert_close)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (2, 1, 3, 50), (10, 32, 1, 50), (31, 2, 2, 65), (130, 2, 1, 5)], ids=str
)
def test_sizes(backend, dtype, shape, assert_close):
    check(backend, Case(*shape, dtype, resets=True, dropout=0.4), assert_close)
    check(backend, Case(*shape, dtype, recurrent_activation="hard_sigmoid", zero_output=True), assert_close)


def test_gradients_are_those_of_differences(backend, option_case):
    case = option_case
    gradients = Run(backend, case).both()
    n = case.numbers

    def objective():
        results = Run(backend, case).forward()
        return sum((results[name] * n[f"d{name}"]).sum() for name in "yhc")

    names = {"dW": "W", "dU": "U", "db": "b", "dx": "x", "dh0": "h0", "dc0": "c0"}
    for gradient, name in names.items():
        assert_gradient(gradients[gradient], objective, n[name], f"{name} of {case}")


@pytest.fixture(params=[*OPTIONS, {"activation": "linear", "recurrent_activation": "relu"}], ids=str)
def option_case(request):
    """A small case of an option, with holes."""
    return Case(4, 3, 2, 5, "float64", "holes", **request.param)


@pytest.mark.parametrize("mask_kind", [None, "holes"])
def test_options_that_change_nothing_leave_the_bits(backend, dtype, mask_kind):
    """So the general kernels compute what the plain ones do."""
    plain = Run(backend, Case(7, 13, 5, 34, dtype, mask_kind))
    case = Case(7, 13, 5, 34, dtype, mask_kind, resets=True, dropout=0.4)
    case.reset[:], case.recurrent_dropout[:] = False, 1
    general = Run(backend, case)
    assert_same(plain.both(), general.both())
    assert general.trace.kernel_path == f"{plain.trace.kernel_path}, general"


@pytest.mark.parametrize("mask_kind", [None, "holes"])
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_inference_has_the_bits_of_training(backend, dtype, mask_kind, option):
    case = Case(7, 13, 5, 34, dtype, mask_kind, **option)
    assert_same(Run(backend, case, training=False).forward(), Run(backend, case, training=True).forward())


def test_a_reset_begins_another_sequence(backend, dtype):
    """Forward to the bit, and no gradient crosses it."""
    whole = Case(7, 3, 2, 17, dtype, resets=True)
    whole.reset[:] = False
    whole.reset[4] = True
    whole.numbers["dy"][4:] = 0
    parts = [replace(whole, T=4, resets=False), replace(whole, T=3, resets=False, state=False)]
    for part, steps in zip(parts, (slice(0, 4), slice(4, 7)), strict=True):
        part.numbers.update({name: values for name, values in whole.numbers.items() if name not in ("x", "dy")})
        part.numbers.update({name: whole.numbers[name][steps] for name in ("x", "dy")})
    parts[0].numbers["dh"], parts[0].numbers["dc"] = (np.zeros((3, 17), dtype) for _ in range(2))
    results, first, second = (Run(backend, case).both() for case in (whole, *parts))
    np.testing.assert_array_equal(results["y"], np.concatenate([first["y"], second["y"]]))
    np.testing.assert_array_equal(results["c"], second["c"])
    for name in ("dh0", "dc0"):
        np.testing.assert_array_equal(results[name], first[name])
    np.testing.assert_array_equal(results["dx"], np.concatenate([first["dx"], second["dx"]]))


@pytest.mark.parametrize("junk", [np.nan, np.inf])
@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_a_masked_step_is_never_read(backend, dtype, junk, option):
    clean, dirty = (Case(7, 5, 3, 34, dtype, "holes", **option) for _ in range(2))
    clean.numbers["x"][~clean.mask] = 0
    dirty.numbers["x"][~dirty.mask] = junk
    assert_same(Run(backend, clean).both(), Run(backend, dirty).both())


@pytest.mark.parametrize("kinds", [("tanh", "sigmoid"), ("relu", "hard_sigmoid"), ("linear", "relu")], ids=str)
def test_nan_stays_in_its_row(backend, dtype, kinds):
    sizes = {"activation": kinds[0], "recurrent_activation": kinds[1], "dropout": 0.2}
    case, clean = Case(5, 34, 3, 17, dtype, **sizes), Case(5, 34, 3, 17, dtype, **sizes)
    bad = 13
    case.numbers["x"][2, bad, 1] = np.nan
    results, expected = Run(backend, case).both(), Run(backend, clean).both()
    others = np.arange(case.B) != bad
    for name in ("y", "dx"):
        np.testing.assert_array_equal(results[name][:, others], expected[name][:, others])
    assert np.isnan(results["y"][2:, bad]).all()
    np.testing.assert_array_equal(results["y"][:2, bad], expected["y"][:2, bad])


@pytest.mark.parametrize("shape", [(10, 65, 34, 85), (3, 1, 40, 400), (3, 3, 40, 400)], ids=str)
def test_the_number_of_threads_changes_nothing(backend, dtype, shape, assert_close):
    numba = pytest.importorskip("numba")
    case = Case(*shape, dtype, "holes", resets=True, dropout=0.4, recurrent_activation="hard_sigmoid")
    available = numba.get_num_threads()
    results = []
    try:
        for threads in {1, numba.config.NUMBA_NUM_THREADS}:
            numba.set_num_threads(threads)
            results.append(Run(backend, case).both())
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        assert_same(results[0], other)
    compare(results[0], case, assert_close)


def test_a_trace_serves_again(backend, dtype):
    first = Case(5, 13, 3, 17, dtype, "holes", resets=True, dropout=0.4)
    run, fresh = Run(backend, first), Run(backend, first)
    run.both()
    fresh.case = run.case = replace(first, mask_kind=None, resets=False, dropout=0, state=False, seed=1)
    assert_same(run.both(), fresh.both())


@pytest.mark.parametrize("option", [{}, *OPTIONS], ids=str)
def test_the_gates_of_every_step(backend, dtype, option, assert_close):
    case = Case(5, 3, 2, 17, dtype, "holes", **option)
    run = Run(backend, case)
    run.forward()
    gates = backend.lstm_gates(run.trace)
    before = run.backward()
    for name, values in zip("ifgoch", gates, strict=True):
        assert_close(backend.to_host(values), getattr(case.traced, name), dtype, 20 * 5, what=name)
    # They are copies: asking for them changes nothing.
    assert_same(before, Run(backend, case).both())


@pytest.mark.parametrize("kinds", [("tanh", "sigmoid"), ("relu", "hard_sigmoid"), ("sigmoid", "tanh")], ids=str)
def test_steps_by_turns_have_the_bits_of_the_whole(backend, dtype, kinds):
    case = Case(5, 3, 2, 17, dtype, state=False, activation=kinds[0], recurrent_activation=kinds[1])
    whole, run = Run(backend, case).forward(), Run(backend, replace(case, T=1), training=False)
    for array, name in zip((run.weights.kernel, run.weights.recurrent_kernel, run.weights.bias), "WUb", strict=True):
        backend.copy(array, case.numbers[name])
    x, y = backend.zeros((3, 2), dtype), backend.zeros((3, 17), dtype)
    even, odd = backend.bind_lstm_step(run.cell, run.weights, x, run.trace, y)
    for t in range(5):
        backend.copy(x, case.numbers["x"][t])
        (odd if t % 2 else even)()
        np.testing.assert_array_equal(backend.to_host(y), whole["y"][t])


@pytest.mark.parametrize("option", [{}, *OPTIONS], ids=str)
def test_the_plan_is_what_runs(backend, option):
    case = Case(3, 5, 2, 17, "float32", **option)
    run = Run(backend, case)
    run.forward()
    plan = backend.lstm_plan(run.cell, (3, 5), True, general=run.inputs.general)
    assert plan.kernel_path == run.trace.kernel_path
    assert plan.kernel_path.endswith("general") == case.general


def test_inputs_say_whether_they_are_general():
    assert not RecurrentInputs(x=None, mask=1, state=1).general
    assert RecurrentInputs(x=None, reset=1).general
    assert RecurrentInputs(x=None, recurrent_dropout=1).general
