"""How matrices are handed to cuBLAS, with the library played by the test: it counts column by column."""

from __future__ import annotations

import ctypes
import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")


def gemm(real, dtype):
    """The documented equation of cublas<t>gemm, over the host's memory: C = alpha op(A) op(B) + beta C."""

    def matrix(pointer, way, rows, columns, row):
        shape = (rows, columns) if way == 0 else (columns, rows)
        assert row.value >= max(1, shape[0])
        numbers = np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(real)), (row.value * shape[1],))
        held = numbers.reshape(shape[1], row.value).T[: shape[0]]
        return held if way == 0 else held.T

    def call(handle, a_way, b_way, m, n, k, alpha, a, a_row, b, b_row, beta, c, c_row):
        m, n, k = m.value, n.value, k.value
        left, right = matrix(a, a_way, m, k, a_row), matrix(b, b_way, k, n, b_row)
        assert (alpha._obj.value, beta._obj.value) == (1, 0)
        matrix(c, 0, m, n, c_row)[...] = (left @ right).astype(dtype)
        return 0

    return call


def batched_gemm(real, dtype):
    """The documented equation of cublas<t>gemmStridedBatched: gemm for matrices that lie a stride apart."""

    def call(handle, a_way, b_way, m, n, k, alpha, a, a_row, a_item, b, b_row, b_item, beta, c, c_row, c_item, count):
        def at(pointer, item, number):
            assert isinstance(item, ctypes.c_longlong)
            return ctypes.c_void_p(pointer.value + number * item.value * ctypes.sizeof(real))

        for number in range(count.value):
            pointers = [at(*each, number) for each in ((a, a_item), (b, b_item), (c, c_item))]
            one = [alpha, pointers[0], a_row, pointers[1], b_row, beta, pointers[2], c_row]
            gemm(real, dtype)(handle, a_way, b_way, m, n, k, *one)
        return 0

    return call


@pytest.fixture
def cublas(monkeypatch):
    """The module, with a library that works on the host and a list of the times that the context was entered."""
    from numlstm.kernels.cuda.products import cublas

    library = SimpleNamespace(
        cublasSetStream_v2=lambda handle, stream: 0,
        cublasSgemm_v2=gemm(ctypes.c_float, "float32"),
        cublasDgemm_v2=gemm(ctypes.c_double, "float64"),
        cublasSgemmStridedBatched=batched_gemm(ctypes.c_float, "float32"),
        cublasDgemmStridedBatched=batched_gemm(ctypes.c_double, "float64"),
    )
    entered = []
    monkeypatch.setattr(cublas, "_library", lambda: (library, ctypes.c_void_p()))
    monkeypatch.setattr(cublas, "device", lambda: entered.append(True) or SimpleNamespace(stream=1))
    return SimpleNamespace(multiply=cublas.multiply, multiply_items=cublas.multiply_items, entered=entered)


@pytest.mark.parametrize("sizes", [(3, 4, 5), (1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("b_way", ["as it is", "transposed", "inside a wider one"])
@pytest.mark.parametrize("a_way", ["as it is", "transposed", "inside a wider one"])
def test_layouts(cublas, dtype, a_way, b_way, sizes):
    from numlstm.kernels.cuda.runtime.memory import DeviceArray

    (m, k, n), random = sizes, np.random.default_rng(0)

    def of(way, rows, columns):
        if way == "transposed":
            return random.normal(size=(columns, rows)).astype(dtype).T
        if way == "inside a wider one":
            return random.normal(size=(rows, 2, columns)).astype(dtype)[:, 0]
        return random.normal(size=(rows, columns)).astype(dtype)

    a, b, c = of(a_way, m, k), of(b_way, k, n), np.zeros((m, n), dtype)
    assert cublas.multiply(*(DeviceArray(array) for array in (a, b, c)))
    np.testing.assert_allclose(c, a @ b, rtol=1e-5)
    assert cublas.entered, "a thread that has launched nothing yet has no context"


@pytest.mark.parametrize("sizes", [(1, 3, 4, 5), (3, 1, 4, 5), (2, 3, 1, 5), (2, 3, 4, 1)], ids=str)
@pytest.mark.parametrize("b_way", ["as it is", "transposed"])
@pytest.mark.parametrize("a_way", ["as it is", "transposed"])
def test_layouts_of_a_batch(cublas, dtype, a_way, b_way, sizes):
    from numlstm.kernels.cuda.runtime.memory import DeviceArray

    (items, m, k, n), random = sizes, np.random.default_rng(0)

    def of(way, rows, columns):
        if way == "transposed":
            return random.normal(size=(items, columns, rows)).astype(dtype).transpose(0, 2, 1)
        return random.normal(size=(items, rows, columns)).astype(dtype)

    a, b, c = of(a_way, m, k), of(b_way, k, n), np.zeros((items, m, n), dtype)
    assert cublas.multiply_items(*(DeviceArray(array) for array in (a, b, c)))
    np.testing.assert_allclose(c, a @ b, rtol=1e-5)
    assert cublas.entered


def test_what_it_cannot_read_is_left_to_our_own_kernel(cublas):
    from numlstm.kernels.cuda.runtime.memory import DeviceArray

    a, b, c = np.zeros((3, 8), "float32")[:, ::2], np.zeros((4, 5), "float32"), np.zeros((3, 5), "float32")
    assert not cublas.multiply(*(DeviceArray(array) for array in (a, b, c)))
