"""The layout of gates in memory. It has no nearly empty vectors, which for H = 50 would waste a fifth of all work.

A vector has L lanes. A cell has one or four slots, and one vector for each slot holds z, or the gates, of L units.
Units are in panels of four vectors side by side. A panel holds L units of a cell with four slots, such as i f g o of an
LSTM, or 4 L units of a cell with one slot. If the last panel has few units, it has one to three vectors instead, one
after the other. With four slots, each of them holds the four gates of L/4 units:

    i i i i f f f f g g g g o o o o

Such vectors are transposed when they are loaded for the cell's equations and stored after them.

gates [P, T, B, 4L] for P panels. A last panel of few units holds vectors [T, B, L]; the rest of it is unused.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from numlstm.kernels.cpu.products.matmul import (
    ADD_PART,
    WIDE,
    add_panels,
    add_product,
    narrow_panels,
    pack_rows,
    padded,
    wide_panels,
)
from numlstm.kernels.cpu.runtime.launch import kernel, specialize
from numlstm.kernels.cpu.runtime.vector import add_sum, fma, lanes_of, load, load_part, store, store_part, zero

_FEW_COLUMNS = 4
"""Up to this many last columns are products of vectors and have no panel."""


def divide(units, lane_count, slots):
    """(number of whole panels, number of vectors in the last one)."""
    per_panel = WIDE // slots * lane_count
    whole, rest = units // per_panel, units % per_panel
    # A vector of fewer lanes than slots cannot hold all slots of a unit.
    vectors = (slots * rest + lane_count - 1) // lane_count if lane_count >= slots else slots * rest
    return (whole + vectors // WIDE, vectors % WIDE)


_divided = njit(inline="always")(divide)


@njit(inline="always")
def vectors_of(panel, units, lane_count, slots):
    """The number of vectors of a panel: `WIDE`, or fewer in a last panel of few units."""
    whole, vectors = _divided(units, lane_count, slots)
    return WIDE if panel < whole else vectors


@njit(inline="always")
def strides_of(gates, vectors):
    """(stride from row to row, stride from vector to vector) of a panel, in elements."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    return (width, lane_count) if vectors == WIDE else (lane_count, steps * batch * lane_count)


@intrinsic
def _transpose(context, a, b, c, d):
    """Transpose the 4 x 4 blocks of four vectors."""

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


# The slots of a cell for one vector of units, number `part` of its panel


@njit(inline="always")
def _load_four(array, at, part, vectors, step):
    if vectors == WIDE:
        return load(array, at), load(array, at + step), load(array, at + 2 * step), load(array, at + 3 * step)
    second = load(array, at + step) if vectors > 1 else zero(array)
    third = load(array, at + 2 * step) if vectors > 2 else zero(array)
    return _transpose(load(array, at), second, third, zero(array))


@njit(inline="always")
def _store_four(array, at, part, vectors, step, slots):
    first, second, third, fourth = slots
    if vectors < WIDE:
        first, second, third, fourth = _transpose(first, second, third, fourth)
    store(array, at, first)
    if vectors > 1:
        store(array, at + step, second)
    if vectors > 2:
        store(array, at + 2 * step, third)
    if vectors == WIDE:
        store(array, at + 3 * step, fourth)


@njit(inline="always")
def _load_one(array, at, part, vectors, step):
    return (load(array, at + part * step),)


@njit(inline="always")
def _store_one(array, at, part, vectors, step, slots):
    store(array, at + part * step, slots[0])


@njit(inline="always")
def _nothing_in_four(array):
    return zero(array), zero(array), zero(array), zero(array)


@njit(inline="always")
def _nothing_in_one(array):
    return (zero(array),)


SLOTS = {
    4: {"load_slots": _load_four, "store_slots": _store_four, "empty_slots": _nothing_in_four},
    1: {"load_slots": _load_one, "store_slots": _store_one, "empty_slots": _nothing_in_one},
}
"""Functions that kernels bind by name, by the number of slots.

load_slots(array, at, part, vectors, step): the slots, from vectors that are `step` apart
store_slots(array, at, part, vectors, step, slots): write what `load_slots` loads
empty_slots(array): zeros
"""


