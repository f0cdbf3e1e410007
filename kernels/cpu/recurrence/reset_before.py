"""The two products of a step whose cell resets h' before the product with U: for the gates, and for r ⊙ h'.

r ⊙ h' is in the last slot of a panel. Threads share rows only, because all units of a row must be reset before the
second product. U and Uᵀ have two parts, one after the other: the part of the gates and the part of r ⊙ h'.
"""

from numba import njit

from numlstm.kernels.cpu.products.layout import add_gates_product, divide, panels_of, strides_of, vectors_of
from numlstm.kernels.cpu.products.matmul import ADD_PART, WIDE, add_product
from numlstm.kernels.cpu.runtime.vector import lanes_of, load, store

add_reset = ADD_PART[1]

# The names that a cell's kernels bind beside those of `loops.project`; they are explained there.
project_gates = None
reset_forward = reset_backward = None
load_slots = store_slots = None
STATE_VECTORS = RESET_VECTORS = ()

_divided = njit(inline="always")(divide)


@njit(inline="always")
def project_twice(x, t, h, slot, weights, units, gates, place, first_panel, last_panel, begin, end, options):
    """z of step t for one panel and some rows, as in `loops.project`. The first panel's call resets h' of all units."""
    w, u, bias = weights
    _, kept, batch, width = gates.shape
    row, lane_count = h.shape[2], lanes_of(gates)
    size, panel = u.size // 2, place[0]
    if panel == first_panel:
        for each in range(first_panel, last_panel):
            vectors = vectors_of(each, units, lane_count, WIDE)
            z_row, z_step = strides_of(gates, vectors)
            z = each * kept * batch * width + (t % kept * batch + begin) * z_row
            there = each, vectors, z, z_row, z_step
            project_gates(
                x, t, h, slot, (w, u[:size], bias), units, gates, there, first_panel, last_panel, begin, end, options
            )
            for b in range(begin, end):
                h_in = load(h, (slot * batch + b) * row + each * lane_count)
                at = z + (b - begin) * z_row
                slots = reset_forward(load_slots(gates, at, 0, vectors, z_step), h_in, options)
                store_slots(gates, at, 0, vectors, z_step, slots)
    # First r ⊙ h' of the units in whole vectors, then of the rest, in one vector or in blocks of several vectors.
    whole, _ = _divided(units, lane_count, WIDE)
    full, rest = units // lane_count, units % lane_count
    step_row = t % kept * batch + begin
    at, segment = step_row * width + 3 * lane_count, kept * batch * width
    _add_reset(gates, at, width, segment, full, lane_count, u, size, 0, units, step_row, panel, end - begin)
    if full < whole:
        at += full * segment
        _add_reset(gates, at, width, 0, 1, rest, u, size, units - rest, units, step_row, panel, end - begin)
    elif rest > 0:
        block = lane_count // WIDE
        at, segment = full * segment + step_row * lane_count + 3 * block, kept * batch * lane_count
        count, last = rest // block, rest % block
        k = units - rest
        _add_reset(gates, at, lane_count, segment, count, block, u, size, k, units, step_row, panel, end - begin)
        if last > 0:
            at, k = at + count * segment, units - last
            _add_reset(gates, at, lane_count, 0, 1, last, u, size, k, units, step_row, panel, end - begin)


@njit(inline="always")
def _add_reset(gates, at, at_row, segment, segments, length, u, u_at, k, units, step_row, panel, rows):
    """z of one panel += (r ⊙ h') U over some units: `segments` times `length` units, from number k on.

    at, at_row, segment: the offset of r ⊙ h' of these units, its strides from row to row and from segment to segment
    u_at: the offset of this part of U
    step_row: the first row of the step
    """
    _, kept, batch, width = gates.shape
    lane_count = lanes_of(gates)
    vectors = vectors_of(panel, units, lane_count, WIDE)
    z_row, z_step = strides_of(gates, vectors)
    z, u_at = panel * kept * batch * width + step_row * z_row, u_at + panel * units * width
    if vectors == WIDE:
        add_reset(gates, at, at_row, segment, 1, u, u_at + k * width, gates, z, z_row, segments, length, rows)
    else:
        for v in range(vectors):
            add_product(
                gates, at, at_row, segment, 1, u, u_at + (v * units + k) * lane_count, gates, z + v * z_step, z_row,
                segments, length, rows, False,
            )  # fmt: skip


@njit(inline="always")
def reset_dh(gates, t, h, ut, units, dh_in, begin, end, options):
    """Compute dz_r of step t and dh' through r ⊙ h' for some rows. Return the part of Uᵀ that multiplies dG.

    dh_in: [B, HL] zeros, overwritten with the gradient of r ⊙ h', and then with that of h'
    """
    _, steps, batch, width = gates.shape
    row, lane_count = dh_in.shape[1], lanes_of(gates)
    whole, tail = _divided(units, lane_count, WIDE)
    # Both parts have equal columns. A whole panel has two vectors of rows in the first part and one in the second.
    size = ut.size // (3 * whole + 2 * tail) * (2 * whole + tail)
    groups = (units + lane_count - 1) // lane_count
    add_gates_product(
        gates, t * batch + begin, ut[size:], units, WIDE, RESET_VECTORS, units, 0, panels_of(units, lane_count),
        dh_in, begin * row, row, end - begin,
    )  # fmt: skip
    for group in range(groups):
        vectors = vectors_of(group, units, lane_count, WIDE)
        gate_row, gate_step = strides_of(gates, vectors)
        for b in range(begin, end):
            gate = group * steps * batch * width + (t * batch + b) * gate_row
            state = b * row + group * lane_count
            dz, passed = reset_backward(
                load_slots(gates, gate, 0, vectors, gate_step), load(dh_in, state),
                load(h, t * batch * row + state), options,
            )  # fmt: skip
            store_slots(gates, gate, 0, vectors, gate_step, dz)
            store(dh_in, state, passed)
    return ut[:size]


@njit(inline="always")
def take_reset(x, mask, h, gates, units, columns, first, count, begin, end):
    """Copy some columns of r ⊙ h' for `count` of the T·B rows. It takes the place of `gradients.take_columns`."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    whole, _ = _divided(units, lane_count, WIDE)
    flat = gates.reshape(gates.size)
    block = max(1, lane_count // WIDE)
    for column in range(begin, min(end, units)):
        panel, lane = column // lane_count, column % lane_count
        at, step = panel * steps * batch * width + first * width + 3 * lane_count + lane, width
        if panel >= whole:
            at = panel * steps * batch * width + (lane // block * steps * batch + first) * lane_count
            at, step = at + 3 * block + lane % block, lane_count
        for k in range(count):
            columns[k, column - begin] = flat[at + k * step]
    if end > units:
        for k in range(count):
            columns[k, end - 1 - begin] = 1.0
