"""The CUDA twin's products, memory and training, at sizes that numba's simulator can bear."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import test_dense_kernels
from recurrent_case import Case, Run

import numlstm
import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm import Sequential
from numlstm.backend import Choice
from numlstm.kernels import DenseWeights, Version
from numlstm.kernels.cuda.runtime.device import SIMULATED, GPUError
from numlstm.kernels.cuda.runtime.memory import transfers
from numlstm.layers import LSTM, Dense

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")


@pytest.fixture
def backend():
    return cuda


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
    run = Run(cuda, Case("lstm", 2, 1, 1, 2, "float32"))
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