# Products of one panel. If W or U contributes to some slots only, fewer than four vectors take part.


@njit(inline="always")
def _add_all(a, a_at, a_row, a_step, b, b_at, b_step, c, c_at, c_row, c_step, length, rows, vectors, first):
    if vectors == WIDE:
        add_product(a, a_at, a_row, 0, a_step, b, b_at, c, c_at, c_row, 1, length, rows, True)
    else:
        _add_narrow(a, a_at, a_row, a_step, b, b_at, b_step, c, c_at, c_row, c_step, length, rows, vectors)


add_part = None


@njit(inline="always")
def _add_some(a, a_at, a_row, a_step, b, b_at, b_step, c, c_at, c_row, c_step, length, rows, vectors, first):
    if vectors == WIDE:
        skipped = first * lanes_of(b)
        add_part(a, a_at, a_row, 0, a_step, b, b_at + skipped, c, c_at + skipped, c_row, 1, length, rows)
    else:
        _add_narrow(a, a_at, a_row, a_step, b, b_at, b_step, c, c_at, c_row, c_step, length, rows, vectors)


@njit(inline="always")
def _add_narrow(a, a_at, a_row, a_step, b, b_at, b_step, c, c_at, c_row, c_step, length, rows, vectors):
    for v in range(vectors):
        at, to = b_at + v * b_step, c_at + v * c_step
        add_product(a, a_at, a_row, 0, a_step, b, at, c, to, c_row, 1, length, rows, False)


ADD = {WIDE: _add_all}
ADD |= {count: specialize(_add_some, f"of_{count}", add_part=part) for count, part in ADD_PART.items()}
"""C += A B for one panel, by the number of its vectors that take part, from `first` on.

b_step, c_step: strides from vector to vector of a last panel of few units
The other parameters are those of `matmul.add_product`.
"""


@njit(inline="always")
def add_gates_product(gates, row, panels, units, slots, taking, columns, first_panel, last_panel, c, c_at, c_row, rows):
    """C += dG Mᵀ for `rows` of the T·B rows of dG, from `row` on, and some panels of Mᵀ (see `pack_transposed`).

    taking: (first, count) of the vectors of a panel of gates that take part
    """
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    panel = steps * batch * width
    whole, vectors = _divided(units, lane_count, slots)
    skipped, taken = taking[0] * lane_count, taking[1] * lane_count
    depth = whole * taken + vectors * lane_count
    body, count = body_of(columns, lane_count), panels_of(columns, lane_count)
    last = min(last_panel, wide_panels(body, lane_count) + narrow_panels(body, lane_count))
    tail = whole * panel + row * lane_count
    # First the whole panels of gates, then the vectors of the last one. The loop has one call, which is compiled once.
    a_at, a_row, segment, k = row * width + skipped, width, panel, 0
    segments, length = whole, taken
    for _ in range(2):
        add_panels(
            gates, a_at, a_row, segment, 1, panels, k, depth, body, first_panel, last, c, c_at, c_row, segments, length,
            rows,
        )  # fmt: skip
        a_at, a_row, segment, k = tail, lane_count, steps * batch * lane_count, whole * taken
        segments, length = vectors, lane_count
    if last_panel < count:
        return
    for r in range(rows):
        for column in range(body, columns):
            total = zero(gates)
            at = panels.size - depth * (columns - column)
            for each in range(whole):
                for v in range(0, taken, lane_count):
                    dg = load(gates, each * panel + (row + r) * width + skipped + v)
                    total = fma(dg, load(panels, at + each * taken + v), total)
            for v in range(vectors):
                dg = load(gates, tail + v * steps * batch * lane_count + r * lane_count)
                total = fma(dg, load(panels, at + whole * taken + v * lane_count), total)
            add_sum(c, c_at + r * c_row + column, total)


