"""How gates lie in memory, so that a vector is never nearly empty: H = 50 would waste a fifth of all work.

Units go in groups of one vector, L lanes. A full group has a panel of four vectors side by side: i f g o. A last group
of few units has one to three narrow panels instead, one after the other, each with the four gates of L/4 units in one
vector: i i i i f f f f g g g g o o o o. Its vectors are transposed when gate math loads and stores them.

gates [P, T, B, 4L] for P groups; that of a last group of few units holds panels [T, B, L], and an unused rest.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from numlstm.kernels.cpu.products.matmul import (
    WIDE,
    add_panels,
    add_product,
    narrow_panels,
    pack_rows,
    padded,
    wide_panels,
)
from numlstm.kernels.cpu.runtime.launch import kernel
from numlstm.kernels.cpu.runtime.vector import add_sum, fma, lanes_of, load, load_part, store, store_part, zero

_FEW_COLUMNS = 4
"""So few last columns are products of vectors, not a panel of their own."""


def _divide(units, lane_count):
    """(how many groups have a wide panel, how many narrow panels the last one has)."""
    groups, rest = units // lane_count, units % lane_count
    # A vector of fewer lanes than there are gates cannot hold all four of a unit.
    vectors = (WIDE * rest + lane_count - 1) // lane_count if lane_count >= WIDE else WIDE * rest
    return (groups + vectors // WIDE, vectors % WIDE)


_divided = njit(inline="always")(_divide)


@njit(inline="always")
def vectors_of(group, units, lane_count):
    """How many vectors hold the gates of a group: `WIDE`, or fewer in a last group of few units."""
    full, vectors = _divided(units, lane_count)
    return WIDE if group < full else vectors


@njit(inline="always")
def strides_of(gates, vectors):
    """(from row to row, from vector to vector) of a group, in elements."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    return (width, lane_count) if vectors == WIDE else (lane_count, steps * batch * lane_count)


@intrinsic
def _transpose(context, a, b, c, d):
    """The 4 x 4 blocks of four vectors, transposed."""

    def emit(context, builder, sig, args):
        block = a.lanes // WIDE
        if not block:
            return context.make_tuple(builder, sig.return_type, args)

        def pick(left, right, lanes):
            indices = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
            return builder.shuffle_vector(left, right, indices)

        half, columns = a.lanes // 2, []
        for column in range(WIDE):
            lanes = list(range(column * block, (column + 1) * block))
            lanes += [lane + a.lanes for lane in lanes]
            upper, lower = pick(args[0], args[1], lanes), pick(args[2], args[3], lanes)
            columns.append(pick(upper, lower, list(range(2 * half))))
        return context.make_tuple(builder, sig.return_type, columns)

    return types.UniTuple(a, 4)(a, a, a, a), emit


@njit(inline="always")
def load_gates(array, at, vectors, step):
    """(i, f, g, o) of the units of a group, from vectors that are `step` apart."""
    if vectors == WIDE:
        return load(array, at), load(array, at + step), load(array, at + 2 * step), load(array, at + 3 * step)
    second = load(array, at + step) if vectors > 1 else zero(array)
    third = load(array, at + 2 * step) if vectors > 2 else zero(array)
    return _transpose(load(array, at), second, third, zero(array))


@njit(inline="always")
def store_gates(array, at, vectors, step, i, f, g, o):
    """Write what `load_gates` loads."""
    if vectors < WIDE:
        i, f, g, o = _transpose(i, f, g, o)
    store(array, at, i)
    if vectors > 1:
        store(array, at + step, f)
    if vectors > 2:
        store(array, at + 2 * step, g)
    if vectors == WIDE:
        store(array, at + 3 * step, o)


@njit(inline="always")
def add_group_product(
    a, a_at, a_row, a_segment, a_step, b, b_at, c, c_at, c_row, c_step, segments, length, rows, vectors
):
    """C += A B for the panels of a group, one behind the other in B and `c_step` apart in C (see `add_product`)."""
    if vectors == WIDE:
        add_product(a, a_at, a_row, a_segment, a_step, b, b_at, c, c_at, c_row, segments, length, rows, True)
    else:
        lane_count = lanes_of(b)
        for v in range(vectors):
            at = b_at + v * segments * length * lane_count
            add_product(
                a, a_at, a_row, a_segment, a_step, b, at, c, c_at + v * c_step, c_row, segments, length, rows, False
            )


