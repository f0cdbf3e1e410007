"""The loops through time: one forward, one backward, for every cell.

Batch rows are independent in all steps, so threads share the rows and never wait for each other. If the rows are few
and U is too large for one core's cache, threads share the units instead, and wait for each other after every step.

Within a thread, units are processed in panels of four vectors of gates. When the cell reads z of a panel, the product
has just written it, so it is still in the L1 cache.

Layouts, with L lanes and P panels:
    gates [P, T, B, 4L]   z, then the gates, then their gradients; see `products/layout.py`
    h, c  [T + 1, B, HL]  the initial state at index 0; HL is H rounded up to whole vectors; without training there
                          are two states that take turns; a cell with one state has no c

A loop becomes a kernel of each cell by binding the cell's functions and the other names below. Each kernel has two
forms. The plain form has no options and tests none in its inner loop. The form with options has all of them and tests
them at run time. An array that is None or missing is passed as an array without elements.
"""

from numba import njit

from numlstm.kernels.cpu.products.layout import add_gates_product, body_of, panels_of, strides_of, vectors_of
from numlstm.kernels.cpu.products.matmul import MATMUL, WIDE, wide_panels
from numlstm.kernels.cpu.runtime.launch import kernel, part_of
from numlstm.kernels.cpu.runtime.vector import fma, lanes_of, load, load_part, spread, store, store_part, zero

_FOLDED_FEATURES = 4  # Up to this many features are multiplied when z is set to b; more go through the micro-kernel.

# The kernels of a cell bind their own values to the names below: the functions of the cell's page,
cell_forward = cell_output = cell_backward = None
# the functions that run before the cell and before Uᵀ (see `project` and `no_reset`), the products of one panel,
project_step = reset_step = add_input = add_state = None
# the functions of `STATES` and `layout.SLOTS`,
load_state = store_state = empty_state = add_to_h = None
load_slots = store_slots = empty_slots = None
# the number of slots, the (first, count) of a panel's vectors that W and U contribute to, and whether h depends on h'
# directly, not only through the gates.
SLOT_COUNT = 0
INPUT_VECTORS = STATE_VECTORS = ()
PASSES_H = False


@kernel(
    "(real3R,bool2R,int1C,bool) (real1C,real1C,real1C) (real4C,real3C,real3C) real3A none int int bool int int",
    uses=MATMUL,
)
def forward_steps(sequence, weights, trace, y, options, first, last, by_units, chunk, chunks):
    """Run the steps from `first` to before `last`, for one chunk of the rows or of the units.

    sequence: (x, mask, each row's first valid step, whether masked outputs are zero)
    weights: (W, U, b) in panels
    trace: (gates, h, c)
    options: (activation, recurrent activation, resets, dropout, h_in). h_in is [2, B, HL], for two steps that take
        turns: the h' that U multiplies if there are resets or dropout
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
                # A loop of its own: φ(c) waits for the gates of its row, but not for those of other rows.
                for b in range(begin, end):
                    state = b * row + unit
                    masked = mask.size > 0 and not mask[t, b]
                    state_after = load_state(h, c, after + state)
                    if not masked:
                        state_after = cell_output(state_after, options)
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
def whole_state(state, activations):
    """The state that `cell_forward` returned, of a cell without `cell_output`."""
    return state


@njit(inline="always")
def project(x, t, h, slot, weights, units, gates, place, first_panel, last_panel, begin, end, options):
    """z = b + x W + h' U of step t, for one panel and some rows. h' is h[slot].

    place: (panel, its number of vectors, offset of z, stride from row to row, stride from vector to vector)
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
    """z = b + x W over the first `folded` features."""
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
    """Run the steps from `last` - 1 down to `first`, for one chunk of the rows or of the units.

    Step t computes dh from the dG of step t + 1, which is complete by then, and overwrites the gates with its own dG.
    Step -1 does only the first part: then dh and dc are the gradients of the initial state.

    sequence: (mask, each row's first valid step, whether masked outputs are zero)
    trace: (gates, h, c). With resets or dropout, h is overwritten with the h' that U multiplied
    d_state: (dh, dc), [B, HL] each. For a cell without c whose h depends on h' directly, the second is room for dG Uᵀ
    options: (activation, recurrent activation, resets, dropout)
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
                # Dropout must not multiply the gradient that the cell passes to h' directly, so dG Uᵀ is summed
                # separately. The plain form does the same, so that both forms have the same bits.
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
    """Return the part of Uᵀ that multiplies dG of step t. Without a reset before the product, this is all of it."""
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