@njit(inline="always")
def body_of(columns, lane_count):
    """The number of columns of Mᵀ that are in panels."""
    rest = columns % lane_count
    return columns - rest if rest <= _FEW_COLUMNS else columns


@njit(inline="always")
def panels_of(columns, lane_count):
    """The number of parts of the columns of Mᵀ: the panels, and the last few columns as one part."""
    body = body_of(columns, lane_count)
    return wide_panels(body, lane_count) + narrow_panels(body, lane_count) + (1 if body < columns else 0)


# Packing. `blocks`: for each slot the block of H columns that it takes of a matrix [K, GH]; -1: none.


@kernel("real2C int1C int real1C")
def pack_gates(matrix, blocks, units, panels):
    """Write [K, GH] to the panels of all units, with zeros beyond H and for slots without a block."""
    depth, columns = matrix.shape
    slots, lane_count = blocks.size, lanes_of(panels)
    parts = WIDE // slots
    at = 0
    for panel in range((units + parts * lane_count - 1) // (parts * lane_count)):
        first = panel * parts * lane_count
        vectors = vectors_of(panel, units, lane_count, slots)
        # A whole panel has a row of vectors for each k. A last panel of few units has its vectors one after the other.
        whole = vectors == WIDE
        size, pieces = (lane_count, WIDE) if whole else (lane_count // slots, slots)
        for v in range(1 if whole else vectors):
            for k in range(depth):
                for piece in range(pieces):
                    unit = first + (piece % parts * size if whole else v * size)
                    block = blocks[piece // parts if whole else piece]
                    live = min(size, units - unit) if block >= 0 else 0
                    store_part(panels, at, load_part(matrix, k * columns + block * units + unit, live), size)
                    at += size


@kernel("real2R int1C int int int real1C")
def pack_transposed(matrix, blocks, units, first, count, packed):
    """Write [GH, N] to panels whose rows are in the order of the gates, then the last few columns.

    Rows without a unit are not written: the caller sets them to zero.

    first, count: the vectors of a panel of gates that take part
    """
    slots, columns = blocks.size, matrix.shape[1]
    lane_count = lanes_of(packed)
    per_panel, size = WIDE // slots * lane_count, max(1, lane_count // slots)
    body = body_of(columns, lane_count)
    whole, vectors = _divided(units, lane_count, slots)
    depth = (whole * count + vectors) * lane_count
    panels = packed[: packed.size - depth * (columns - body)]
    for slot in range(slots):
        for unit in range(units if blocks[slot] >= 0 else 0):
            panel, place = unit // per_panel, unit % per_panel
            if panel < whole:
                k = (panel * count + slot - first) * lane_count + place
            else:
                k = (whole * count + place // size) * lane_count + slot * size + place % size
            row = blocks[slot] * units + unit
            pack_rows(matrix[:, :body], row, 1, k, depth, panels)
            for column in range(body, columns):
                packed[packed.size - depth * (columns - column) + k] = matrix[row, column]


def packed_size(units, slots, count, columns, lane_count):
    """The number of elements that `pack_transposed` takes. Not for kernels."""
    whole, vectors = divide(units, lane_count, slots)
    last = columns % lane_count if columns % lane_count <= _FEW_COLUMNS else 0
    return (whole * count + vectors) * lane_count * (padded(columns - last, lane_count) + last)


def unpack_gates(gates, units, slots):
    """Return the contents of each slot as [T, B, H]. Not for kernels."""
    _, steps, batch, width = gates.shape
    lane_count = width // WIDE
    whole, vectors = divide(units, lane_count, slots)
    parts = [*gates[:whole].reshape(whole, steps, batch, slots, width // slots)]
    if vectors:
        narrow = gates[whole].reshape(-1)[: vectors * steps * batch * lane_count]
        parts += [*narrow.reshape(vectors, steps, batch, slots, lane_count // slots)]
    return [np.concatenate([part[:, :, slot] for part in parts], axis=2)[:, :, :units] for slot in range(slots)]
