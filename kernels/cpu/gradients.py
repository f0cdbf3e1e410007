"""The gradients that need all steps at once: of the weights, the bias and the input. Large products after the loop."""

from numba import njit

from numlstm.kernels.cpu.launch import kernel, part_of
from numlstm.kernels.cpu.matmul import MATMUL, WIDE, add_product, narrow_panels, wide_panels
from numlstm.kernels.cpu.recurrence import add_gates_product
from numlstm.kernels.cpu.vector import lanes_of, load, store_part, zero

BLOCK_ROWS = 96
"""Rows of a gradient that one task computes: its sums stay in the first cache."""

_BLOCK_STEPS = 128  # Steps of the weight gradient's sum that are in cache together.


@kernel("real3R real3C real4C real2C real2C real1C real3C int int", uses=MATMUL)
def weight_gradients(x, h, gates, dw, du, db, sums, chunk, chunks):
    """A chunk of the blocks of [dU; dW]: a group of units and BLOCK_ROWS rows each."""
    blocks = (x.shape[2] + du.shape[0] + BLOCK_ROWS - 1) // BLOCK_ROWS
    begin, end = part_of(gates.shape[0] * blocks, chunk, chunks)
    for task in range(begin, end):
        _weight_gradient_block(x, h, gates, dw, du, db, sums[chunk], task // blocks, task % blocks * BLOCK_ROWS)


@njit(inline="always")
def _weight_gradient_block(x, h, gates, dw, du, db, sums, group, begin):
    """The rows from `begin` of [dU; dW], for one group of units; db with the first."""
    units, features = du.shape[0], dw.shape[0]
    end = min(begin + BLOCK_ROWS, units + features)
    sums[:] = 0
    middle = min(max(begin, units), end)
    if begin < middle:
        _add_transposed_product(h, begin, gates, group, sums, 0, middle - begin)
    if middle < end:
        _add_transposed_product(x, middle - units, gates, group, sums, middle - begin, end - middle)
    lane_count = lanes_of(h)
    first = group * lane_count
    live = min(lane_count, units - first)
    for row in range(begin, end):
        for gate in range(4):
            total = load(sums, (row - begin) * WIDE * lane_count + gate * lane_count)
            at = gate * units + first
            if row < units:
                store_part(du, row * 4 * units + at, total, live)
            else:
                store_part(dw, (row - units) * 4 * units + at, total, live)
    if begin == 0:
        _bias_gradient(gates, group, db)


@njit(inline="always")
def _add_transposed_product(a, column, gates, group, sums, first_row, rows):
    """sums += aᵀ dG over all steps and batch rows, for some columns of a [T or more, B, K]."""
    _, steps, batch, width = gates.shape
    a_step, a_row = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize
    stride = max(1, _BLOCK_STEPS // max(1, batch))
    for t in range(0, steps, stride):
        b_at = (group * steps + t) * batch * width
        length = min(stride, steps - t)
        add_product(
            a,
            t * a_step + column,
            1,
            a_step,
            a_row,
            gates,
            b_at,
            sums,
            first_row * width,
            width,
            length,
            batch,
            rows,
            True,
        )


@njit(inline="always")
def _bias_gradient(gates, group, db):
    """db = Σ dG over all steps and batch rows, for one group of units."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    units = db.shape[0] // 4
    first = group * lane_count
    at = group * steps * batch * width
    for gate in range(4):
        total = zero(gates)
        for r in range(steps * batch):
            total = total + load(gates, at + r * width + gate * lane_count)
        store_part(db, gate * units + first, total, min(lane_count, units - first))


@kernel("real4C real1C real3A real3C int int", uses=MATMUL)
def input_gradient(gates, wt, dx, tiles, chunk, chunks):
    """dx = dG Wᵀ for a chunk of the steps' rows, in blocks of BLOCK_ROWS."""
    steps, batch, features = dx.shape
    width, tile_row = gates.shape[3], tiles.shape[2]
    lane_count = lanes_of(gates)
    units = wt.shape[0] // tile_row // 4
    panels = wide_panels(features, lane_count) + narrow_panels(features, lane_count)
    begin, end = part_of(steps * batch, chunk, chunks)
    tile = tiles[chunk]
    tile_at = chunk * tiles.shape[1] * tile_row
    for first in range(begin, end, BLOCK_ROWS):
        rows = min(BLOCK_ROWS, end - first)
        for row in range(rows):
            for k in range(tile_row):
                tile[row, k] = 0.0
        add_gates_product(gates, first * width, wt, units, features, 0, panels, tiles, tile_at, tile_row, rows)
        for row in range(rows):
            for k in range(features):
                dx[(first + row) // batch, (first + row) % batch, k] = tile[row, k]
