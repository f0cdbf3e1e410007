"""The micro-kernel of all products: a tile of C, some rows by some vectors of columns, which stays in registers.

While k runs, each number of the tile is one chain of fused multiply-adds. Of the rows of A and the columns of B, the
fewer are held in registers, while the others pass by. Meanwhile the tiles prefetch the block of B that comes next.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numlstm.kernels.cpu.runtime.target import target
from numlstm.kernels.cpu.runtime.vector import VECTOR_BYTES, Vector, emit_fma, emit_spread, llvm_type


def make_tile(rows, columns, pitch):
    """Make the micro-kernel for one shape: C[rows, columns vectors] += A[rows, K] B[K, columns vectors].

    pitch: the vectors from one row of B to the next
    """

    def tile(context, a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, first, pace):
        def emit(context, builder, sig, args):
            emit_tiles(builder, a.dtype, args, rows, columns, pitch)
            return context.get_dummy_value()

        return types.void(a, *[types.intp] * 4, b, types.intp, c, *[types.intp] * 5), emit

    # numba distinguishes intrinsics by their names.
    tile.__name__ = tile.__qualname__ = f"_tile_{rows}x{columns}_of_{pitch}"
    return intrinsic(tile)


def _largest_divisor(number, most):
    return max(divisor for divisor in range(1, most + 1) if number % divisor == 0)


def emit_tiles(builder, dtype, args, rows, columns, pitch):
    """Emit the tiles of `rows` rows of a panel, side by side: low ones wider, to have as many sums as full ones."""
    *args, pace = args
    vector, integer = Vector(dtype, target().register_bytes), ir.IntType(64)
    in_vector, (most_rows, registers) = VECTOR_BYTES // target().register_bytes, target().tile
    at_once = _largest_divisor(columns * in_vector, most_rows * registers // rows)
    count, lines = columns * in_vector // at_once, -(-at_once // in_vector)

    def emit(number):
        if pitch == 1 or in_vector == 1:
            _emit_tile(
                builder, vector, args, rows, at_once, pitch * in_vector, number, 0 if pitch == 1 else lines, pace
            )
            return
        # In a narrow tile, few multiply-adds hide a prefetch. So only as many tiles prefetch as it takes, and only if B
        # does not fit a cache nearby. No tile is before row 0.
        after = builder.shl(integer(rows * lines), pace)
        after = builder.select(builder.icmp_signed("<", pace, integer(0)), integer(0), after)
        prefetching = builder.icmp_signed("<", args[-1], after)
        with builder.if_else(prefetching) as (then, otherwise):
            for branch, prefetched in ((then, lines), (otherwise, 0)):
                with branch:
                    _emit_tile(builder, vector, args, rows, at_once, pitch * in_vector, number, prefetched, pace)

    if count == 1:
        emit(integer(0))
        return
    with cgutils.for_range(builder, integer(count)) as loop:
        emit(loop.index)


def _emit_tile(builder, vector, args, rows, columns, pitch, number, prefetched, pace):
    """Emit one tile, the one with this number of the tiles side by side. Here a vector is one register.

    prefetched: the cache lines of a row that the tiles prefetch in turn, each tile a part of one line of all rows of
        the next block of B; 0: none
    pace: log2 of the number of tiles that share a line, and of the steps of k for each prefetch
    """
    a_start, a_at, a_row, a_segment, a_step, b_start, b_at, c_start, c_row, segments, length, first = args
    vector_type, integer = llvm_type(vector), ir.IntType(64)
    alignment = vector.dtype.bitwidth // 8
    span = integer(pitch * vector.lanes)

    def moved(pointer, offset):
        return builder.gep(pointer, [offset])

    def as_vector(pointer, column):
        return builder.bitcast(moved(pointer, integer(column * vector.lanes)), vector_type.as_pointer())

    skipped = builder.mul(number, integer(columns * vector.lanes))
    a_start, c_start = moved(a_start, builder.mul(a_row, first)), moved(c_start, builder.mul(c_row, first))
    a_start, b_start, c_start = (
        moved(a_start, a_at),
        moved(b_start, builder.add(b_at, skipped)),
        moved(c_start, skipped),
    )
    a_rows = [moved(a_start, builder.mul(a_row, integer(row))) for row in range(rows)]
    c_tiles = [
        as_vector(moved(c_start, builder.mul(c_row, integer(row))), column)
        for row in range(rows)
        for column in range(columns)
    ]
    initial = [builder.load(pointer, align=alignment) for pointer in c_tiles]

    if prefetched:
        tile, ks = builder.udiv(first, integer(rows)), builder.mul(segments, length)
        line = builder.urem(builder.lshr(tile, pace), integer(prefetched))
        part = builder.and_(tile, builder.sub(builder.shl(integer(1), pace), integer(1)))
        row = builder.add(ks, builder.lshr(builder.mul(part, ks), pace))
        line_at = builder.mul(line, integer(VECTOR_BYTES // alignment))
        fetched = moved(b_start, builder.add(builder.mul(row, span), line_at))

    entry = builder.block
    outer, inner, outer_end, done = (builder.append_basic_block(name) for name in ("segment", "k", "next", "done"))
    some = builder.and_(builder.icmp_signed(">", segments, integer(0)), builder.icmp_signed(">", length, integer(0)))
    builder.cbranch(some, outer, done)

    builder.position_at_end(outer)
    segment, a_outer, b_outer = builder.phi(integer), builder.phi(integer), builder.phi(b_start.type)
    sums_outer = [builder.phi(vector_type) for _ in initial]
    builder.branch(inner)

    builder.position_at_end(inner)
    k, a_offset, b_pointer = builder.phi(integer), builder.phi(integer), builder.phi(b_start.type)
    sums = [builder.phi(vector_type) for _ in initial]
    if prefetched:
        # 2^pace steps prefetch the same line: at once, the lines would come faster than from a far cache.
        passed = builder.sub(builder.ptrtoint(b_pointer, integer), builder.ptrtoint(b_start, integer))
        steps = builder.udiv(passed, integer(pitch * vector.lanes * alignment))
        _prefetch(builder, moved(fetched, builder.mul(builder.lshr(steps, pace), span)))

    def spread_of(row):
        return emit_spread(builder, builder.load(moved(a_rows[row], a_offset)), vector)

    def column_of(column):
        return builder.load(as_vector(b_pointer, column), align=alignment)

    # Of rows and columns, the fewer are held in registers, while the others pass by one after the other.
    products = {}
    if columns <= rows:
        held = [column_of(column) for column in range(columns)]
        for row in range(rows):
            spread = spread_of(row)
            for column in range(columns):
                products[row, column] = emit_fma(builder, vector, spread, held[column], sums[row * columns + column])
    else:
        held = [spread_of(row) for row in range(rows)]
        for column in range(columns):
            passing = column_of(column)
            for row in range(rows):
                products[row, column] = emit_fma(builder, vector, held[row], passing, sums[row * columns + column])
    products = [products[row, column] for row in range(rows) for column in range(columns)]
    k_next, a_next, b_next = builder.add(k, integer(1)), builder.add(a_offset, a_step), moved(b_pointer, span)
    builder.cbranch(builder.icmp_signed("<", k_next, length), inner, outer_end)

    builder.position_at_end(outer_end)
    segment_next = builder.add(segment, integer(1))
    a_outer_next = builder.add(a_outer, a_segment)
    builder.cbranch(builder.icmp_signed("<", segment_next, segments), outer, done)

    outer_loop = [(segment, integer(0), segment_next), (a_outer, integer(0), a_outer_next), (b_outer, b_start, b_next)]
    inner_loop = [(k, integer(0), k_next), (a_offset, a_outer, a_next), (b_pointer, b_outer, b_next)]
    for phi, first, following in [*outer_loop, *zip(sums_outer, initial, products, strict=True)]:
        phi.add_incoming(first, entry)
        phi.add_incoming(following, outer_end)
    for phi, first, following in [*inner_loop, *zip(sums, sums_outer, products, strict=True)]:
        phi.add_incoming(first, outer)
        phi.add_incoming(following, inner)

    builder.position_at_end(done)
    results = [builder.phi(vector_type) for _ in c_tiles]
    for pointer, result, first, product in zip(c_tiles, results, initial, products, strict=True):
        result.add_incoming(first, entry)
        result.add_incoming(product, outer_end)
        builder.store(result, pointer, align=alignment)


def _prefetch(builder, pointer):
    """Prefetch a cache line into the L2 cache. Any address is allowed."""
    bytes_type, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
    function_type = ir.FunctionType(ir.VoidType(), [bytes_type, integer, integer, integer])
    function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
    reading, second_cache, data = integer(0), integer(2), integer(1)
    builder.call(function, [builder.bitcast(pointer, bytes_type), reading, second_cache, data])