@njit(inline="always")
def add_gates_product(gates, row, panels, units, columns, first_panel, last_panel, c, c_at, c_row, rows):
    """C += dG Mᵀ for some rows of dG, from `row` of all T·B on, and some panels of Mᵀ [4H, N], packed as below."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    group = steps * batch * width
    full, vectors = _divided(units, lane_count)
    depth = full * width + vectors * lane_count
    body, count = body_of(columns, lane_count), panels_of(columns, lane_count)
    last = min(last_panel, wide_panels(body, lane_count) + narrow_panels(body, lane_count))
    add_panels(
        gates, row * width, width, group, 1, panels, 0, depth, body, first_panel, last, c, c_at, c_row, full, width,
        rows,
    )  # fmt: skip
    tail = full * group + row * lane_count
    add_panels(
        gates, tail, lane_count, steps * batch * lane_count, 1, panels, full * width, depth, body, first_panel, last,
        c, c_at, c_row, vectors, lane_count, rows,
    )  # fmt: skip
    if last_panel < count:
        return
    for r in range(rows):
        for column in range(body, columns):
            total = zero(gates)
            at = panels.size - depth * (columns - column)
            for k in range(full):
                for v in range(0, width, lane_count):
                    dg = load(gates, k * group + (row + r) * width + v)
                    total = fma(dg, load(panels, at + k * width + v), total)
            for v in range(vectors):
                dg = load(gates, tail + v * steps * batch * lane_count + r * lane_count)
                total = fma(dg, load(panels, at + full * width + v * lane_count), total)
            add_sum(c, c_at + r * c_row + column, total)


@njit(inline="always")
def body_of(columns, lane_count):
    """How many of the columns of Mᵀ lie in panels."""
    rest = columns % lane_count
    return columns - rest if rest <= _FEW_COLUMNS else columns


@njit(inline="always")
def panels_of(columns, lane_count):
    """How many parts the columns of Mᵀ have: the panels, and the last few columns together."""
    body = body_of(columns, lane_count)
    return wide_panels(body, lane_count) + narrow_panels(body, lane_count) + (1 if body < columns else 0)


# Packing


@kernel("real2C real1C")
def pack_gates(matrix, panels):
    """[K, 4H] to the panels of all groups of units, zeros beyond H."""
    depth, units = matrix.shape[0], matrix.shape[1] // 4
    lane_count = lanes_of(panels)
    at = 0
    for group in range((units + lane_count - 1) // lane_count):
        first = group * lane_count
        vectors = vectors_of(group, units, lane_count)
        if vectors == WIDE:
            live = min(lane_count, units - first)
            for k in range(depth):
                for gate in range(4):
                    store(panels, at, load_part(matrix, (4 * k + gate) * units + first, live))
                    at += lane_count
        else:
            block = lane_count // WIDE
            for v in range(vectors):
                live = min(block, units - first - v * block)
                for k in range(depth):
                    for gate in range(4):
                        value = load_part(matrix, (4 * k + gate) * units + first + v * block, live)
                        store_part(panels, at, value, block)
                        at += block


@kernel("real2R real1C")
def pack_transposed(matrix, packed):
    """[4H, N] to panels whose rows have the order of the gates, then the last few columns; between them, zeros stay."""
    units, columns = matrix.shape[0] // 4, matrix.shape[1]
    lane_count = lanes_of(packed)
    body = body_of(columns, lane_count)
    full, vectors = _divided(units, lane_count)
    depth = (full * WIDE + vectors) * lane_count
    panels = packed[: packed.size - depth * (columns - body)]
    for gate in range(4):
        for unit in range(units):
            group, lane = unit // lane_count, unit % lane_count
            if group < full:
                k = (group * WIDE + gate) * lane_count + lane
            else:
                block = lane_count // WIDE
                k = (full * WIDE + lane // block) * lane_count + gate * block + lane % block
            row = gate * units + unit
            pack_rows(matrix[:, :body], row, 1, k, depth, panels)
            for column in range(body, columns):
                packed[packed.size - depth * (columns - column) + k] = matrix[row, column]


def packed_size(units, columns, lane_count):
    """How many numbers `pack_transposed` writes; not for kernels."""
    full, vectors = _divide(units, lane_count)
    last = columns % lane_count if columns % lane_count <= _FEW_COLUMNS else 0
    return (full * WIDE + vectors) * lane_count * (padded(columns - last, lane_count) + last)


def unpack_gates(gates, units):
    """i, f, g, o, [T, B, H] each, out of the layout; not for kernels."""
    _, steps, batch, width = gates.shape
    lane_count = width // WIDE
    full, vectors = _divide(units, lane_count)
    parts = [*gates[:full].reshape(full, steps, batch, 4, lane_count)]
    if vectors:
        narrow = gates[full].reshape(-1)[: vectors * steps * batch * lane_count]
        parts += [*narrow.reshape(vectors, steps, batch, 4, lane_count // 4)]
    return [np.concatenate([part[:, :, gate] for part in parts], axis=2)[:, :, :units] for gate in range(4)]
