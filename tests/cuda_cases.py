"""The CUDA twin against the oracle and against the CPU, at sizes that numba's simulator can bear.

Pytest does not collect this file by itself: `test_cuda_simulator.py` runs it in a process of its own, where
NUMBA_ENABLE_CUDASIM is set. Where there is a GPU, `pytest tests/cuda_cases.py` runs it on that.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import test_dense_kernels
from lstm_case import LAYOUTS, MASKS, Case, Run
from test_lstm_kernels import assert_same, compare

import numlstm
import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm import Sequential
from numlstm.backend import Choice
from numlstm.kernels import DenseWeights, Version
from numlstm.kernels.cuda.recurrence import masking as recurrent
from numlstm.kernels.cuda.recurrence import persistent as recurrence
from numlstm.kernels.cuda.runtime.device import SIMULATED, GPUError
from numlstm.kernels.cuda.runtime.memory import transfers
from numlstm.layers import LSTM, Dense

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")


@pytest.fixture
def backend():
    return cuda


@pytest.fixture(params=["persistent", "step by step"])
def path(request, monkeypatch):
    """One path of the LSTM after the other, for the same sizes."""
    if request.param == "step by step":
        monkeypatch.setattr(recurrence, "MOST_UNITS", {"float32": 0, "float64": 0})
    return request.param


@pytest.fixture
def check(path, assert_close):
    """Runs a case on a path and compares everything with the oracle."""

    def check(case):
        run = Run(cuda, case)
        compare(run.both(), case, assert_close)
        assert run.trace.kernel_path.startswith(path)

    return check


# LSTM


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 2, 2, 3), (2, 6, 3, 9), (4, 3, 9, 5), (2, 1, 1, 17)], ids=str)
def test_agrees_with_the_oracle(check, dtype, shape):
    check(Case(*shape, dtype))


@pytest.mark.parametrize("mask_kind", MASKS)
def test_masks(check, mask_kind):
    check(Case(4, 5, 2, 3, "float32", mask_kind))
    check(Case(4, 5, 2, 3, "float64", mask_kind, last_only=True))


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_strided_views(check, layout):
    check(Case(3, 2, 2, 3, "float32", "holes", layout))
    check(Case(3, 2, 2, 3, "float32", None, layout, last_only=True))


@pytest.mark.parametrize(
    "option",
    [
        {"bias": False, "need_dx": False},
        {"state": False, "state_gradients": (False, False)},
        {"state_gradients": (True, False)},
        {"state_gradients": (False, True), "last_only": True},
    ],
    ids=str,
)
def test_options(check, option):
    check(Case(3, 2, 2, 3, "float32", "left", **option))


def test_weights_beyond_the_registers(monkeypatch, assert_close):
    """What more units than can be simulated need: here the registers are said to be few."""
    monkeypatch.setattr(recurrence, "_KEPT_FORWARD", {12: 8})
    monkeypatch.setattr(recurrence, "_KEPT_BACKWARD", {40: 24})
    monkeypatch.setattr(recurrence.forward, "_kernels", {})
    monkeypatch.setattr(recurrence.backward, "_kernels", {})
    case = Case(2, 1, 1, 35, "float32")
    compare(Run(cuda, case).both(), case, assert_close)


@pytest.mark.parametrize("last_only", [False, True])
def test_inference_has_the_bits_of_training(path, last_only, monkeypatch):
    """The gates of inference have room for a few steps only."""
    monkeypatch.setattr(recurrent, "WORKSPACE", 1000)
    case = Case(11, 4, 3, 5, "float32", "holes", last_only=last_only)
    inference = Run(cuda, case, training=False)
    assert len(inference.trace.gates) < 11
    assert_same(inference.forward(), Run(cuda, case).forward())


def test_a_trace_serves_again(path):
    first = Case(3, 3, 2, 3, "float32", "holes")
    run, fresh = Run(cuda, first), Run(cuda, first)
    run.both()
    fresh.case = run.case = replace(first, mask_kind=None, state=False, seed=1)
    assert_same(run.both(), fresh.both())


def test_a_masked_step_is_never_read(path):
    clean, dirty = Case(4, 3, 2, 3, "float32", "holes"), Case(4, 3, 2, 3, "float32", "holes")
    clean.numbers["x"][~clean.mask] = 0
    dirty.numbers["x"][~dirty.mask] = np.nan
    results = Run(cuda, dirty).both()
    assert_same(Run(cuda, clean).both(), results)
    assert (results["dx"][~dirty.mask] == 0).all()


def test_a_row_has_the_same_bits_in_every_batch(path):
    """Of one row, of two and of four in a block."""
    whole = Case(3, 7, 2, 3, "float32")
    results = Run(cuda, whole).both()
    for rows in ([2], [3, 6], [4, 5, 6, 0]):
        part = Case(3, len(rows), 2, 3, "float32")
        part.numbers.update({name: whole.numbers[name] for name in "WUb"})
        for name in ("x", "dy"):
            part.numbers[name] = whole.numbers[name][:, rows]
        for name in ("h0", "c0", "dh", "dc"):
            part.numbers[name] = whole.numbers[name][rows]
        alone = Run(cuda, part).both()
        for name in ("y", "dx"):
            np.testing.assert_array_equal(alone[name], results[name][:, rows])
        for name in ("h", "c", "dh0", "dc0"):
            np.testing.assert_array_equal(alone[name], results[name][rows])


def test_nan_stays_in_its_row(path):
    case, clean = Case(3, 5, 2, 3, "float32"), Case(3, 5, 2, 3, "float32")
    case.numbers["x"][1, 2, 0] = np.nan
    results, expected = Run(cuda, case).both(), Run(cuda, clean).both()
    others = np.arange(5) != 2
    for name in ("y", "dx"):
        np.testing.assert_array_equal(results[name][:, others], expected[name][:, others])
    assert np.isnan(results["y"][1:, 2]).all()


@pytest.mark.parametrize("scale", [1e4, 1e37])
def test_huge_inputs_saturate(path, dtype, scale, assert_close):
    case = Case(3, 2, 2, 3, dtype)
    for name, values in case.numbers.items():
        case.numbers[name] = np.clip(values, -1, 1).astype(dtype)
    case.numbers["x"] = (np.sign(case.numbers["x"]) * scale).astype(dtype)
    results = Run(cuda, case).both()
    assert all(np.isfinite(a).all() for name, a in results.items() if name != "dW")
    compare({name: results[name] for name in ("y", "h", "c")}, case, assert_close)


def test_two_runs_have_the_same_bits(path):
    case = Case(5, 7, 3, 5, "float32", "holes")
    assert_same(Run(cuda, case).both(), Run(cuda, case).both())


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 5e-6), ("float64", 1e-10)])
def test_agrees_with_the_cpu(path, dtype, bound):
    case = Case(4, 5, 3, 7, dtype, "holes")
    ours, theirs = Run(cuda, case).both(), Run(cpu, case).both()
    for name, expected in theirs.items():
        assert np.abs(ours[name] - expected).max() <= bound * max(1, np.abs(expected).max()), name


def test_steps_by_turns_have_the_bits_of_the_whole(path):
    case = Case(5, 3, 2, 3, "float32", state=False)
    whole, run = Run(cuda, case).forward(), Run(cuda, replace(case, T=1), training=False)
    for array, name in zip((run.weights.kernel, run.weights.recurrent_kernel, run.weights.bias), "WUb", strict=True):
        cuda.copy(array, case.numbers[name])
    x, y = cuda.zeros((3, 2), "float32"), cuda.zeros((3, 3), "float32")
    even, odd = cuda.bind_lstm_step(run.cell, run.weights, x, run.trace, y)
    for t in range(5):
        cuda.copy(x, case.numbers["x"][t])
        (odd if t % 2 else even)()
        np.testing.assert_array_equal(cuda.to_host(y), whole["y"][t])


def test_the_plan_is_what_runs(path):
    for B, training in ((1, True), (3, False), (9, True)):
        run = Run(cuda, Case(3, B, 2, 3, "float32"), training)
        run.forward()
        plan = cuda.lstm_plan(run.cell, (3, B), training)
        assert plan.kernel_path == run.trace.kernel_path
        arrays = (run.trace.gates, run.trace.states, run.trace.x, run.trace.carried)
        assert plan.nbytes == sum(array.nbytes for array in arrays if array is not None)


# Dense: the bodies of the other backends' tests


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 7), (7, 9, 3), (70, 3, 2)], ids=str)
def test_dense(backend, dtype, shape, strided, assert_close):
    test_dense_kernels.test_agrees_with_the_oracle(backend, dtype, shape, not strided, strided, assert_close)


def test_everything_can_be_made_ready():
    told = []
    cuda.on_compile(lambda name, begins: told.append(name))
    try:
        cuda.prepare(cuda.preparable(), "float32")
    finally:
        cuda.on_compile(None)
    assert not SIMULATED or not told


# Memory


def test_views_have_numpys_geometry():
    host = np.arange(24, dtype="float32").reshape(2, 3, 4)
    array = cuda.asarray(host, "float32")
    for look in (
        lambda a: a.transpose(1, 0, 2),
        lambda a: a[::-1],
        lambda a: a[1],
        lambda a: a[:, 1:, 2:3],
        lambda a: a[..., 1],
        lambda a: a.T,
        lambda a: a.reshape(6, 4),
        lambda a: a.reshape((4, 6))[::-2, 1:],
    ):
        np.testing.assert_array_equal(cuda.to_host(look(array)), look(host), strict=True)
    cuda.copy(array[::-1].transpose(1, 0, 2), host.transpose(1, 0, 2))
    np.testing.assert_array_equal(cuda.to_host(array), host[::-1])
    with pytest.raises(ValueError, match="not contiguous"):
        array.T.reshape(24)
    with pytest.raises(TypeError, match="integers and slices"):
        array[[0, 1]]
    with pytest.raises(TypeError, match="to_host"):
        np.asarray(array)


def test_the_host_may_write_to_what_was_copied():
    """A GPU that still reads it, behind the work before, would see that."""
    side, host = (4, 8) if SIMULATED else (2048, 2**20)
    busy = [cuda.zeros((side, side), "float32") for _ in range(2)]
    weights = DenseWeights(busy[0], None, Version())
    for _ in range(1 if SIMULATED else 20):
        cuda.dense_forward(weights, busy[0], busy[1])
    values = np.arange(host, dtype="float32")
    array = cuda.asarray(values, "float32")
    values[:] = -1
    np.testing.assert_array_equal(cuda.to_host(array), np.arange(host))


def test_what_is_on_the_gpu_is_not_copied():
    array = cuda.zeros((3, 2), "float32")
    before = replace(transfers)
    assert cuda.asarray(array, "float32") is array
    cuda.copy(cuda.empty((2, 3), "float32").T, array)
    assert transfers == before


@pytest.mark.skipif(not SIMULATED, reason="on a GPU it would cost the process its context")
def test_a_kernel_that_fails_is_a_gpu_error(monkeypatch):
    run = Run(cuda, Case(2, 1, 1, 2, "float32"))
    monkeypatch.setattr(run.weights.recurrent_kernel, "geometry", np.zeros(1, "float32"))
    with pytest.raises(GPUError, match="element"):
        run.forward()


# Training


@contextlib.contextmanager
def everything_on(backend):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numlstm.backend.choose", lambda device="auto", work=0.0: Choice(backend, "", "it is the test's"))
        yield


def train(backend, dtype="float32"):
    """Ten steps of a small model: its losses and weights."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(24, 4, 2)), random.normal(size=(24, 1))
    with everything_on(backend):
        numlstm.set_seed(3)
        model = Sequential([LSTM(5, return_sequences=True, input_shape=(4, 2), dtype=dtype), LSTM(3, dtype=dtype)])
        model.add(Dense(1, dtype=dtype))
        model.compile(optimizer=numlstm.optimizers.Adam(global_clipnorm=1.0), loss="mse")
        history = model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    assert model.backend is backend
    return np.array(history.history["loss"]), model.get_weights()


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("float64", 1e-10)])
def test_ten_training_steps_agree_with_the_cpu(dtype, bound):
    (losses, weights), (expected, expected_weights) = train(cuda, dtype), train(cpu, dtype)
    np.testing.assert_allclose(losses, expected, rtol=bound)
    for ours, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=10 * bound)


def test_only_inputs_go_up_and_a_loss_comes_down():
    with everything_on(cuda):
        model = Sequential([LSTM(3, input_shape=(2, 1)), Dense(1)])
        model.compile(optimizer="adam", loss="mse")
        x, y = np.zeros((12, 2, 1)), np.zeros(12)
        model.fit(x, y, batch_size=3, verbose=0)
        before = replace(transfers)
        model.fit(x, y, batch_size=3, epochs=2, verbose=0)
    batches, epochs = 8, 2
    # Each batch in one copy; what else goes up or comes down does so once an epoch.
    assert batches <= transfers.uploads - before.uploads <= batches + 2 * epochs
    assert epochs <= transfers.downloads - before.downloads <= 2 * epochs
