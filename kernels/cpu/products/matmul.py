"""The matrix product that all other products use: the loops around the micro-kernel of `tile.py`.

A product C += A B runs over panels of B: `WIDE` vectors of columns side by side, the K rows one after the other. A tile
of C, some rows by one panel, stays in registers while k runs. Each number of C is one chain of fused multiply-adds in
the order of k, whatever the tile, the panel and the batch. So the bits of a row depend on that row alone.

A is addressed by strides, and k by two loops (segments of `length` steps). So the same micro-kernel reads a batch of
rows, its transpose, and the gates of all panels.
"""

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from numlstm.kernels.cpu.products.tile import make_tile
from numlstm.kernels.cpu.runtime.launch import kernel, specialize
from numlstm.kernels.cpu.runtime.target import target
from numlstm.kernels.cpu.runtime.vector import VECTOR_BYTES, address, lanes, lanes_of

WIDE = 4
"""Vectors in a panel. In an LSTM they are the four gates of one vector of units."""

TILE_ROWS, _ = target().tile

_DEPTH = 96 if target().register_bytes == VECTOR_BYTES else 128
"""Steps of k that are multiplied at a time: 24 KB of a wide panel, which the tiles find in the L1 cache one after the
other. Tiles of narrow registers read a part of each row at a time, so more rows have room."""

