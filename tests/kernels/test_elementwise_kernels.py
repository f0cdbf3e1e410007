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


@pytest.mark.parametrize("shape", [(1,), (5, 7), (3, 2, 17), (0, 3)], ids=str)
def test_copy_and_clear(backend, dtype, shape):
    x, y = draw(shape, dtype), np.full(shape, np.nan, dtype)
    given = backend.asarray(x, dtype)
    np.testing.assert_array_equal(result(backend, lambda y: backend.copy_each(given, y), y), x)
    np.testing.assert_array_equal(result(backend, backend.clear, y), np.zeros(shape, dtype))


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


@pytest.mark.parametrize("shape", [(1,), (5, 7), (3, 2, 17)], ids=str)
def test_scale_each(backend, dtype, shape):
    """From a view to a view, in place too."""
    wide = (*shape[:-1], shape[-1] + 5)
    a, b, part = draw(wide, dtype), draw(wide, dtype, 1), (..., slice(2, 2 + shape[-1]))
    on = [backend.asarray(array.copy(), dtype) for array in (a, b)]
    for source, target in ((0, 1), (0, 0)):
        backend.scale_each(on[source][part], -0.3, on[target][part])
        (a, b)[target][part] = np.asarray(-0.3, dtype) * (a, b)[source][part]
        np.testing.assert_array_equal(backend.to_host(on[target]), (a, b)[target])


MASKS = [(False, False), (True, False), (False, True), (True, True)]


def some(rows, seed, wanted=True):
    """A mask, or None."""
    return np.random.default_rng(seed).random(rows) < 0.5 if wanted else None


def column(mask, rows):
    return np.ones((rows, 1), bool) if mask is None else mask[:, None]


@pytest.mark.parametrize("function", ["multiply", "maximum", "minimum"])
@pytest.mark.parametrize("masks", MASKS, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (17, 5), (13, 17)], ids=str)
def test_merge(backend, dtype, shape, masks, function):
    y, x = draw(shape, dtype), draw(shape, dtype, 1)
    y[-1, 0] = x[0, -1] = np.nan
    counted, mask = (some(shape[0], seed, wanted) for seed, wanted in enumerate(masks))
    on = [None if each is None else backend.asarray(each, "bool") for each in (counted, mask)]
    actual = result(backend, lambda target: backend.merge(target, backend.asarray(x, dtype), *on, function), y.copy())
    first, second = column(counted, shape[0]), column(mask, shape[0])
    expected = np.where(first & second, getattr(np, function)(y, x), np.where(second, x, y))
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (17, 5)], ids=str)
def test_equal_extremes_share_the_gradient(backend, dtype, shape, masked):
    inputs = [np.round(draw(shape, dtype, seed)) for seed in range(3)]
    masks = [some(shape[0], seed, masked) for seed in range(3)]
    y, dy = np.maximum.reduce(inputs), draw(shape, dtype, 3)
    on = [backend.asarray(each, dtype) for each in (*inputs, y, dy)]
    masks_on = [None if mask is None else backend.asarray(mask, "bool") for mask in masks]
    count = backend.asarray(np.full(shape, np.nan), dtype)
    for number, (x, mask) in enumerate(zip(on, masks_on, strict=False)):
        backend.count_equal(x, on[3], mask, count, number > 0)
    equal = [(x == y) & column(mask, shape[0]) for x, mask in zip(inputs, masks, strict=True)]
    total = np.sum(equal, axis=0).astype(dtype)
    np.testing.assert_array_equal(backend.to_host(count), total)
    for x, mask, there in zip(on, masks_on, equal, strict=False):
        empty = np.full(shape, np.nan, dtype)
        dx = result(backend, backend.share_equal, empty, on[4], count, x, on[3], mask)
        np.testing.assert_array_equal(dx, np.where(there, dy / np.maximum(total, 1), 0))


@pytest.mark.parametrize("columns", [1, 5])
def test_either(backend, columns):
    """One column may stand for all, and y may be a view."""
    a, b = np.random.default_rng(0).random((7, 5)) < 0.5, np.random.default_rng(1).random((7, columns)) < 0.5
    y = backend.asarray(np.zeros((7, 8), bool), "bool")
    backend.either(backend.asarray(a, "bool"), backend.asarray(b, "bool"), y[:, 2:7])
    expected = np.zeros((7, 8), bool)
    expected[:, 2:7] = a | b
    np.testing.assert_array_equal(backend.to_host(y), expected)
