"""The kernels of layer normalization of every backend against the oracle."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import reference_attention as reference

from numlstm.kernels import NormalizationGradients, NormalizationWeights

SHAPES = [(1, 1), (3, 2), (7, 16), (5, 17), (13, 31), (2, 130), (65, 5)]
EPSILON = 1e-3


def numbers(shape, dtype):
    random = np.random.default_rng(shape)
    x, dy = (3 + 2 * random.normal(size=shape)).astype(dtype), random.normal(size=shape).astype(dtype)
    return x, dy, *random.normal(size=(2, shape[1])).astype(dtype)


def forward(backend, x, gamma, beta, dtype):
    """(y, statistics) of the backend."""
    y, statistics = (backend.asarray(np.full(s, np.nan), dtype) for s in (x.shape, (len(x), 2)))
    weights = NormalizationWeights(*(None if each is None else backend.asarray(each, dtype) for each in (gamma, beta)))
    backend.normalize_rows(backend.asarray(np.ascontiguousarray(x), dtype), weights, EPSILON, statistics, y)
    return y, statistics, weights


@pytest.mark.parametrize("given", ["", "gamma", "beta", "gamma beta"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(backend, dtype, shape, given, assert_close):
    x, dy, gamma, beta = numbers(shape, dtype)
    gamma, beta = gamma if "gamma" in given else None, beta if "beta" in given else None
    y, statistics, weights = forward(backend, x, gamma, beta, dtype)
    assert_close(backend.to_host(y), reference.normalize(x, gamma, beta, EPSILON), dtype, shape[1], 16, "y")
    wanted = [(gamma, (shape[1],)), (beta, (shape[1],)), (x, shape)]
    empty = [None if each is None else backend.asarray(np.full(s, np.nan), dtype) for each, s in wanted]
    gradients = NormalizationGradients(*empty)
    arrays = backend.asarray(x, dtype), weights, statistics, backend.asarray(dy, dtype)
    backend.normalize_rows_backward(*arrays, gradients)
    dgamma, dbeta, dx = reference.normalize_backward(x, gamma, EPSILON, dy)
    assert_close(backend.to_host(gradients.x), dx, dtype, shape[1], 16, "dx")
    for name, expected in (("gamma", dgamma), ("beta", dbeta)):
        if name in given:
            assert_close(backend.to_host(getattr(gradients, name)), expected, dtype, shape[0], 16, f"d{name}")


def test_dx_may_be_unwanted(backend, dtype, assert_close):
    x, dy, gamma, _ = numbers((7, 5), dtype)
    _, statistics, weights = forward(backend, x, gamma, None, dtype)
    gradients = NormalizationGradients(backend.empty((5,), dtype), None, None)
    backend.normalize_rows_backward(
        backend.asarray(x, dtype), weights, statistics, backend.asarray(dy, dtype), gradients
    )
    assert_close(backend.to_host(gradients.gamma), reference.normalize_backward(x, gamma, EPSILON, dy)[0], dtype, 7, 16)


def test_no_rows_give_no_gradient(backend, dtype):
    x, dy, gamma, beta = numbers((0, 5), dtype)
    _, statistics, weights = forward(backend, x, gamma, beta, dtype)
    empty = [backend.asarray(np.full(s, np.nan), dtype) for s in (5, 5, (0, 5))]
    gradients = NormalizationGradients(*empty)
    backend.normalize_rows_backward(
        backend.asarray(x, dtype), weights, statistics, backend.asarray(dy, dtype), gradients
    )
    for gradient in (gradients.gamma, gradients.beta):
        np.testing.assert_array_equal(backend.to_host(gradient), np.zeros(5))


def test_a_row_has_the_same_bits_in_every_batch_and_nan_stays_in_it(backend, dtype):
    x, _, gamma, beta = numbers((33, 37), dtype)
    whole = backend.to_host(forward(backend, x, gamma, beta, dtype)[0]).copy()
    for start, stop in [(0, 1), (7, 8), (32, 33), (3, 20)]:
        part = forward(backend, x[start:stop], gamma, beta, dtype)[0]
        np.testing.assert_array_equal(backend.to_host(part), whole[start:stop])
    x[2, 5] = np.nan
    y = backend.to_host(forward(backend, x, gamma, beta, dtype)[0])
    assert np.isnan(y[2]).all()
    np.testing.assert_array_equal(np.delete(y, 2, axis=0), np.delete(whole, 2, axis=0))


def test_the_number_of_threads_changes_nothing(backend, dtype):
    x, dy, gamma, beta = numbers((3001, 67), dtype)
    available, results = numba.get_num_threads(), []
    try:
        for threads in {1, available}:
            numba.set_num_threads(threads)
            y, statistics, weights = forward(backend, x, gamma, beta, dtype)
            arrays = [backend.empty(shape, dtype) for shape in ((67,), (67,), x.shape)]
            on = backend.asarray(x, dtype), weights, statistics, backend.asarray(dy, dtype)
            backend.normalize_rows_backward(*on, NormalizationGradients(*arrays))
            results.append([backend.to_host(array).copy() for array in (y, *arrays)])
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(a, b)
