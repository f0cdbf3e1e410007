"""The gradients that need all steps at once: of the weights, the bias and the input. Large products after the loop."""

from numba import njit

from numlstm.kernels.cpu.launch import kernel, part_of
from numlstm.kernels.cpu.layout import (
    add_gates_product,
    load_gates,
    panels_of,
    strides_of,
    vectors_of,
)
from numlstm.kernels.cpu.matmul import MATMUL, WIDE, add_product
from numlstm.kernels.cpu.vector import lanes_of, load, store, store_part, zero

BLOCK_ROWS = 48
"""Rows of a gradient that one task computes: its sums stay in the first cache."""

_BLOCK_STEPS = 128  # Steps of the weight gradient's sum that are in cache together.


@kernel("real3R real3C real4C real2C real2C real1C real3C int int", uses=MATMUL)
def weight_gradients(x, h, gates, dw, du, db, sums, chunk, chunks):
    """A chunk of the blocks of [dU; dW]: a group of units, and as many rows each as there are in another."""
    blocks = (x.shape[2] + du.shape[0] + BLOCK_ROWS - 1) // BLOCK_ROWS
    # By turns: the last group may be less work than the others.
    for task in range(chunk, gates.shape[0] * blocks, chunks):
        _weight_gradient_block(x, h, gates, dw, du, db, sums[chunk], task // blocks, task % blocks, blocks)


@njit(inline="always")
def _weight_gradient_block(x, h, gates, dw, du, db, sums, group, block, blocks):
    """A block of the rows of [dU; dW], for one group of units; db with the first."""
    units, features = du.shape[0], dw.shape[0]
    begin, end = part_of(units + features, block, blocks)
    sums[:] = 0
    middle = min(max(begin, units), end)
    lane_count = lanes_of(h)
    vectors = vectors_of(group, units, lane_count)
    if begin < middle:
        _add_transposed_product(h, begin, gates, group, vectors, sums, 0, middle - begin)
    if middle < end:
        _add_transposed_product(x, middle - units, gates, group, vectors, sums, middle - begin, end - middle)
    for row in range(begin, end):
        totals = load_gates(sums, (row - begin) * WIDE * lane_count, vectors, lane_count)
        if row < units:
            _store_row(totals, du, row, group, units)
        else:
            _store_row(totals, dw, row - units, group, units)
    if begin == 0:
        _bias_gradient(gates, group, vectors, sums, db)


@njit(inline="always")
def _store_row(totals, gradient, row, group, units):
    """One row of one group of a gradient [K, 4H]."""
    lane_count = lanes_of(gradient)
    live = min(lane_count, units - group * lane_count)
    at = row * 4 * units + group * lane_count
    i, f, g, o = totals
    store_part(gradient, at, i, live)
    store_part(gradient, at + units, f, live)
    store_part(gradient, at + 2 * units, g, live)
    store_part(gradient, at + 3 * units, o, live)


@njit(inline="always")
def _add_transposed_product(a, column, gates, group, vectors, sums, first_row, rows):
    """sums += aᵀ dG over all steps and batch rows, for some columns of a [T or more, B, K]."""
    _, steps, batch, width = gates.shape
    a_step, a_row = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize
    gates_row, gates_step = strides_of(gates, vectors)
    lane_count = lanes_of(gates)
    stride = max(1, _BLOCK_STEPS // max(1, batch))
    for v in range(1 if vectors == WIDE else vectors):
        for t in range(0, steps, stride):
            add_product(
                a,
                t * a_step + column,
                1,
                a_step,
                a_row,
                gates,
                group * steps * batch * width + t * batch * gates_row + v * gates_step,
                sums,
                first_row * width + v * lane_count,
                width,
                min(stride, steps - t),
                batch,
                rows,
                vectors == WIDE,
            )


@njit(inline="always")
def _bias_gradient(gates, group, vectors, sums, db):
    """db = Σ dG over all steps and batch rows, for one group of units."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    row, step = strides_of(gates, vectors)
    for v in range(vectors):
        at = group * steps * batch * width + v * step
        total = zero(gates)
        for r in range(steps * batch):
            total = total + load(gates, at + r * row)
        store(sums, v * lane_count, total)
    _store_row(load_gates(sums, 0, vectors, lane_count), db, 0, group, db.size // 4)


@kernel("real4C real1C real3A real3C int int int", uses=MATMUL)
def input_gradient(gates, wt, dx, tiles, units, chunk, chunks):
    """dx = dG Wᵀ for a chunk of the steps' rows, in blocks of BLOCK_ROWS."""
    steps, batch, features = dx.shape
    tile_row = tiles.shape[2]
    lane_count = lanes_of(gates)
    panels = panels_of(features, lane_count)
    begin, end = part_of(steps * batch, chunk, chunks)
    tile = tiles[chunk]
    tile_at = chunk * tiles.shape[1] * tile_row
    for first in range(begin, end, BLOCK_ROWS):
        rows = min(BLOCK_ROWS, end - first)
        for row in range(rows):
            for k in range(tile_row):
                tile[row, k] = 0.0
        add_gates_product(gates, first, wt, units, features, 0, panels, tiles, tile_at, tile_row, rows)
        for row in range(rows):
            for k in range(features):
                dx[(first + row) // batch, (first + row) % batch, k] = tile[row, k]
