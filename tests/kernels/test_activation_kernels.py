"""The activations of every backend against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from numlstm.kernels import ACTIVATIONS

SIZES = [1, 15, 16, 17, 65, 130]
# R, N
SHAPES = [(1, 1), (3, 2), (7, 10), (5, 16), (13, 31), (2, 130), (65, 5)]


def activate(backend, x, activation, in_place=False):
    dtype = str(x.dtype)
    given = backend.asarray(x.copy(), dtype)
    y = given if in_place else backend.asarray(np.full_like(x, np.nan), dtype)
    backend.activate(given, y, activation)
    return backend.to_host(y).copy()


def backward(backend, name, y, dy, *options, over=None):
    """dx, left in a place of its own or over "y" or "dy"."""
    dtype = str(y.dtype)
    arrays = {"y": backend.asarray(y.copy(), dtype), "dy": backend.asarray(dy.copy(), dtype)}
    dx = arrays[over] if over else backend.asarray(np.full_like(y, np.nan), dtype)
    getattr(backend, name)(arrays["y"], arrays["dy"], dx, *options)
    return backend.to_host(dx).copy()


def softmax(backend, x, in_place=False):
    dtype = str(x.dtype)
    given = backend.asarray(x.copy(), dtype)
    y = given if in_place else backend.asarray(np.full_like(x, np.nan), dtype)
    backend.softmax(given, y)
    return backend.to_host(y).copy()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_agrees_with_the_oracle(backend, dtype, activation, size, assert_close):
    random = np.random.default_rng(size)
    x, dy = (2 * random.normal(size=size)).astype(dtype), random.normal(size=size).astype(dtype)
    y = activate(backend, x, activation)
    assert_close(y, reference.ACTIVATIONS[activation][0](x.astype(float)), dtype, 1, what="y")
    np.testing.assert_array_equal(activate(backend, x, activation, in_place=True), y)
    dx = backward(backend, "activate_backward", y, dy, activation)
    assert_close(dx, dy * reference.ACTIVATIONS[activation][1](x.astype(float)), dtype, 1, what="dx")
    for over in ("y", "dy"):
        np.testing.assert_array_equal(backward(backend, "activate_backward", y, dy, activation, over=over), dx)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_far_out_and_at_the_ends(backend, dtype, activation):
    """Relative errors: where a value is nearly nothing it must be right too."""
    x = np.array([-3, 3, 0, 1e-3, -1e-3, 20, -20, 88, -80, 100, -100, np.inf, -np.inf], dtype)
    y = activate(backend, x, activation)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = reference.ACTIVATIONS[activation][0](x.astype(float)).astype(dtype)
    if activation == "softsign":
        expected[-2:] = np.nan, np.nan  # ∞ / ∞, as in Keras.
    np.testing.assert_allclose(y, expected, rtol=200 * np.finfo(dtype).eps, atol=2 * np.finfo("float32").tiny)


def test_tanh_keeps_its_digits_where_it_is_small(backend, dtype):
    x = np.concatenate([np.geomspace(1e-6, 1, 4000), np.linspace(0.1, 3, 4000)]).astype(dtype)
    x = np.concatenate([x, -x])
    expected = np.tanh(x.astype("longdouble"))
    np.testing.assert_allclose(activate(backend, x, "tanh"), expected, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_stays_nan_and_where_it_is(backend, dtype, activation):
    x = np.linspace(-4, 4, 37).astype(dtype)
    clean = activate(backend, x, activation)
    x[5] = np.nan
    y = activate(backend, x, activation)
    dx = backward(backend, "activate_backward", y, np.ones_like(y), activation)
    if activation == "linear":
        dx[5] = np.nan  # Its derivative knows nothing of x.
    for values in (y, dx):
        assert np.flatnonzero(np.isnan(values)).tolist() == [5]
    np.testing.assert_array_equal(np.delete(y, 5), np.delete(clean, 5))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_softmax(backend, dtype, shape, assert_close):
    random = np.random.default_rng(shape)
    x, dy = (3 * random.normal(size=shape)).astype(dtype), random.normal(size=shape).astype(dtype)
    y = softmax(backend, x)
    assert_close(y, reference.softmax(x), dtype, shape[1], what="y")
    np.testing.assert_array_equal(softmax(backend, x, in_place=True), y)
    dx = backward(backend, "softmax_backward", y, dy)
    assert_close(dx, reference.softmax_backward(x, dy), dtype, shape[1], what="dx")
    for over in ("y", "dy"):
        np.testing.assert_array_equal(backward(backend, "softmax_backward", y, dy, over=over), dx)


@pytest.mark.parametrize("columns", [3, 16, 34])
def test_softmax_of_huge_numbers(backend, dtype, columns):
    x = np.full((4, columns), -1e30, dtype)
    x[0, 1] = x[1, 0] = 1e30
    x[2] = 1e30
    x[3, :2], x[3, 2:] = -5, -np.inf
    expected = np.zeros((4, columns))
    expected[0, 1] = expected[1, 0] = 1
    expected[2] = 1 / columns
    expected[3, :2] = 0.5
    np.testing.assert_allclose(softmax(backend, x), expected, rtol=1e-6, atol=0)


def test_a_row_of_softmax_has_the_same_bits_in_every_batch(backend, dtype):
    x = np.random.default_rng(0).normal(size=(65, 37)).astype(dtype)
    whole = softmax(backend, x)
    for start, stop in [(0, 1), (7, 8), (64, 65), (3, 20)]:
        np.testing.assert_array_equal(softmax(backend, x[start:stop]), whole[start:stop])


def test_nan_stays_in_its_row_of_softmax(backend, dtype):
    x = np.random.default_rng(0).normal(size=(4, 19)).astype(dtype)
    clean = softmax(backend, x)
    for column in (0, 5, 18):
        dirty = x.copy()
        dirty[2, column] = np.nan
        y = softmax(backend, dirty)
        assert np.isnan(y[2]).all()
        np.testing.assert_array_equal(np.delete(y, 2, axis=0), np.delete(clean, 2, axis=0))
