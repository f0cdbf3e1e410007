"""Products in tiles of every size, which the number of multiprocessors chooses."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm.kernels.cuda as cuda
from numlstm.kernels.cuda.products import matmul


@pytest.fixture
def in_tiles_of_every_size(monkeypatch):
    """Compute something as with few and with many multiprocessors, by tiles of two sizes: the results."""

    def compute(shape, result):
        sizes, results = set(), []
        for count in (1, 1000):
            monkeypatch.setattr(matmul, "multiprocessors", lambda count=count: count)
            sizes.add(matmul.tiling(*shape).size)
            results.append(result())
        assert len(sizes) == len(results)
        return results

    return compute


def rows_with_nan(rows, columns, dtype):
    values = np.random.default_rng(rows).standard_normal((rows, columns)).astype(dtype)
    values[rows // 2, columns // 2] = np.nan
    values[0] = -0.0
    return values


@pytest.mark.parametrize("depth", [1, 9, 21])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_product_has_the_same_bits_in_tiles_of_every_size(in_tiles_of_every_size, dtype, depth, transposed):
    rows, columns = 10, 11
    a, b = rows_with_nan(rows, depth, dtype), rows_with_nan(depth, columns, dtype)
    views = [cuda.asarray(x.T.copy(), dtype).T if transposed else cuda.asarray(x, dtype) for x in (a, b)]
    bias = cuda.asarray(b[-1], dtype)

    def product():
        c = cuda.empty((rows, columns), dtype)
        matmul.multiply(*views, c, bias=bias)
        matmul.multiply(*views, c, add=True)
        return cuda.to_host(c)

    first, *others = in_tiles_of_every_size((rows, columns), product)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(first, 2 * (a.astype(float) @ b) + b[-1], rtol=1e-5, atol=1e-5)
    assert all(other.tobytes() == first.tobytes() for other in others)


def test_parts_and_items_have_the_same_bits_in_tiles_of_every_size(in_tiles_of_every_size):
    items, rows, depth, columns = 2, 5, 13, 9
    a, b = np.random.default_rng(0).standard_normal((2, items, rows * columns * depth)).astype("float32")
    a, b = a[:, : rows * depth].reshape(items, rows, depth), b[:, : depth * columns].reshape(items, depth, columns)
    left, right = cuda.asarray(a, "float32"), cuda.asarray(b, "float32")

    def products():
        c = cuda.empty((items, rows, columns), "float32")
        matmul.multiply_items(left, right, c)
        parts = cuda.empty((3 * rows, columns), "float32")
        matmul.multiply_parts(left[1], right[1], parts, columns, 3)
        return np.concatenate([cuda.to_host(c).reshape(-1, columns), cuda.to_host(parts)])

    first, *others = in_tiles_of_every_size((rows, columns, items), products)
    np.testing.assert_allclose(first[: items * rows], (a @ b).reshape(-1, columns), atol=1e-5)
    np.testing.assert_allclose(first[items * rows :].reshape(3, rows, columns).sum(0), a[1] @ b[1], atol=1e-5)
    assert all(other.tobytes() == first.tobytes() for other in others)
