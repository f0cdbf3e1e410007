"""The loops through time: one forward, one backward.

Batch rows are independent through all of time, so threads share the rows and never wait for each other. Where there are
few rows and U is too large for one core's cache, threads share the units instead, one step at a time.

Within a thread, units go in groups of one vector: the four gates of a group are one wide panel of the weights, so a
tile of the product holds all that the gate math of its units needs, while it is still in the first cache.

Layouts, with L lanes, P groups of units, 4L the width of a panel:
    gates [P, T, B, 4L]  i f g o of one group side by side: z, then activations, then their gradients
    c, h  [T + 1, B, PL] the initial state at index 0; without training two rows that take turns
"""

from numba import njit

from numlstm.kernels.cpu.gates import gates_backward, gates_forward
from numlstm.kernels.cpu.launch import kernel, part_of
from numlstm.kernels.cpu.matmul import MATMUL, WIDE, add_panels, add_product, narrow_panels, wide_panels
from numlstm.kernels.cpu.vector import fma, lanes_of, load, load_part, spread, store, store_part, zero

_FOLDED_FEATURES = 4  # So few inputs are multiplied while the bias is at hand; more go through the micro-kernel.


@kernel("real3R bool2R int1C real1C real1C real1C real4C real3C real3C real3A int int bool int int", uses=MATMUL)
def forward_steps(x, mask, first_valid, w, u, bias, gates, c, h, y, first, last, by_units, chunk, chunks):
    """The steps from `first` to before `last`, for a chunk of the rows or of the units."""
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
    for t in range(first, last):
        before, after = t % slots * batch * row, (t + 1) % slots * batch * row
        output = t - steps + outputs
        for group in range(first_group, last_group):
            z = ((group * kept + t % kept) * batch + begin) * width
            _start(x, t, w, bias, group, folded, gates, z, begin, end)
            if folded < features:
                at = group * features * width
                x_at = t * x_step + begin * x_row
                add_product(x, x_at, x_row, 0, 1, w, at, gates, z, width, 1, features, end - begin, True)
            at = group * units * width
            add_product(h, before + begin * row, row, 0, 1, u, at, gates, z, width, 1, units, end - begin, True)
            unit = group * lane_count
            live = min(lane_count, units - unit)
            for b in range(begin, end):
                state = b * row + unit
                gate = z + (b - begin) * width
                c_before = load(c, before + state)
                if mask.size and not mask[t, b]:
                    c_after, h_after = c_before, load(h, before + state)
                else:
                    i, f, g, o, c_after, h_after = gates_forward(
                        load(gates, gate),
                        load(gates, gate + lane_count),
                        load(gates, gate + 2 * lane_count),
                        load(gates, gate + 3 * lane_count),
                        c_before,
                    )
                    store(gates, gate, i)
                    store(gates, gate + lane_count, f)
                    store(gates, gate + 2 * lane_count, g)
                    store(gates, gate + 3 * lane_count, o)
                store(c, after + state, c_after)
                store(h, after + state, h_after)
                if output >= 0:
                    out = h_after if t >= first_valid[b] else zero(h)
                    store_part(y, output * y_step + b * y_row + unit, out, live)


@njit(inline="always")
def _start(x, t, w, bias, group, folded, gates, z, begin, end):
    """z = b + x W for the features that are folded in, of one group of units."""
    lane_count = lanes_of(gates)
    width = WIDE * lane_count
    panel = group * x.shape[2] * width
    for gate in range(0, width, lane_count):
        start = load(bias, group * width + gate)
        for b in range(begin, end):
            value = start
            for k in range(folded):
                value = fma(spread(x[t, b, k]), load(w, panel + k * width + gate), value)
            store(gates, z + (b - begin) * width + gate, value)


@kernel("bool2R int1C real1C real4C real3C real2C real2C real3R int int bool int int", uses=MATMUL)
def backward_steps(mask, first_valid, ut, gates, c, dh, dc, dy, first, last, by_units, chunk, chunks):
    """The steps from `last` - 1 down to `first`, for a chunk of the rows or of the units.

    A step takes dh over from the step after it, whose dG is complete by then, and leaves its own dG in the gates'
    place. Step -1 only takes over: then dh and dc are the gradients of the initial state.
    """
    groups, steps, batch, width = gates.shape
    row, dh_row = dc.shape[1], dh.shape[1]
    outputs, _, units = dy.shape
    lane_count = lanes_of(c)
    begin, end = (0, batch) if by_units else part_of(batch, chunk, chunks)
    wide, narrow = wide_panels(units, lane_count), narrow_panels(units, lane_count)
    first_panel, last_panel = part_of(wide + narrow, chunk, chunks) if by_units else (0, wide + narrow)
    first_group = min(first_panel, wide) * WIDE + max(0, first_panel - wide)
    last_group = min(groups, min(last_panel, wide) * WIDE + max(0, last_panel - wide))
    dy_step, dy_row = dy.strides[0] // dy.itemsize, dy.strides[1] // dy.itemsize
    for t in range(last - 1, first - 1, -1):
        if t + 1 < steps:
            at = ((t + 1) * batch + begin) * width
            add_gates_product(
                gates, at, ut, units, units, first_panel, last_panel, dh, begin * dh_row, dh_row, end - begin
            )
        output = t - steps + outputs
        for group in range(first_group, last_group if t >= 0 else first_group):
            unit = group * lane_count
            live = min(lane_count, units - unit)
            for b in range(begin, end):
                gate = ((group * steps + t) * batch + b) * width
                state = b * row + unit
                before, after = t * batch * row + state, (t + 1) * batch * row + state
                dh_after = load(dh, b * dh_row + unit)
                if output >= 0 and t >= first_valid[b]:
                    dh_after = dh_after + load_part(dy, output * dy_step + b * dy_row + unit, live)
                if mask.size and not mask[t, b]:
                    nothing = zero(c)
                    di, df, dg, do, dh_before = nothing, nothing, nothing, nothing, dh_after
                else:
                    di, df, dg, do, dc_before = gates_backward(
                        load(gates, gate),
                        load(gates, gate + lane_count),
                        load(gates, gate + 2 * lane_count),
                        load(gates, gate + 3 * lane_count),
                        load(c, before),
                        load(c, after),
                        dh_after,
                        load(dc, state),
                    )
                    store(dc, state, dc_before)
                    dh_before = zero(c)
                store(dh, b * dh_row + unit, dh_before)
                store(gates, gate, di)
                store(gates, gate + lane_count, df)
                store(gates, gate + 2 * lane_count, dg)
                store(gates, gate + 3 * lane_count, do)


@njit(inline="always")
def add_gates_product(gates, at, panels, units, columns, first_panel, last_panel, c, c_at, c_row, rows):
    """C += dG Mᵀ for some rows of dG, the first of them at offset `at`, and some panels of the packed Mᵀ [4H, N]."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    group = steps * batch * width
    depth = 4 * units
    full = units // lane_count
    rest = units - full * lane_count
    add_panels(
        gates, at, width, group, 1, panels, 0, depth, columns, first_panel, last_panel, c, c_at, c_row,
        full, width, rows,
    )  # fmt: skip
    # The last group may not be full: its dead lanes have no rows in the panels.
    add_panels(
        gates, at + full * group, width, lane_count, 1, panels, full * width, depth, columns, first_panel, last_panel,
        c, c_at, c_row, 4 if rest else 0, rest, rows,
    )  # fmt: skip
