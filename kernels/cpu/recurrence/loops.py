"""The loops through time: one forward, one backward.

Batch rows are independent through all of time, so threads share the rows and never wait for each other. Where there are
few rows and U is too large for one core's cache, threads share the units instead, one step at a time.

Within a thread, units go in groups of one vector: the four gates of a group are one wide panel of the weights, so a
tile of the product holds all that the gate math of its units needs, while it is still in the first cache.

Layouts, with L lanes and P groups of units:
    gates [P, T, B, 4L]  z, then activations, then their gradients, as `layout.py` has it
    c, h  [T + 1, B, PL] the initial state at index 0; without training two rows that take turns

Each loop is two kernels. The plain one has no options, so that nothing is asked in its inner loop; the general one has
all of them, asked for at run time. What is None or missing there is an array of no elements.
"""

from numba import njit

from numlstm.kernels.cpu.cells.lstm import any_gates_backward, any_gates_forward, gates_backward, gates_forward
from numlstm.kernels.cpu.products.layout import (
    add_gates_product,
    add_group_product,
    body_of,
    load_gates,
    panels_of,
    store_gates,
    strides_of,
    vectors_of,
)
from numlstm.kernels.cpu.products.matmul import MATMUL, WIDE, wide_panels
from numlstm.kernels.cpu.runtime.launch import kernel, part_of
from numlstm.kernels.cpu.runtime.vector import fma, lanes_of, load, load_part, spread, store, store_part, zero

_FOLDED_FEATURES = 4  # So few inputs are multiplied while the bias is at hand; more go through the micro-kernel.


@kernel(
    "real3R bool2R int1C bool real1C real1C real1C real4C real3C real3C real3A none int int bool int int", uses=MATMUL
)
def forward_steps(
    x, mask, first_valid, zero_output, w, u, bias, gates, c, h, y, options, first, last, by_units, chunk, chunks
):  # fmt: skip
    """The steps from `first` to before `last`, for a chunk of the rows or of the units.

    zero_output: whether masked outputs are zero
    options: kinds of the activation and of the recurrent one, resets, dropout, and `fed` [2, B, PL], two rows that take
        turns: where there are resets or dropout, the h' that U meets
    """
    steps, batch, features = x.shape
    groups, kept, _, width = gates.shape
    slots, _, row = h.shape
    outputs, _, units = y.shape
    begin, end = (0, batch) if by_units else part_of(batch, chunk, chunks)
    first_group, last_group = part_of(groups, chunk, chunks) if by_units else (0, groups)
    lane_count = lanes_of(h)
    x_step, x_row = x.strides[0] // x.itemsize, x.strides[1] // x.itemsize
    y_step, y_row = y.strides[0] // y.itemsize, y.strides[1] // y.itemsize
    folded = features if features <= _FOLDED_FEATURES else 0
    source, sources = h, slots
    if options is not None:
        kind, recurrent_kind, reset, dropout, fed = options
        if fed.size:
            source, sources = fed, 2
    for t in range(first, last):
        before, after = t % slots * batch * row, (t + 1) % slots * batch * row
        output = t - steps + outputs
        for group in range(first_group, last_group):
            vectors = vectors_of(group, units, lane_count)
            z_row, z_step = strides_of(gates, vectors)
            z = group * kept * batch * width + (t % kept * batch + begin) * z_row
            _start(x, t, w, bias, group, folded, gates, z, z_row, z_step, vectors, begin, end)
            if folded < features:
                at = group * features * width
                x_at = t * x_step + begin * x_row
                add_group_product(
                    x, x_at, x_row, 0, 1, w, at, gates, z, z_row, z_step, 1, features, end - begin, vectors
                )
            at = group * units * width
            h_at = (t % sources * batch + begin) * row
            add_group_product(source, h_at, row, 0, 1, u, at, gates, z, z_row, z_step, 1, units, end - begin, vectors)
            unit = group * lane_count
            live = min(lane_count, units - unit)
            for b in range(begin, end):
                state = b * row + unit
                gate = z + (b - begin) * z_row
                masked, anew = mask.size > 0 and not mask[t, b], False
                if options is not None:
                    anew = reset.size > 0 and reset[t, b]
                c_before = zero(c) if anew else load(c, before + state)
                if masked:
                    c_after, h_after = c_before, zero(h) if anew else load(h, before + state)
                else:
                    zi, zf, zg, zo = load_gates(gates, gate, vectors, z_step)
                    if options is None:
                        i, f, g, o, c_after, h_after = gates_forward(zi, zf, zg, zo, c_before)
                    else:
                        i, f, g, o, c_after, h_after = any_gates_forward(kind, recurrent_kind, zi, zf, zg, zo, c_before)
                    store_gates(gates, gate, vectors, z_step, i, f, g, o)
                store(c, after + state, c_after)
                store(h, after + state, h_after)
                if output >= 0:
                    shown = mask.size == 0 or (t >= first_valid[b] and not (masked and zero_output))
                    store_part(y, output * y_step + b * y_row + unit, h_after if shown else zero(h), live)
                if options is not None and fed.size and t + 1 < steps:
                    if dropout.size:
                        h_after = h_after * _multiplier(dropout, b, unit, live)
                    if reset.size and reset[t + 1, b]:
                        h_after = zero(h)
                    store(fed, (t + 1) % 2 * batch * row + state, h_after)


