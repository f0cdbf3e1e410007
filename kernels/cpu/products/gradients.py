"""The gradients of the weights, the bias and the input: large products after the loop, because they need all steps."""

from numba import njit

from numlstm.kernels.cpu.products.copies import copy_numbers
from numlstm.kernels.cpu.products.layout import add_gates_product, panels_of, strides_of, vectors_of
from numlstm.kernels.cpu.products.matmul import MATMUL, WIDE
from numlstm.kernels.cpu.runtime.launch import kernel, part_of
from numlstm.kernels.cpu.runtime.vector import lanes_of, store_part

BLOCK_ROWS = 48
"""Rows of dx that are finished together, while they are in the L1 cache."""

_FEW_FEATURES = 64  # Up to this many columns of dx, Wᵀ is one panel, which stays in the L2 cache.

GRADIENT_ROWS = 336
"""The most rows of the weights' gradients that one block computes, over all units. Each block reads all dG, which is in
no cache nearby: on AVX2 with 1 MB of L2, 336 rows take 8 to 14 % less time than 144 at 256 and 512 units (2026-11)."""

GRADIENT_STEPS = 96
"""Terms of the sum over all T·B rows that are in cache together."""

# The kernel of a cell binds its own values to the names below: functions of `layout.SLOTS`, `layout.ADD` and `STORES`,
# `add_all_rows` or `add_rows_by_part`, `take_columns` or a function in its place,
load_slots = store_blocks = add_rows_step = add_input = add_state = add_bias = take_step = None
# the number of slots, the block of columns that each slot takes from W and from U (-1: none), and the (first, count) of
# a panel's vectors that take part in these products.
SLOT_COUNT = 0
INPUT_BLOCKS = STATE_BLOCKS = ()
INPUT_VECTORS = STATE_VECTORS = ()


