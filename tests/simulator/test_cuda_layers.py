"""The library's layers on CUDA: the bodies of the other backends' tests and small stacks, against the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import test_elementwise_kernels
from test_cuda_twin import everything_on
from test_random_stacks import run, stack

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm import Sequential
from numlstm.layers import GRU, LSTM, Activation, Dense, Embedding, LayerNormalization, SimpleRNN


@pytest.fixture
def backend():
    return cuda


def test_add_and_multiply(backend, dtype):
    test_elementwise_kernels.test_add_and_multiply(backend, dtype, (3, 2, 5), 0.5)


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 5)], ids=str)
def test_add(backend, dtype, shape, strided):
    test_elementwise_kernels.test_add(backend, dtype, shape, strided)


def test_scale_each(backend, dtype):
    for shape in [(7,), (3, 5), (2, 3, 5)]:
        test_elementwise_kernels.test_scale_each(backend, dtype, shape)


@pytest.mark.parametrize("function", ["multiply", "maximum", "minimum"])
@pytest.mark.parametrize("masks", test_elementwise_kernels.MASKS, ids=str)
def test_merge(backend, masks, function):
    test_elementwise_kernels.test_merge(backend, "float32", (7, 5), masks, function)


def test_equal_extremes_and_masks(backend, dtype):
    for masked in (False, True):
        test_elementwise_kernels.test_equal_extremes_share_the_gradient(backend, dtype, (7, 5), masked)
    for columns in (1, 5):
        test_elementwise_kernels.test_either(backend, columns)


def test_select(backend, dtype):
    for in_place in (False, True):
        test_elementwise_kernels.test_select(backend, dtype, (7, 5), in_place)


def test_repeat_and_its_way_back(backend, dtype, assert_close):
    test_elementwise_kernels.test_repeat_and_its_way_back(backend, dtype, 3, 4, 5, assert_close)


@pytest.mark.parametrize("seed", range(12))
def test_random_stacks_agree_with_the_cpu(seed):
    results, weights = [], None
    for backend in (cpu, cuda):
        with everything_on(backend):
            model, x, random = stack(seed)
        if weights is None:
            weights = model.get_weights()
        model.set_weights(weights)
        dy = random.normal(size=model.compute_output_shape(x.shape))
        y, dx, gradients = run(model, x, dy)
        results.append([y, *gradients] + ([] if dx is None else [dx]))
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10 * max(1, np.abs(expected).max(initial=0)))


def test_the_gradient_of_an_output_by_the_input_is_that_of_the_cpu():
    x, weights, results = np.random.default_rng(0).normal(size=(3, 2, 2)), None, []
    for device in ("cpu", "cuda"):
        model = Sequential([LSTM(3, dtype="float64", input_shape=(2, 2)), Dense(2, dtype="float64")])
        model.compile("sgd", "mse", device=device, verbose=0)
        weights = weights or model.get_weights()
        model.set_weights(weights)
        results.append([model.backend_name, model.input_gradient(x, index=1, batch_size=2)])
    assert [name for name, _ in results] == ["cpu", "cuda"]
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=0, atol=1e-12)
    assert np.abs(results[0][1]).max() > 1e-3


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [LSTM(5, return_sequences=True, input_shape=(7, 3)), LSTM(3, return_sequences=True), Dense(2)],
        lambda: [LSTM(3, activation="relu", return_sequences=True, input_shape=(7, 3)), LayerNormalization()],
        lambda: [GRU(3, reset_after=False, return_sequences=True, input_shape=(7, 3)), Activation("tanh")],
        lambda: [Embedding(9, 4, input_length=7), SimpleRNN(3, return_sequences=True)],
    ],
    ids=["lstm", "with options", "gru", "embedding"],
)
def test_a_stream_that_is_recorded_gives_the_numbers_of_the_whole_pass(layers):
    """From the third step on recorded calls are repeated, and again after a reset."""
    model = Sequential(layers())
    model.compile(device="cuda", verbose=0)
    random = np.random.default_rng(0)
    ids = isinstance(model.layers[0], Embedding)
    x = random.integers(0, 9, (2, 7)) if ids else random.normal(size=(2, 7, 3)).astype("float32")
    expected, stream = model.predict(x, verbose=0), model.stream(batch=2)
    for _ in range(2):
        y = np.stack([stream.push(x[:, t]) for t in range(7)], axis=1)
        np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)
        stream.reset()
