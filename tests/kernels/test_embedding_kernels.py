"""The embedding of every backend, and the masks of ids and values, against the oracle."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import reference
from test_dense_kernels import middle, wide

# R, V, N
SHAPES = [(1, 1, 1), (32, 7, 5), (7, 50, 17), (13, 3, 16), (200, 5, 31), (65, 130, 64), (3, 2, 1)]


def problem(R, V, N, dtype, ids=None):
    random = np.random.default_rng([R, V, N])
    ids = random.integers(0, V, R) if ids is None else np.asarray(ids)
    return random.normal(size=(V, N)).astype(dtype), ids, random.normal(size=(R, N)).astype(dtype)


def backward(backend, ids, dy, V):
    dtype = str(dy.dtype)
    gradient = backend.asarray(np.full((V, dy.shape[1]), np.nan), dtype)
    backend.embedding_backward(backend.asarray(ids, "int64"), backend.asarray(dy, dtype), gradient)
    return backend.to_host(gradient).copy()


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(backend, dtype, shape, strided, assert_close):
    R, V, N = shape
    table, ids, dy = problem(R, V, N, dtype)
    spread, look = (wide, middle) if strided else (lambda a: a, lambda a: a)
    y = backend.asarray(spread(np.full((R, N), np.nan, dtype)), dtype)
    backend.embedding_forward(backend.asarray(table, dtype), backend.asarray(ids, "int64"), look(y))
    gradient = backend.asarray(np.full((V, N), np.nan), dtype)
    backend.embedding_backward(backend.asarray(ids, "int64"), look(backend.asarray(spread(dy), dtype)), gradient)

    host = backend.to_host(y).copy()
    np.testing.assert_array_equal(look(host), reference.embedding_forward(table, ids))
    expected = reference.embedding_backward(ids, dy, V)
    gradient = backend.to_host(gradient)
    assert_close(gradient, expected, dtype, R, what="dE")
    np.testing.assert_array_equal(gradient[np.bincount(ids, minlength=V) == 0], 0)
    if strided:
        look(host)[...] = np.nan
        assert np.isnan(host).all(), "the kernel wrote outside of its view"


@pytest.mark.parametrize("ids", [[3] * 40, [3] * 17 + [0, 3, 1] + [3] * 20, [0, 1, 2, 3] * 10, list(range(4))[::-1]])
def test_ids_that_are_frequent_come_late_or_take_turns(backend, dtype, ids, assert_close):
    _, ids, dy = problem(len(ids), 4, 5, dtype, ids)
    assert_close(backward(backend, ids, dy, 4), reference.embedding_backward(ids, dy, 4), dtype, len(ids))


def test_no_rows_give_no_gradient(backend, dtype):
    np.testing.assert_array_equal(backward(backend, np.empty(0, int), np.empty((0, 3), dtype), 2), np.zeros((2, 3)))


def test_nan_stays_at_its_id(backend, dtype):
    _, ids, dy = problem(13, 3, 5, dtype, [0, 1, 2, 1] * 3 + [0])
    clean = backward(backend, ids, dy, 3)
    dy[3, 2] = np.nan
    dirty = backward(backend, ids, dy, 3)
    assert np.argwhere(np.isnan(dirty)).tolist() == [[1, 2]]
    np.testing.assert_array_equal(dirty[[0, 2]], clean[[0, 2]])


def test_the_number_of_threads_changes_nothing(backend, dtype):
    _, ids, dy = problem(20_000, 50, 85, dtype)
    available, results = numba.get_num_threads(), []
    try:
        for threads in {1, available}:
            numba.set_num_threads(threads)
            results.append(backward(backend, ids, dy, 50))
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


def mask_of(backend, function, rows, *arguments):
    mask = backend.asarray(np.zeros(rows, bool), "bool")
    function(*arguments, mask)
    return backend.to_host(mask).copy()


def test_id_mask(backend):
    ids = np.array([0, 3, 0, -1, 2**40, 0])
    mask = mask_of(backend, backend.id_mask, 6, backend.asarray(ids, "int64"))
    np.testing.assert_array_equal(mask, [False, True, False, True, True, False], strict=True)


@pytest.mark.parametrize("value", [0.0, 0.1, -1.0])
def test_value_mask(backend, dtype, value):
    x = np.full((7, 3), value, dtype)
    x[1, 2] += 1
    x[3] = np.nan
    x[4, 0] = np.nextafter(x[4, 0], np.array(9, dtype))
    x[6, 1] = -x[6, 1]  # The other zero is the same number.
    given = middle(backend.asarray(wide(x), dtype))
    mask = mask_of(backend, lambda x, mask: backend.value_mask(x, value, mask), 7, given)
    np.testing.assert_array_equal(mask, [False, True, False, True, True, False, value != 0], strict=True)
