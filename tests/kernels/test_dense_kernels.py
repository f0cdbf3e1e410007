"""The Dense kernels of every backend against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from numlstm.kernels import DenseGradients, DenseWeights, Version

# R, F, N
SHAPES = [
    (1, 1, 1),
    (1, 50, 1),
    (32, 50, 1),
    (3, 1, 7),
    (7, 5, 3),
    (13, 17, 16),
    (17, 34, 85),
    (65, 64, 31),
    (2, 130, 65),
    (500, 7, 5),
    (1, 85, 130),
]


def numbers(R, F, N, dtype):
    random = np.random.default_rng([R, F, N])
    shapes = {"K": (F, N), "b": (N,), "x": (R, F), "dy": (R, N)}
    return {name: random.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def weights_of(backend, n, bias=True):
    array = backend.asarray
    return DenseWeights(array(n["K"], str(n["K"].dtype)), array(n["b"], str(n["b"].dtype)) if bias else None, Version())


def wide(values, fill=np.nan):
    """A wider array that holds the values in its middle."""
    return np.pad(values, [(1, 1), (3, 2)], constant_values=fill)


def middle(array):
    return array[1:-1, 3:-2]


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(backend, dtype, shape, bias, strided, assert_close):
    R, F, N = shape
    n = numbers(R, F, N, dtype)
    weights = weights_of(backend, n, bias)
    spread, look = (wide, middle) if strided else (lambda a: a, lambda a: a)
    x, dy = (look(backend.asarray(spread(n[name]), dtype)) for name in ("x", "dy"))
    y, dx = (backend.asarray(spread(np.full(s, np.nan, dtype)), dtype) for s in ((R, N), (R, F)))
    gradients = DenseGradients(
        backend.asarray(np.full((F, N), np.nan), dtype),
        backend.asarray(np.full(N, np.nan), dtype) if bias else None,
        look(dx),
    )
    backend.dense_forward(weights, x, look(y))
    backend.dense_backward(weights, x, dy, gradients)

    dK, db, expected_dx = reference.dense_backward(n["K"], n["x"], n["dy"])
    y, dx = backend.to_host(y), backend.to_host(dx)
    assert_close(look(y), reference.dense_forward(n["K"], n["b"] if bias else None, n["x"]), dtype, F + 1, what="y")
    assert_close(look(dx), expected_dx, dtype, N, what="dx")
    assert_close(backend.to_host(gradients.kernel), dK, dtype, R, what="dK")
    if bias:
        assert_close(backend.to_host(gradients.bias), db, dtype, R, what="db")
    if strided:
        for array in (y, dx):
            middle(array)[...] = np.nan
            assert np.isnan(array).all(), "the kernel wrote outside of its view"


def test_dx_may_be_unwanted(backend, dtype, assert_close):
    n = numbers(13, 7, 5, dtype)
    gradients = DenseGradients(backend.empty((7, 5), dtype), backend.empty((5,), dtype), None)
    backend.dense_backward(
        weights_of(backend, n), backend.asarray(n["x"], dtype), backend.asarray(n["dy"], dtype), gradients
    )
    assert_close(backend.to_host(gradients.kernel), reference.dense_backward(n["K"], n["x"], n["dy"])[0], dtype, 13)


def forward(backend, weights, x, N, dtype):
    y = backend.empty((len(x), N), dtype)
    backend.dense_forward(weights, backend.asarray(np.ascontiguousarray(x), dtype), y)
    return backend.to_host(y).copy()


@pytest.mark.parametrize("shape", [(65, 50, 1), (65, 34, 17), (300, 85, 7)], ids=str)
def test_a_row_has_the_same_bits_in_every_batch(backend, dtype, shape):
    R, F, N = shape
    n = numbers(R, F, N, dtype)
    weights = weights_of(backend, n)
    whole = forward(backend, weights, n["x"], N, dtype)
    np.testing.assert_array_equal(forward(backend, weights, n["x"][::-1], N, dtype)[::-1], whole)
    for start, stop in [(0, 1), (7, 8), (R - 1, R), (3, 5), (1, 18), (0, 33)]:
        np.testing.assert_array_equal(forward(backend, weights, n["x"][start:stop], N, dtype), whole[start:stop])


def test_nan_stays_in_its_row(backend, dtype):
    n = numbers(17, 13, 7, dtype)
    weights = weights_of(backend, n)
    clean = forward(backend, weights, n["x"], 7, dtype)
    n["x"][5, 3] = np.nan
    dirty = forward(backend, weights, n["x"], 7, dtype)
    others = np.arange(17) != 5
    np.testing.assert_array_equal(dirty[others], clean[others])
    assert np.isnan(dirty[5]).all()


def test_changed_weights_are_packed_anew(backend, dtype, assert_close):
    n = numbers(5, 13, 7, dtype)
    weights = weights_of(backend, n)
    forward(backend, weights, n["x"], 7, dtype)
    changed = (n["K"] * 2 + 1).astype(dtype)
    backend.copy(weights.kernel, changed)
    weights.version.advance()
    expected = reference.dense_forward(changed, n["b"], n["x"])
    assert_close(forward(backend, weights, n["x"], 7, dtype), expected, dtype, 14)
    gradients = DenseGradients(backend.empty((13, 7), dtype), backend.empty((7,), dtype), backend.empty((5, 13), dtype))
    backend.dense_backward(weights, backend.asarray(n["x"], dtype), backend.asarray(n["dy"], dtype), gradients)
    assert_close(backend.to_host(gradients.x), reference.dense_backward(changed, n["x"], n["dy"])[2], dtype, 7)
