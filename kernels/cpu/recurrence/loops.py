"""The loops through time: one forward, one backward, for every cell.

Batch rows are independent through all of time, so threads share the rows and never wait for each other. Where there are
few rows and U is too large for one core's cache, threads share the units instead, one step at a time.

Within a thread, units go in panels of four vectors of gates: a tile of the product holds all that the gate math of its
units needs, while it is still in the first cache.

Layouts, with L lanes and P panels:
    gates [P, T, B, 4L]   z, then the gates, then their gradients, as `products/layout.py` has it
    h, c  [T + 1, B, HL]  the initial state at index 0, HL units with those that fill the last vector; without training
                          two steps that take turns; a cell with one state has no c

A loop becomes a kernel for each cell by binding the cell's two functions, and what else its names below stand for. Each
kernel has two forms. The plain one has no options, so that nothing is asked in its inner loop; the one with options has
all of them, asked for at run time. What is None or missing there is an array of no elements.
"""

from numba import njit

from numlstm.kernels.cpu.products.layout import add_gates_product, body_of, panels_of, strides_of, vectors_of
from numlstm.kernels.cpu.products.matmul import MATMUL, WIDE, wide_panels
from numlstm.kernels.cpu.runtime.launch import kernel, part_of
from numlstm.kernels.cpu.runtime.vector import fma, lanes_of, load, load_part, spread, store, store_part, zero

_FOLDED_FEATURES = 4  # So few inputs are multiplied while the bias is at hand; more go through the micro-kernel.

# What a cell's kernels bind by name: the two functions of its page,
cell_forward = cell_backward = None
# what comes before U, forward and backward (see `project` and `no_reset`), and the products of a panel,
project_step = reset_step = add_input = add_state = None
# functions of `STATES` and `layout.SLOTS`,
load_state = store_state = empty_state = add_to_h = None
load_slots = store_slots = empty_slots = None
# how many slots it has, the (first, count) of a panel's vectors that W, and U, have, and whether h' reaches h beside
# the gates too.
SLOT_COUNT = 0
INPUT_VECTORS = STATE_VECTORS = ()
PASSES_H = False


