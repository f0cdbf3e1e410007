"""Sums, products and copies of every backend: exact, so NumPy itself is the oracle."""

from __future__ import annotations

import numpy as np
import pytest


def draw(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def result(backend, function, y, *arguments):
    """What a function writes to `y`, the last of its arguments."""
    y = backend.asarray(y, str(y.dtype))
    function(*arguments, y)
    return backend.to_host(y).copy()


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("shape", [(1,), (5, 7), (3, 2, 17)], ids=str)
def test_add_and_multiply(backend, dtype, shape, scale):
    a, b = draw(shape, dtype), draw(shape, dtype, 1)
    on = [backend.asarray(array.copy(), dtype) for array in (a, b)]
    empty = np.full(shape, np.nan, dtype)
    actual = result(backend, lambda y: backend.add_each(*on, scale, y), empty)
    np.testing.assert_array_equal(actual, np.asarray(scale, dtype) * (a + b))
    np.testing.assert_array_equal(result(backend, lambda y: backend.multiply_each(*on, y), empty), a * b)
    # In place, and with itself.
    backend.multiply_each(*on, on[1])
    backend.add_each(on[0], on[0], scale, on[0])
    np.testing.assert_array_equal(backend.to_host(on[0]), np.asarray(scale, dtype) * (a + a))
    np.testing.assert_array_equal(backend.to_host(on[1]), a * b)


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("shape", [(1,), (17,), (5, 7), (3, 2, 17)], ids=str)
def test_add(backend, dtype, shape, strided):
    """Views keep what lies around them. An array may be added to itself."""
    wide = (*shape[:-1], shape[-1] + 5)
    a, b = draw(wide, dtype), draw(wide, dtype, 1)
    part = (..., slice(2, 2 + shape[-1])) if strided else (..., slice(shape[-1]))
    if not strided:
        a, b = a[part].copy(), b[part].copy()
    on = [backend.asarray(array.copy(), dtype) for array in (a, b)]
    backend.add(on[0][part], on[1][part])
    a[part] += b[part]
    np.testing.assert_array_equal(backend.to_host(on[0]), a)
    backend.add(on[0][part], on[0][part])
    a[part] += a[part]
    np.testing.assert_array_equal(backend.to_host(on[0]), a)
    np.testing.assert_array_equal(backend.to_host(on[1]), b)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (13, 17)], ids=str)
def test_select(backend, dtype, shape, in_place):
    x, mask = draw(shape, dtype), np.random.default_rng(2).random(shape[0]) < 0.6
    x[~mask] = np.nan
    given = backend.asarray(x.copy(), dtype)
    y = given if in_place else backend.asarray(np.full(shape, np.nan, dtype), dtype)
    backend.select(given, backend.asarray(mask, "bool"), y)
    np.testing.assert_array_equal(backend.to_host(y), np.where(mask[:, None], x, 0))


@pytest.mark.parametrize(("rows", "times", "columns"), [(1, 1, 1), (3, 4, 5), (2, 7, 1), (5, 2, 17)])
def test_repeat_and_its_way_back(backend, dtype, rows, times, columns, assert_close):
    x = draw((rows, columns), dtype)
    y = result(backend, backend.repeat, np.full((rows, times, columns), np.nan, dtype), backend.asarray(x, dtype))
    np.testing.assert_array_equal(y, np.repeat(x[:, None], times, axis=1))
    dy = draw(y.shape, dtype, 1)
    dy[0, 0, 0] = np.nan
    dx = result(backend, backend.sum_repeated, np.full(x.shape, np.inf, dtype), backend.asarray(dy, dtype))
    assert np.argwhere(np.isnan(dx)).tolist() == [[0, 0]]
    dx[0, 0], dy[0, :, 0] = 0, 0
    assert_close(dx, dy.sum(axis=1, dtype="float64"), dtype, times)
