"""The tiles of a panel prefetch each cache line of the next block of B, and as slowly as the number of rows allows."""

import numpy as np
import pytest
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from numlstm.kernels.cpu.products import matmul, tile
from numlstm.kernels.cpu.runtime.target import target
from numlstm.kernels.cpu.runtime.vector import VECTOR_BYTES

LANES = VECTOR_BYTES // 4
ROWS = target().tile[0]


def _mark(builder, pointer):
    """Instead of a prefetch, count in the first number of the line."""
    builder.store(builder.fadd(builder.load(pointer), ir.FloatType()(1.0)), pointer)


@intrinsic
def data(context, array):
    """The address of an array's numbers, as a tile takes it."""

    def emit(context, builder, sig, args):
        return context.make_array(sig.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), emit


@pytest.fixture
def marks(monkeypatch):
    """Run full tiles over all rows of a block of K steps: how often each line of the next block is prefetched."""
    monkeypatch.setattr(tile, "_prefetch", _mark)
    one = tile.make_tile(ROWS, matmul.WIDE, matmul.WIDE)

    @njit
    def run(a, b, c, depth, tiles, pace):
        for row in range(0, tiles * ROWS, ROWS):
            one(data(a), 0, depth, 0, 1, data(b), 0, data(c), matmul.WIDE * LANES, 1, depth, row, pace)

    def count(depth, tiles, pace):
        width = matmul.WIDE * LANES
        a, b = (np.zeros(size, "float32") for size in (tiles * ROWS * depth, 2 * depth * width))
        c = np.zeros(tiles * ROWS * width, "float32")
        run(a, b, c, depth, tiles, pace)
        assert not b[: depth * width].any()
        return b[depth * width :].reshape(depth, matmul.WIDE, LANES)[:, :, 0]

    return count


@pytest.mark.parametrize("pace", [0, 1, 2, 3])
@pytest.mark.parametrize("depth", [8, 96, 128])
def test_each_line_of_the_next_block_is_prefetched(marks, depth, pace):
    tiles = matmul._LINES << pace
    assert (marks(depth, tiles, pace) == 1 << pace).all()


def test_narrow_tiles_prefetch_no_line_again(marks):
    """Tiles of whole vectors, which have time enough, begin again with the first line."""
    wide = matmul._LINES == matmul.WIDE
    assert (marks(128, 2 * matmul._LINES, 0) == 1 + wide).all()
    assert wide or not marks(128, matmul._LINES, -1).any()
