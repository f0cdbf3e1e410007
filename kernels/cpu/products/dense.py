"""The Dense layer: y = x K + b and its gradients, by the micro-kernel."""

import numpy as np

from numlstm.kernels.cpu.products.copies import copy_numbers
from numlstm.kernels.cpu.products.matmul import MATMUL, add_panels, narrow_panels, pack_rows, padded, wide_panels
from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.cpu.runtime.memory import workspace
from numlstm.kernels.cpu.runtime.vector import lanes, lanes_of
from numlstm.kernels.replay import call

__all__ = ["dense_backward", "dense_forward", "make_dense_step"]

_BLOCK_ROWS = 48  # Rows of a product that are finished together, while they are in the L1 cache.


@kernel("real2R real1C")
def pack_matrix(matrix, panels):
    """Write a matrix [K, N] to the panels of the micro-kernel."""
    pack_rows(matrix, 0, matrix.shape[0], 0, matrix.shape[0], panels)


@kernel("real2R real1C real1R real2A real3C int int", uses=MATMUL)
def multiply_panels(a, panels, bias, c, tiles, chunk, chunks):
    """C = A B + b for one chunk of the rows. B [K, N] is in panels, A has any strides."""
    rows, columns = c.shape
    depth = a.shape[1]
    width = tiles.shape[2]
    begin, end = part_of(rows, chunk, chunks)
    a_row, a_step, c_row = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize, c.strides[0] // c.itemsize
    lane_count = lanes_of(panels)
    count_of_panels = wide_panels(columns, lane_count) + narrow_panels(columns, lane_count)
    tile_at = chunk * tiles.shape[1] * width
    tile = tiles[chunk]
    for first in range(begin, end, _BLOCK_ROWS):
        count = min(_BLOCK_ROWS, end - first)
        for row in range(count):
            copy_numbers(bias, 0, tiles, tile_at + row * width, columns)
            tile[row, columns:] = 0.0
        at = first * a_row
        add_panels(
            a,
            at,
            a_row,
            0,
            a_step,
            panels,
            0,
            depth,
            columns,
            0,
            count_of_panels,
            tiles,
            tile_at,
            width,
            1,
            depth,
            count,
        )
        for row in range(count):
            copy_numbers(tiles, tile_at + row * width, c, (first + row) * c_row, columns)


def _tiles(chunks, columns, dtype):
    """Room for one block of the product for each chunk."""
    return workspace((chunks, _BLOCK_ROWS, padded(columns, lanes(dtype.itemsize))), dtype)


def _no_bias(columns, dtype):
    return np.zeros(columns, dtype)


def pack(matrix, dtype):
    """Return a matrix [K, N] in the panels of the micro-kernel."""
    panels = workspace((matrix.shape[0] * padded(matrix.shape[1], lanes(dtype.itemsize)),), dtype)
    pack_matrix[dtype](matrix, panels)
    return panels


def _packed(weights, dtype):
    """Return (K in panels, b), packed once for each version of the parameters."""
    version = weights.version.number
    kept = weights.packed.get("forward")
    if kept is None or kept[0] != version:
        bias = weights.bias if weights.bias is not None else _no_bias(weights.kernel.shape[1], dtype)
        kept = weights.packed["forward"] = (version, (pack(weights.kernel, dtype), bias))
    return kept[1]


def _packed_transposed(weights, dtype):
    version = weights.version.number
    kept = weights.packed.get("backward")
    if kept is None or kept[0] != version:
        kept = weights.packed["backward"] = (version, pack(weights.kernel.T, dtype))
    return kept[1]


def multiply(a, panels, bias, c):
    """C = A B + b, with B [K, N] in panels, and any strides of A and C."""
    (rows, columns), dtype = c.shape, c.dtype
    chunks = threads_for(2 * rows * a.shape[1] * columns, rows)
    multiply_panels.share(dtype, chunks, a, panels, bias, c, _tiles(chunks, columns, dtype))


@runs(pack_matrix, multiply_panels)
def dense_forward(weights, x, y):
    """y = x K + b."""
    multiply(x, *_packed(weights, y.dtype), y)


def make_dense_step(weights, x, y):
    """y = x K + b."""
    rows, features = x.shape
    columns, dtype = y.shape[1], y.dtype
    panels, bias = _packed(weights, dtype)
    chunks = threads_for(2 * rows * features * columns, rows)
    return multiply_panels.partial(dtype, chunks, x, panels, bias, y, _tiles(chunks, columns, dtype))


@runs(pack_matrix, multiply_panels)
def dense_backward(weights, x, dy, gradients):
    """dK = xᵀ dy, db = Σ dy, dx = dy Kᵀ."""
    columns, dtype = dy.shape[1], dy.dtype
    multiply(x.T, pack(dy, dtype), _no_bias(columns, dtype), gradients.kernel)
    if gradients.bias is not None:
        call(np.add.reduce, dy, 0, None, gradients.bias)
    if gradients.x is not None:
        multiply(dy, _packed_transposed(weights, dtype), _no_bias(x.shape[1], dtype), gradients.x)