@kernel(
    "(real3R,bool2R,int1C,bool) (real1C,real1C,real1C) (real4C,real3C,real3C) real3A none int int bool int int",
    uses=MATMUL,
)
def forward_steps(sequence, weights, trace, y, options, first, last, by_units, chunk, chunks):
    """The steps from `first` to before `last`, for a chunk of the rows or of the units.

    sequence: (x, mask, each row's first valid step, whether masked outputs are zero)
    weights: (W, U, b) in panels
    trace: (gates, h, c)
    options: the activation and the recurrent one, resets, dropout, and [2, B, HL], two steps that take turns: where
        there are resets or dropout, the h' that U meets
    """
    x, mask, first_valid, zero_output = sequence
    gates, h, c = trace
    steps, batch, _ = x.shape
    panels, kept, _, width = gates.shape
    slots, _, row = h.shape
    outputs, _, units = y.shape
    begin, end = (0, batch) if by_units else part_of(batch, chunk, chunks)
    first_panel, last_panel = part_of(panels, chunk, chunks) if by_units else (0, panels)
    lane_count = lanes_of(h)
    y_step, y_row = y.strides[0] // y.itemsize, y.strides[1] // y.itemsize
    source, sources = h, slots
    if options is not None:
        _, _, reset, dropout, h_in = options
        if h_in.size:
            source, sources = h_in, 2
    for t in range(first, last):
        before, after = t % slots * batch * row, (t + 1) % slots * batch * row
        output = t - steps + outputs
        for panel in range(first_panel, last_panel):
            vectors = vectors_of(panel, units, lane_count, SLOT_COUNT)
            z_row, z_step = strides_of(gates, vectors)
            z = panel * kept * batch * width + (t % kept * batch + begin) * z_row
            place = panel, vectors, z, z_row, z_step
            project_step(
                x, t, source, t % sources, weights, units, gates, place, first_panel, last_panel, begin, end, options
            )
            for part in range(1 if SLOT_COUNT == WIDE else vectors):
                unit = (panel * (WIDE // SLOT_COUNT) + part) * lane_count
                live = min(lane_count, units - unit)
                for b in range(begin, end):
                    state = b * row + unit
                    gate = z + (b - begin) * z_row
                    masked, reset_now = mask.size > 0 and not mask[t, b], False
                    if options is not None:
                        reset_now = reset.size > 0 and reset[t, b]
                    state_before = empty_state(h) if reset_now else load_state(h, c, before + state)
                    if masked:
                        state_after = state_before
                    else:
                        slots_of_z = load_slots(gates, gate, part, vectors, z_step)
                        saved, state_after = cell_forward(slots_of_z, state_before, options)
                        store_slots(gates, gate, part, vectors, z_step, saved)
                    store_state(h, c, after + state, state_after)
                    h_after = state_after[0]
                    if output >= 0:
                        visible = mask.size == 0 or (t >= first_valid[b] and not (masked and zero_output))
                        store_part(y, output * y_step + b * y_row + unit, h_after if visible else zero(h), live)
                    if options is not None and h_in.size and t + 1 < steps:
                        if dropout.size:
                            h_after = h_after * _multiplier(dropout, b, unit, live)
                        if reset.size and reset[t + 1, b]:
                            h_after = zero(h)
                        store(h_in, (t + 1) % 2 * batch * row + state, h_after)


@njit(inline="always")
def project(x, t, h, slot, weights, units, gates, place, first_panel, last_panel, begin, end, options):
    """z = b + x W + h' U of step t, of one panel and some rows; h' is number `slot` of `h`.

    place: the panel, how many vectors it has, where z is, from row to row and from vector to vector
    """
    w, u, bias = weights
    panel, vectors, z, z_row, z_step = place
    batch, width = gates.shape[2], gates.shape[3]
    features, row, lane_count = x.shape[2], h.shape[2], lanes_of(gates)
    folded = features if features <= _FOLDED_FEATURES else 0
    w_at, w_step = panel * features * width, features * lane_count
    _start(x, t, w, w_at, bias, panel, folded, gates, z, z_row, z_step, vectors, begin, end)
    if folded < features:
        x_step, x_row = x.strides[0] // x.itemsize, x.strides[1] // x.itemsize
        add_input(
            x, t * x_step + begin * x_row, x_row, 1, w, w_at, w_step, gates, z, z_row, z_step, features, end - begin,
            vectors, INPUT_VECTORS[0],
        )  # fmt: skip
    add_state(
        h, (slot * batch + begin) * row, row, 1, u, panel * units * width, units * lane_count, gates, z, z_row, z_step,
        units, end - begin, vectors, STATE_VECTORS[0],
    )  # fmt: skip


@njit(inline="always")
def _start(x, t, w, w_at, bias, panel, folded, gates, z, z_row, z_step, vectors, begin, end):
    """z = b + x W for the features that are folded in."""
    lane_count = lanes_of(gates)
    step, size = (WIDE * lane_count, lane_count) if vectors == WIDE else (lane_count, x.shape[2] * lane_count)
    for v in range(vectors):
        at = w_at + v * size
        start = load(bias, (panel * WIDE + v) * lane_count)
        for b in range(begin, end):
            value = start
            for k in range(folded):
                value = fma(spread(x[t, b, k]), load(w, at + k * step), value)
            store(gates, z + (b - begin) * z_row + v * z_step, value)


@kernel(
    "(bool2R,int1C,bool) real1C (real4C,real3C,real3C) (real2C,real2C) real3R none int int bool int int", uses=MATMUL
)
def backward_steps(sequence, ut, trace, d_state, dy, options, first, last, by_units, chunk, chunks):
    """The steps from `last` - 1 down to `first`, for a chunk of the rows or of the units.

    A step takes dh over from the step after it, whose dG is complete by then, and leaves its own dG in the gates'
    place. Step -1 only takes over: then dh and dc are the gradients of the initial state.

    sequence: (mask, each row's first valid step, whether masked outputs are zero)
    trace: (gates, h, c). Where there are resets or dropout, the h' that U met takes the place of h'
    d_state: (dh, dc), [B, HL] each; of a cell without c that itself passes h' on, the second is room for dG Uᵀ
    options: the activation and the recurrent one, resets, dropout
    """
    mask, first_valid, zero_output = sequence
    gates, h, c = trace
    dh, dc = d_state
    _, steps, batch, width = gates.shape
    row = dh.shape[1]
    outputs, _, units = dy.shape
    lane_count = lanes_of(h)
    begin, end = (0, batch) if by_units else part_of(batch, chunk, chunks)
    dh_panels = panels_of(units, lane_count)
    first_panel, last_panel = part_of(dh_panels, chunk, chunks) if by_units else (0, dh_panels)
    wide = wide_panels(body_of(units, lane_count), lane_count)
    first_group = min(first_panel, wide) * WIDE + max(0, first_panel - wide)
    last_group = min(row // lane_count, min(last_panel, wide) * WIDE + max(0, last_panel - wide))
    dy_step, dy_row = dy.strides[0] // dy.itemsize, dy.strides[1] // dy.itemsize
    if options is not None:
        _, _, reset, dropout = options
    for t in range(last - 1, first - 1, -1):
        if t + 1 < steps:
            target = dh
            if PASSES_H:
                # Dropout must not meet what the cell itself passes on; and without dropout the bits are the same.
                target = dc
                for group in range(first_group, last_group):
                    for b in range(begin, end):
                        store(dc, b * row + group * lane_count, zero(h))
            ut_of_gates = reset_step(gates, t + 1, h, ut, units, target, begin, end, options)
            add_gates_product(
                gates, (t + 1) * batch + begin, ut_of_gates, units, SLOT_COUNT, STATE_VECTORS, units, first_panel,
                last_panel, target, begin * row, row, end - begin,
            )  # fmt: skip
            crossing = PASSES_H
            if options is not None:
                crossing = PASSES_H or reset.size > 0 or dropout.size > 0
            for group in range(first_group, last_group if crossing else first_group):
                for b in range(begin, end):
                    state, reset_after = b * row + group * lane_count, False
                    d = load(target, state)
                    if options is not None:
                        if dropout.size and not (mask.size and not mask[t + 1, b]):
                            d = d * _multiplier(
                                dropout, b, group * lane_count, min(lane_count, units - group * lane_count)
                            )
                        reset_after = reset.size > 0 and reset[t + 1, b]
                    if reset_after:
                        store_state(dh, dc, state, empty_state(h))
                    else:
                        store(dh, state, load(dh, state) + d if PASSES_H else d)
        output = t - steps + outputs
        for group in range(first_group, last_group if t >= 0 else first_group):
            unit = group * lane_count
            live = min(lane_count, units - unit)
            panel, part = group // (WIDE // SLOT_COUNT), group % (WIDE // SLOT_COUNT)
            vectors = vectors_of(panel, units, lane_count, SLOT_COUNT)
            gate_row, gate_step = strides_of(gates, vectors)
            for b in range(begin, end):
                gate = panel * steps * batch * width + (t * batch + b) * gate_row
                state = b * row + unit
                before, after = t * batch * row + state, (t + 1) * batch * row + state
                masked = mask.size > 0 and not mask[t, b]
                visible = output >= 0 and (mask.size == 0 or (t >= first_valid[b] and not (masked and zero_output)))
                state_before = load_state(h, c, before)
                if options is not None:
                    if reset.size and reset[t, b]:
                        state_before = empty_state(h)
                    if reset.size or dropout.size:
                        h_in = state_before[0]
                        if dropout.size:
                            h_in = h_in * _multiplier(dropout, b, unit, live)
                        store(h, before, h_in)
                d_after = load_state(dh, dc, state)
                if visible:
                    d_after = add_to_h(d_after, load_part(dy, output * dy_step + b * dy_row + unit, live))
                dz, d_before = empty_slots(h), d_after
                if not masked:
                    saved = load_slots(gates, gate, part, vectors, gate_step)
                    dz, d_before = cell_backward(saved, state_before, load_state(h, c, after), d_after, options)
                store_state(dh, dc, state, d_before)
                store_slots(gates, gate, part, vectors, gate_step, dz)


@njit(inline="always")
def no_reset(gates, t, h, ut, units, dh_in, begin, end, options):
    """What of Uᵀ meets dG of step t, where the cell resets no h' before: all of it."""
    return ut


@njit(inline="always")
def _multiplier(dropout, b, unit, live):
    return load_part(dropout, b * (dropout.strides[0] // dropout.itemsize) + unit, live)


# The parts of a state, for one vector of units


@njit(inline="always")
def _load_h(h, c, at):
    return (load(h, at),)


@njit(inline="always")
def _store_h(h, c, at, state):
    store(h, at, state[0])


@njit(inline="always")
def _empty_h(h):
    return (zero(h),)


@njit(inline="always")
def _add_to_h(state, value):
    return (state[0] + value,)


@njit(inline="always")
def _load_h_and_c(h, c, at):
    return load(h, at), load(c, at)


@njit(inline="always")
def _store_h_and_c(h, c, at, state):
    store(c, at, state[1])
    store(h, at, state[0])


@njit(inline="always")
def _empty_h_and_c(h):
    return zero(h), zero(h)


@njit(inline="always")
def _add_to_h_beside_c(state, value):
    return state[0] + value, state[1]


STATES = {
    "h": {"load_state": _load_h, "store_state": _store_h, "empty_state": _empty_h, "add_to_h": _add_to_h},
    "hc": {
        "load_state": _load_h_and_c,
        "store_state": _store_h_and_c,
        "empty_state": _empty_h_and_c,
        "add_to_h": _add_to_h_beside_c,
    },
}
"""Functions that kernels bind by name, by the cell's states."""