@njit(inline="always")
def _start(x, t, w, bias, group, folded, gates, z, z_row, z_step, vectors, begin, end):
    """z = b + x W for the features that are folded in, of one group of units."""
    lane_count = lanes_of(gates)
    features = x.shape[2]
    step, panel = (WIDE * lane_count, lane_count) if vectors == WIDE else (lane_count, features * lane_count)
    for v in range(vectors):
        at = group * features * WIDE * lane_count + v * panel
        start = load(bias, (group * WIDE + v) * lane_count)
        for b in range(begin, end):
            value = start
            for k in range(folded):
                value = fma(spread(x[t, b, k]), load(w, at + k * step), value)
            store(gates, z + (b - begin) * z_row + v * z_step, value)


forward_steps_general = forward_steps.general("int int bool2R real2R real3C")


@kernel("bool2R int1C bool real1C real4C real3C real2C real2C real3R none int int bool int int", uses=MATMUL)
def backward_steps(
    mask, first_valid, zero_output, ut, gates, c, dh, dc, dy, options, first, last, by_units, chunk, chunks
):  # fmt: skip
    """The steps from `last` - 1 down to `first`, for a chunk of the rows or of the units.

    A step takes dh over from the step after it, whose dG is complete by then, and leaves its own dG in the gates'
    place. Step -1 only takes over: then dh and dc are the gradients of the initial state.

    zero_output: as in `forward_steps`
    options: likewise, but instead of `fed` h as the forward pass left it; where there are resets or dropout, what U met
        takes its place
    """
    groups, steps, batch, width = gates.shape
    row, dh_row = dc.shape[1], dh.shape[1]
    outputs, _, units = dy.shape
    lane_count = lanes_of(c)
    begin, end = (0, batch) if by_units else part_of(batch, chunk, chunks)
    panels = panels_of(units, lane_count)
    first_panel, last_panel = part_of(panels, chunk, chunks) if by_units else (0, panels)
    wide = wide_panels(body_of(units, lane_count), lane_count)
    first_group = min(first_panel, wide) * WIDE + max(0, first_panel - wide)
    last_group = min(groups, min(last_panel, wide) * WIDE + max(0, last_panel - wide))
    dy_step, dy_row = dy.strides[0] // dy.itemsize, dy.strides[1] // dy.itemsize
    if options is not None:
        kind, recurrent_kind, reset, dropout, h = options
    for t in range(last - 1, first - 1, -1):
        if t + 1 < steps:
            after = (t + 1) * batch + begin
            add_gates_product(
                gates, after, ut, units, units, first_panel, last_panel, dh, begin * dh_row, dh_row, end - begin
            )
            if options is not None and (reset.size or dropout.size):
                for group in range(first_group, last_group):
                    _cross_into_state(reset, dropout, mask, t + 1, dh, dc, group, begin, end)
        output = t - steps + outputs
        for group in range(first_group, last_group if t >= 0 else first_group):
            unit = group * lane_count
            live = min(lane_count, units - unit)
            vectors = vectors_of(group, units, lane_count)
            gate_row, gate_step = strides_of(gates, vectors)
            for b in range(begin, end):
                gate = group * steps * batch * width + (t * batch + b) * gate_row
                state = b * row + unit
                before, after = t * batch * row + state, (t + 1) * batch * row + state
                dh_after = load(dh, b * dh_row + unit)
                masked = mask.size > 0 and not mask[t, b]
                wanted = output >= 0 and (mask.size == 0 or (t >= first_valid[b] and not (masked and zero_output)))
                c_before = load(c, before)
                if options is not None:
                    if dropout.size:
                        store(h, before, load(h, before) * _multiplier(dropout, b, unit, live))
                    if reset.size and reset[t, b]:
                        c_before = zero(c)
                        store(h, before, zero(h))
                if wanted:
                    dh_after = dh_after + load_part(dy, output * dy_step + b * dy_row + unit, live)
                if masked:
                    nothing = zero(c)
                    di, df, dg, do, dh_before = nothing, nothing, nothing, nothing, dh_after
                else:
                    i, f, g, o = load_gates(gates, gate, vectors, gate_step)
                    c_after, dc_after = load(c, after), load(dc, state)
                    if options is None:
                        di, df, dg, do, dc_before = gates_backward(i, f, g, o, c_before, c_after, dh_after, dc_after)
                    else:
                        di, df, dg, do, dc_before = any_gates_backward(
                            kind, recurrent_kind, i, f, g, o, c_before, c_after, dh_after, dc_after
                        )
                    store(dc, state, dc_before)
                    dh_before = zero(c)
                store(dh, b * dh_row + unit, dh_before)
                store_gates(gates, gate, vectors, gate_step, di, df, dg, do)


backward_steps_general = backward_steps.general("int int bool2R real2R real3C")


@njit(inline="always")
def _cross_into_state(reset, dropout, mask, t, dh, dc, group, begin, end):
    """From the gradients of what step t took over to those of the state before: some rows, one group of units."""
    lane_count = lanes_of(dh)
    unit = group * lane_count
    for b in range(begin, end):
        dh_at = b * dh.shape[1] + unit
        if reset.size and reset[t, b]:
            store(dh, dh_at, zero(dh))
            store(dc, b * dc.shape[1] + unit, zero(dc))
        elif dropout.size and not (mask.size and not mask[t, b]):
            live = min(lane_count, dropout.shape[1] - unit)
            store(dh, dh_at, load(dh, dh_at) * _multiplier(dropout, b, unit, live))


@njit(inline="always")
def _multiplier(dropout, b, unit, live):
    return load_part(dropout, b * (dropout.strides[0] // dropout.itemsize) + unit, live)
