"""The sums over time and batch that give the gradients of weights.

They have the same bits for the same arguments, and promise no more: a long sum is split over blocks, and cuBLAS
computes the products if it is installed.
"""

from numba import cuda

from numlstm.kernels.cuda.products import cublas
from numlstm.kernels.cuda.products.matmul import multiply_parts, tiles
from numlstm.kernels.cuda.runtime.device import SIMULATED, multiprocessors
from numlstm.kernels.cuda.runtime.launch import THREADS, runs, template
from numlstm.kernels.cuda.runtime.memory import copy, empty
from numlstm.kernels.cuda.runtime.ptx import shared_array

_LEAST_SHARE = 16 if SIMULATED else 512  # A shorter sum is not split further.
_SUMMING = 4  # Threads that share a column's sum.


@template("real* int real* int int int")
def _sum_rows(real):
    """Each block sums `height` rows. Each thread takes every `_SUMMING`th row of one column."""
    width = THREADS // _SUMMING

    def sum_rows(matrix, matrix_row, total, rows, columns, height):
        sums = shared_array((_SUMMING, width), real, 16)
        part = cuda.blockIdx.x
        lane, share = cuda.threadIdx.x % width, cuda.threadIdx.x // width
        column = cuda.blockIdx.y * width + lane
        value = real(0)
        if column < columns:
            for row in range(part * height + share, min(rows, (part + 1) * height), _SUMMING):
                value += matrix[row * matrix_row + column]
        sums[share, lane] = value
        cuda.syncthreads()
        if share == 0 and column < columns:
            for other in range(1, _SUMMING):
                value += sums[other, lane]
            total[part * columns + column] = value

    return sum_rows, THREADS, 0


@runs(_sum_rows[()])
def sum_rows(matrix, total):
    """Σ over the rows, in an order that depends on their number and the GPU only.

    matrix: [R, N] view
    total: [N]
    """
    rows, columns = matrix.shape
    parts = max(1, min(rows // (64 * _SUMMING), 2 * multiprocessors()))
    width = THREADS // _SUMMING
    grid = -(-columns // width)
    dtype = total.dtype
    if parts == 1:
        _sum_rows[()].launch(dtype, (1, grid), matrix, matrix.strides[0], total, rows, columns, max(1, rows))
        return
    partial = empty((parts, columns), total.dtype)
    _sum_rows[()].launch(dtype, (parts, grid), matrix, matrix.strides[0], partial, rows, columns, -(-rows // parts))
    _sum_rows[()].launch(dtype, (1, grid), partial, columns, total, parts, columns, parts)


@runs(*multiply_parts.kernels_used, *sum_rows.kernels_used, *copy.kernels_used)
def multiply_transposed(a, b, c):
    """C = Aᵀ B.

    a: [R, M] view
    b: [R, N] view
    c: [M, N] view, overwritten
    """
    (depth, rows), columns = a.shape, b.shape[1]
    if cublas.multiply(a.T, b, c):
        return
    parts = max(1, min(2 * multiprocessors() // (tiles(rows) * tiles(columns)), depth // _LEAST_SHARE))
    if parts == 1:
        multiply_parts(a.T, b, c, c.strides[0], 1)
        return
    partial = empty((parts, rows * columns), c.dtype)
    multiply_parts(a.T, b, partial, columns, parts)
    total = c if c.contiguous() else empty((rows, columns), c.dtype)
    sum_rows(partial, total.reshape(rows * columns))
    if total is not c:
        copy(c, total)