_LINES = -(-target().tile[1] * target().register_bytes // VECTOR_BYTES)
"""Cache lines of a row of B that a full tile reads."""

_FAR = 2 << 20
"""Tiles of narrow registers prefetch if B has more bytes than this. By turns on AVX2, 2026-11, the time that it saves:
1024 units (16 MB of U) on an EPYC of the fifth generation: 13 to 17 %, 9 to 11 % with backward;
512 units (4 MB of U) on a Xeon with 2 MB of L2 a core: 6 %, 2 % with backward; on an EPYC of the fourth: none.
On an EPYC of the third, where all tiles prefetched, 256 and 512 units took 4 to 9 % more."""


tile_1 = tile_2 = tile_3 = tile_4 = tile_5 = tile_6 = None  # Placeholders: each width binds its own tiles.


@njit(inline="always")
def _multiply_rows(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, rows, far):
    """Multiply one panel with all rows, in tiles of nearly equal height. Low tiles wait for the panel's columns."""
    tiles = (rows + TILE_ROWS - 1) // TILE_ROWS
    pace = 0 if far or _LINES == WIDE else -1  # Tiles of whole vectors have time enough to prefetch always.
    while pace >= 0 and 2 * _LINES << pace <= tiles:
        pace += 1
    row = 0
    while tiles > 0:
        height = (rows - row + tiles - 1) // tiles
        if TILE_ROWS >= 6 and height == 6:
            tile_6(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, row, pace)
        elif TILE_ROWS >= 5 and height == 5:
            tile_5(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, row, pace)
        elif TILE_ROWS >= 4 and height == 4:
            tile_4(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, row, pace)
        elif TILE_ROWS >= 3 and height == 3:
            tile_3(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, row, pace)
        elif height == 2:
            tile_2(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, row, pace)
        else:
            tile_1(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, row, pace)
        row += height
        tiles -= 1


def _rows_of_tiles(columns, pitch):
    """Make `_multiply_rows` for `columns` vectors of panels with `pitch` vectors."""
    tiles = {f"tile_{rows}": make_tile(rows, columns, pitch) for rows in range(1, TILE_ROWS + 1)}
    return specialize(_multiply_rows, f"{columns}_of_{pitch}", **tiles)


_wide_rows, _narrow_rows, part_rows = _rows_of_tiles(WIDE, WIDE), _rows_of_tiles(1, 1), None


@kernel("pointer int int int pointer pointer int int int int bool bool")
def _product(a, a_row, a_segment, a_step, b, c, c_row, segments, length, rows, far, wide):
    # A block of k at a time: a tile finds this part of the panel in the L1 cache, because the tile before has read it.
    together = max(1, _DEPTH // max(1, length))
    parted = segments == 1
    blocks = (length + _DEPTH - 1) // _DEPTH if parted else (segments + together - 1) // together
    for block in range(blocks):
        if parted:
            k = length * block // blocks
            count, steps, a_at = 1, length * (block + 1) // blocks - k, k * a_step
        else:
            segment = block * together
            count, steps, a_at = min(together, segments - segment), length, segment * a_segment
            k = segment * length
        b_at = k * lanes_of(b) * (WIDE if wide else 1)
        if wide:
            _wide_rows(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, count, steps, rows, far)
        else:
            _narrow_rows(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, count, steps, rows, far)


@kernel("pointer int int int pointer pointer int int int int bool")
def _part_product(a, a_row, a_segment, a_step, b, c, c_row, segments, length, rows, far):
    for segment in range(segments):
        blocks = (length + _DEPTH - 1) // _DEPTH
        for block in range(blocks):
            k = length * block // blocks
            count = length * (block + 1) // blocks - k
            a_at, b_at = segment * a_segment + k * a_step, (segment * length + k) * lanes_of(b) * WIDE
            part_rows(a, a_at, a_row, 0, a_step, b, b_at, c, c_row, 1, count, rows, far)


PART_PRODUCTS = {
    count: _part_product.specialize(f"of_{count}", part_rows=_rows_of_tiles(count, WIDE)) for count in range(1, WIDE)
}
"""The `uses` of a kernel that multiplies with `ADD_PART[count]`, beside `MATMUL`."""

MATMUL = (_product,)
"""The `uses` of a kernel that multiplies with the other functions below."""


def _emit_far(context, builder, array_type, b):
    """Emit whether B is weights of more than `_FAR` bytes. Gates are B of the weights' gradients: other rows follow."""
    if array_type.ndim > 1:
        return ir.IntType(1)(0)
    count = context.make_array(array_type)(context, builder, b).nitems
    return builder.icmp_signed(">", count, ir.IntType(64)(_FAR // (array_type.dtype.bitwidth // 8)))


@intrinsic
def add_product(context, a, a_at, a_row, a_segment, a_step, b, b_at, c, c_at, c_row, segments, length, rows, wide):
    """C += A B for `rows` rows of C and one panel of B.

    a, a_at: array and offset of A's first element; a_row, a_segment, a_step: strides from row to row, from segment to
        segment of k, and from step to step within one; all in elements
    b, b_at: array and offset of the panel, [segments * length, lanes of the panel], contiguous
    c, c_at, c_row: array, offset and row stride of C, whose rows hold a whole panel
    wide: whether the panel is a wide one
    """

    def emit(context, builder, sig, args):
        a, a_at, a_row, a_segment, a_step, b, b_at, c, c_at, c_row, segments, length, rows, wide = args
        one, lane_count = segments.type(1), segments.type(lanes(sig.args[0].dtype.bitwidth // 8))
        width = builder.select(wide, builder.mul(lane_count, one.type(WIDE)), lane_count)
        ks = builder.mul(segments, length)
        far = _emit_far(context, builder, sig.args[5], b)
        a, b, c = (
            address(context, builder, sig.args[index], array, offset, axes)
            for index, array, offset, axes in (
                (0, a, a_at, [(rows, a_row), (segments, a_segment), (length, a_step)]),
                (5, b, b_at, [(ks, width), (width, one)]),
                (7, c, c_at, [(rows, c_row), (width, one)]),
            )
        )
        arguments = [a, a_row, a_segment, a_step, b, c, c_row, segments, length, rows, far, wide]
        _product.emit_call(context, builder, sig.args[0].dtype.name, arguments)
        return context.get_dummy_value()

    return types.void(a, *[types.intp] * 4, b, types.intp, c, *[types.intp] * 5, types.boolean), emit


def _make_add_part(count):
    def add_part(context, a, a_at, a_row, a_segment, a_step, b, b_at, c, c_at, c_row, segments, length, rows):
        def emit(context, builder, sig, args):
            a, a_at, a_row, a_segment, a_step, b, b_at, c, c_at, c_row, segments, length, rows = args
            one, lane_count = segments.type(1), lanes(sig.args[0].dtype.bitwidth // 8)
            width, pitch = one.type(count * lane_count), one.type(WIDE * lane_count)
            ks = builder.mul(segments, length)
            far = _emit_far(context, builder, sig.args[5], b)
            a, b, c = (
                address(context, builder, sig.args[index], array, offset, axes)
                for index, array, offset, axes in (
                    (0, a, a_at, [(rows, a_row), (segments, a_segment), (length, a_step)]),
                    (5, b, b_at, [(ks, pitch), (width, one)]),
                    (7, c, c_at, [(rows, c_row), (width, one)]),
                )
            )
            arguments = [a, a_row, a_segment, a_step, b, c, c_row, segments, length, rows, far]
            PART_PRODUCTS[count].emit_call(context, builder, sig.args[0].dtype.name, arguments)
            return context.get_dummy_value()

        return types.void(a, *[types.intp] * 4, b, types.intp, c, *[types.intp] * 5), emit

    add_part.__name__ = add_part.__qualname__ = f"add_part_of_{count}"
    return intrinsic(add_part)


ADD_PART = {count: _make_add_part(count) for count in range(1, WIDE)}
"""`add_product` for this many of a wide panel's vectors. `b_at` and `c_at` are the offsets of the first one."""


# N columns become as many wide panels as fit. The rest become narrow panels, or a wide one if they nearly fill it.


@njit(inline="always")
def wide_panels(columns, lane_count):
    """The number of wide panels."""
    return (columns + lane_count - 1) // (WIDE * lane_count)


@njit(inline="always")
def narrow_panels(columns, lane_count):
    """The number of narrow panels after the wide ones."""
    rest = columns - wide_panels(columns, lane_count) * WIDE * lane_count
    return (rest + lane_count - 1) // lane_count if rest > 0 else 0


def padded(columns, lane_count):
    """The number of columns of all panels together. Not for kernels."""
    wide = (columns + lane_count - 1) // (WIDE * lane_count) * WIDE * lane_count
    return max(wide, -(-columns // lane_count) * lane_count)


@njit(inline="always")
def add_panels(
    a, a_at, a_row, a_segment, a_step, b, k, depth, columns, first, last, c, c_at, c_row, segments, length, rows
):  # fmt: skip
    """C += A B over the panels of B from `first` to before `last`, and its rows from k to k + segments * length.

    b: [depth * padded(columns)] the panels one after the other, wide ones first
    The other parameters are those of `add_product`.
    """
    lane_count = lanes_of(b)
    width = WIDE * lane_count
    wide = wide_panels(columns, lane_count)
    for panel in range(first, min(last, wide)):
        at = (panel * depth + k) * width
        add_product(
            a, a_at, a_row, a_segment, a_step, b, at, c, c_at + panel * width, c_row, segments, length, rows, True
        )
    for panel in range(max(first, wide), last):
        done = wide * width + (panel - wide) * lane_count
        at = depth * done + k * lane_count
        add_product(a, a_at, a_row, a_segment, a_step, b, at, c, c_at + done, c_row, segments, length, rows, False)


@njit(inline="always")
def pack_rows(matrix, row, rows, k, depth, b):
    """Write some rows of a matrix with any strides to the panels, as the rows of B from k on."""
    columns = matrix.shape[1]
    lane_count = lanes_of(b)
    width = WIDE * lane_count
    wide = wide_panels(columns, lane_count) * width
    for first in range(0, b.size // depth, lane_count):
        live = min(lane_count, columns - first)
        if first < wide:
            panel = first // width
            at, step = (panel * depth + k) * width + first - panel * width, width
        else:
            at, step = depth * first + k * lane_count, lane_count
        for r in range(row, row + rows):
            for lane in range(lane_count):
                b[at + lane] = matrix[r, first + lane] if lane < live else 0.0
            at += step
