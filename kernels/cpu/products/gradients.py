"""The gradients that need all steps at once: of the weights, the bias and the input. Large products after the loop."""

from numba import njit

from numlstm.kernels.cpu.products.layout import (
    add_gates_product,
    load_gates,
    panels_of,
    strides_of,
    vectors_of,
)
from numlstm.kernels.cpu.products.matmul import MATMUL, WIDE, add_product
from numlstm.kernels.cpu.runtime.launch import kernel, part_of
from numlstm.kernels.cpu.runtime.vector import lanes_of, store_part

BLOCK_ROWS = 48
"""Rows of dx that are finished together, while they are in the first cache."""

_FEW_FEATURES = 64  # So many columns of dx have one panel of Wᵀ, which stays in the second cache.

GRADIENT_ROWS = 144
"""Rows of the weights' gradients that one block computes at most, over all units."""

GRADIENT_STEPS = 96
"""Steps of their sum that are in cache together."""


@kernel("real3R bool2R real3C real4C real2C real2C real1C real3C real4C int int", uses=MATMUL)
def weight_gradients(x, mask, h, gates, dw, du, db, columns, sums, chunk, chunks):
    """A chunk of the rows of [dU; dW; db] = [h' x 1]ᵀ dG."""
    rows = du.shape[0] + dw.shape[0] + 1
    blocks = chunks * ((rows + chunks * GRADIENT_ROWS - 1) // (chunks * GRADIENT_ROWS))
    for block in range(chunk, blocks, chunks):
        begin, end = part_of(rows, block, blocks)
        _weight_gradient_block(x, mask, h, gates, dw, du, db, columns[chunk], sums[chunk], begin, end)


@njit(inline="always")
def _weight_gradient_block(x, mask, h, gates, dw, du, db, columns, sums, begin, end):
    """Some rows of [dU; dW; db].

    A block of [h' x 1] is brought together, where it then serves all units, before the next block of steps.

    columns: [GRADIENT_STEPS, rows]
    sums: [P, rows, 4L]
    """
    groups, steps, batch, width = gates.shape
    units, lane_count = du.shape[0], lanes_of(h)
    pitch = columns.shape[1]
    sums[:, : end - begin] = 0
    for first in range(0, steps * batch, GRADIENT_STEPS):
        count = min(GRADIENT_STEPS, steps * batch - first)
        _take_columns(x, mask, h, units, columns, first, count, begin, end)
        for group in range(groups):
            vectors = vectors_of(group, units, lane_count)
            row, step = strides_of(gates, vectors)
            at, sum_at = group * steps * batch * width + first * row, group * sums.shape[1] * width
            for v in range(1 if vectors == WIDE else vectors):
                add_product(
                    columns, 0, 1, 0, pitch, gates, at + v * step, sums, sum_at + v * lane_count, width, 1, count,
                    end - begin, vectors == WIDE,
                )  # fmt: skip
    for group in range(groups):
        vectors = vectors_of(group, units, lane_count)
        for row in range(begin, end):
            totals = load_gates(sums, (group * sums.shape[1] + row - begin) * width, vectors, lane_count)
            if row < units:
                _store_row(totals, du, row, group, units)
            elif row < units + dw.shape[0]:
                _store_row(totals, dw, row - units, group, units)
            else:
                _store_row(totals, db, 0, group, units)


@njit(inline="always")
def _take_columns(x, mask, h, units, columns, first, count, begin, end):
    """Some columns of [h' x 1] for `count` of the T·B rows; x where it is masked may be NaN, and counts as zero."""
    batch = h.shape[1]
    t, b = first // batch, first % batch
    features = x.shape[2]
    for k in range(count):
        for column in range(begin, min(end, units)):
            columns[k, column - begin] = h[t, b, column]
        masked = mask.size > 0 and not mask[t, b]
        for column in range(max(begin, units), min(end, units + features)):
            columns[k, column - begin] = 0.0 if masked else x[t, b, column - units]
        if end > units + features:
            columns[k, end - 1 - begin] = 1.0
        b += 1
        if b == batch:
            t, b = t + 1, 0


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


@kernel("real4C real1C real3A real3C int int int", uses=MATMUL)
def input_gradient(gates, wt, dx, tiles, units, chunk, chunks):
    """dx = dG Wᵀ for a chunk of the rows, in blocks of BLOCK_ROWS."""
    steps, batch, features = dx.shape
    tile_row = tiles.shape[2]
    lane_count = lanes_of(gates)
    panels = panels_of(features, lane_count)
    # Where W is small, each thread takes the rows of the batch whose dG it has in its cache, from the steps backward.
    shared = batch if features <= _FEW_FEATURES and batch >= chunks else steps * batch
    begin, end = part_of(shared, chunk, chunks)
    tile = tiles[chunk]
    tile_at = chunk * tiles.shape[1] * tile_row
    for base in range(0, steps * batch, shared):
        for first in range(base + begin, base + end, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, base + end - first)
            for row in range(rows):
                for k in range(tile_row):
                    tile[row, k] = 0.0
            add_gates_product(gates, first, wt, units, features, 0, panels, tiles, tile_at, tile_row, rows)
            for row in range(rows):
                for k in range(features):
                    dx[(first + row) // batch, (first + row) % batch, k] = tile[row, k]
