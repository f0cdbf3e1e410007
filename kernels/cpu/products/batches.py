"""Products of many pairs of matrices, by the micro-kernel. Threads share the batch."""

from numlstm.kernels.cpu.products.matmul import MATMUL, add_panels, narrow_panels, pack_rows, padded, wide_panels
from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.cpu.runtime.memory import workspace
from numlstm.kernels.cpu.runtime.vector import lanes, lanes_of

__all__ = ["batch_multiply"]

_BLOCK_ROWS = 48  # Rows of a product that are finished together, while they are in the L1 cache.


@kernel("real3R real3R real3A real2C real3C int int", uses=MATMUL)
def _batch_multiply(a, b, c, panels, tiles, chunk, chunks):
    """C_b = A_b B_b for one chunk of the batch.

    panels: [chunks, K * columns of all panels] room for one B_b
    tiles: [chunks, _BLOCK_ROWS, columns of all panels] room for a block of C_b
    """
    items, rows, columns = c.shape
    depth, width = a.shape[2], tiles.shape[2]
    begin, end = part_of(items, chunk, chunks)
    a_item, a_row, a_step = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize, a.strides[2] // a.itemsize
    lane_count = lanes_of(panels)
    count_of_panels = wide_panels(columns, lane_count) + narrow_panels(columns, lane_count)
    our_panels, tile, tile_at = panels[chunk], tiles[chunk], chunk * tiles.shape[1] * width
    for item in range(begin, end):
        pack_rows(b[item], 0, depth, 0, depth, our_panels)
        for first in range(0, rows, _BLOCK_ROWS):
            count = min(_BLOCK_ROWS, rows - first)
            for row in range(count):
                for column in range(width):
                    tile[row, column] = 0.0
            add_panels(
                a, item * a_item + first * a_row, a_row, 0, a_step, our_panels, 0, depth, columns, 0, count_of_panels,
                tiles, tile_at, width, 1, depth, count,
            )  # fmt: skip
            for row in range(count):
                for column in range(columns):
                    c[item, first + row, column] = tile[row, column]


@runs(_batch_multiply)
def batch_multiply(a, b, c, gradient):
    """C_b = A_b B_b."""
    items, rows, columns = c.shape
    depth, dtype = a.shape[2], c.dtype
    chunks = threads_for(2 * items * rows * depth * columns, items)
    width = padded(columns, lanes(dtype.itemsize))
    panels, tiles = workspace((chunks, depth * width), dtype), workspace((chunks, _BLOCK_ROWS, width), dtype)
    _batch_multiply.share(dtype, chunks, a, b, c, panels, tiles)