@kernel("real3R bool2R real3C real4C (real2C,real2C,real2C) real3C real4C int int", uses=MATMUL)
def weight_gradients(x, mask, h, gates, gradients, columns, sums, chunk, chunks):
    """Compute one chunk of the rows of [dU; dW; db] = [h' x 1]ᵀ dG.

    A block of [h' x 1] is copied once and multiplied with dG of all units, before the next block of steps.

    gradients: (dU, dW, db), [H, GH], [F, GH] and [biases, GH]
    columns: [chunks, GRADIENT_STEPS, rows] room for a block of [h' x 1]
    sums: [chunks, P, rows, 4L] room for the gradients of a block of rows
    """
    du, dw, db = gradients
    panels, steps, batch, width = gates.shape
    units, features, lane_count = du.shape[0], dw.shape[0], lanes_of(h)
    rows = units + features + 1
    blocks = chunks * ((rows + chunks * GRADIENT_ROWS - 1) // (chunks * GRADIENT_ROWS))
    ours, pitch = sums[chunk], columns.shape[2]
    for block in range(chunk, blocks, chunks):
        begin, end = part_of(rows, block, blocks)
        ours[:, : end - begin] = 0
        for first in range(0, steps * batch, GRADIENT_STEPS):
            count = min(GRADIENT_STEPS, steps * batch - first)
            take_step(x, mask, h, gates, units, columns[chunk], first, count, begin, end)
            for panel in range(panels):
                vectors = vectors_of(panel, units, lane_count, SLOT_COUNT)
                row, step = strides_of(gates, vectors)
                at, sum_at = panel * steps * batch * width + first * row, panel * ours.shape[1] * width
                add_rows_step(
                    columns[chunk], pitch, gates, at, step, ours, sum_at, width, count, vectors, begin, end, units,
                    features,
                )  # fmt: skip
        for group in range((units + lane_count - 1) // lane_count):
            panel, part = group // (WIDE // SLOT_COUNT), group % (WIDE // SLOT_COUNT)
            vectors = vectors_of(panel, units, lane_count, SLOT_COUNT)
            unit = group * lane_count
            for row in range(begin, end):
                at = (panel * ours.shape[1] + row - begin) * width
                totals = load_slots(ours, at, part, vectors, lane_count)
                if row < units:
                    store_blocks(totals, STATE_BLOCKS, du, row, unit, units)
                elif row < units + features:
                    store_blocks(totals, INPUT_BLOCKS, dw, row - units, unit, units)
                else:
                    store_blocks(totals, INPUT_BLOCKS, db, 0, unit, units)
                    if db.shape[0] > 1:
                        store_blocks(totals, STATE_BLOCKS, db, 1, unit, units)


@njit(inline="always")
def add_all_rows(columns, pitch, gates, at, step, sums, to, width, count, vectors, begin, end, units, features):
    """[h' x 1]ᵀ dG of one panel and one block of steps, if h' and x contribute to the same vectors."""
    add_state(
        columns, 0, 1, pitch, gates, at, step, sums, to, width, lanes_of(sums), count, end - begin, vectors,
        STATE_VECTORS[0],
    )  # fmt: skip


@njit(inline="always")
def add_rows_by_part(columns, pitch, gates, at, step, sums, to, width, count, vectors, begin, end, units, features):
    """The same if h' and x contribute to different vectors; 1 contributes to all."""
    c_step, rows, inputs = lanes_of(sums), end - begin, min(end, units + features)
    before_x = max(0, min(end, units) - begin)
    before_1 = before_x + max(0, inputs - max(begin, units))
    add_state(
        columns, 0, 1, pitch, gates, at, step, sums, to, width, c_step, count, before_x, vectors, STATE_VECTORS[0]
    )
    add_input(
        columns, before_x, 1, pitch, gates, at, step, sums, to + before_x * width, width, c_step, count,
        before_1 - before_x, vectors, INPUT_VECTORS[0],
    )  # fmt: skip
    add_bias(
        columns, before_1, 1, pitch, gates, at, step, sums, to + before_1 * width, width, c_step, count,
        rows - before_1, vectors, 0,
    )  # fmt: skip


@njit(inline="always")
def _store_four(totals, blocks, gradient, row, unit, units):
    """Store one row and one vector of units in a gradient [K, GH]."""
    live = min(lanes_of(gradient), units - unit)
    at = row * gradient.shape[1] + unit
    first, second, third, fourth = totals
    if blocks[0] >= 0:
        store_part(gradient, at + blocks[0] * units, first, live)
    if blocks[1] >= 0:
        store_part(gradient, at + blocks[1] * units, second, live)
    if blocks[2] >= 0:
        store_part(gradient, at + blocks[2] * units, third, live)
    if blocks[3] >= 0:
        store_part(gradient, at + blocks[3] * units, fourth, live)


@njit(inline="always")
def _store_one(totals, blocks, gradient, row, unit, units):
    store_part(gradient, row * units + unit, totals[0], min(lanes_of(gradient), units - unit))


STORES = {4: {"store_blocks": _store_four}, 1: {"store_blocks": _store_one}}
"""`store_blocks` by the number of slots."""


@njit(inline="always")
def take_columns(x, mask, h, gates, units, columns, first, count, begin, end):
    """Copy some columns of [h' x 1] for `count` of the T·B rows. Masked x may be NaN, so zeros take its place."""
    _, batch, row = h.shape
    pitch = columns.shape[1]
    t, b = first // batch, first % batch
    features = x.shape[2]
    x_step, x_row = x.strides[0] // x.itemsize, x.strides[1] // x.itemsize
    h_end, x_begin, x_end = min(end, units), max(begin, units), min(end, units + features)
    for k in range(count):
        if begin < h_end:
            copy_numbers(h, (t * batch + b) * row + begin, columns, k * pitch, h_end - begin)
        if x_begin < x_end and mask.size > 0 and not mask[t, b]:
            columns[k, x_begin - begin : x_end - begin] = 0.0
        elif x_begin < x_end:
            x_at = t * x_step + b * x_row + x_begin - units
            copy_numbers(x, x_at, columns, k * pitch + x_begin - begin, x_end - x_begin)
        if end > units + features:
            columns[k, end - 1 - begin] = 1.0
        b += 1
        if b == batch:
            t, b = t + 1, 0


@kernel("real4C real1C real3A real3C int int int int int int", uses=MATMUL)
def input_gradient(gates, wt, dx, tiles, units, slots, first, count, chunk, chunks):
    """dx = dG Wᵀ for one chunk of the rows, in blocks of BLOCK_ROWS.

    first, count: the vectors of a panel that take part
    """
    steps, batch, features = dx.shape
    tile_row = tiles.shape[2]
    dx_step, dx_row = dx.strides[0] // dx.itemsize, dx.strides[1] // dx.itemsize
    panels = panels_of(features, lanes_of(gates))
    # If W is small, each thread takes the batch rows whose dG the backward loop has left in its cache.
    shared = batch if features <= _FEW_FEATURES and batch >= chunks else steps * batch
    begin, end = part_of(shared, chunk, chunks)
    tile = tiles[chunk]
    tile_at = chunk * tiles.shape[1] * tile_row
    for base in range(0, steps * batch, shared):
        for start in range(base + begin, base + end, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, base + end - start)
            for row in range(rows):
                for k in range(tile_row):
                    tile[row, k] = 0.0
            add_gates_product(
                gates, start, wt, units, slots, (first, count), features, 0, panels, tiles, tile_at, tile_row, rows
            )
            for row in range(rows):
                t, b = (start + row) // batch, (start + row) % batch
                copy_numbers(tiles, tile_at + row * tile_row, dx, t * dx_step + b * dx_row, features)
