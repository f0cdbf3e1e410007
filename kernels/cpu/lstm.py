"""The LSTM's forward pass and its backpropagation through time.

Batch rows are independent through all of time, so threads share the batch and never wait for each other. Within a
thread, units go in groups of one vector: the four gates of a group are one wide panel of the weights, so a tile of the
product holds everything that the gate math of its units needs, while it is still in the first cache.

Layouts, with L lanes, P groups of units, 4L the width of a panel:
    gates [P, T, B, 4L]  i f g o of one group side by side: z, then activations, then their gradients
    c, h  [T + 1, B, PL] the initial state at index 0; without training two rows that take turns
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from numlstm.kernels.cpu.gates import gates_backward, gates_forward
from numlstm.kernels.cpu.launch import kernel, part_of, threads_for
from numlstm.kernels.cpu.matmul import MATMUL, WIDE, add_panels, add_product, pack_rows, padded
from numlstm.kernels.cpu.vector import (
    fma,
    lanes,
    lanes_of,
    load,
    load_part,
    spread,
    store,
    store_part,
    zero,
)  # fmt: skip

_FOLDED_FEATURES = 4  # So few inputs are multiplied while the bias is at hand; more go through the micro-kernel.
_BLOCK_STEPS = 128  # Steps of the weight gradient's sum that stay in the first cache together.
_BLOCK_ROWS = 96  # Rows of the weight gradient that one task computes.


@dataclass
class Trace:
    """What a pass keeps, and the workspace of the way back (see the layouts above)."""

    gates: np.ndarray
    c: np.ndarray
    h: np.ndarray
    steps: int
    units: int
    dh: np.ndarray | None
    dc: np.ndarray | None
    first_valid: np.ndarray
    kernel_path: str = ""


def lstm_trace(cell, shape, training):
    """Allocate what one pass keeps."""
    steps, batch = shape
    lane_count = lanes(np.dtype(cell.dtype).itemsize)
    groups = -(-cell.units // lane_count)
    kept = steps if training else 1
    states = (kept + 1, batch, groups * lane_count)
    return Trace(
        gates=np.empty((groups, kept, batch, WIDE * lane_count), cell.dtype),
        c=np.zeros(states, cell.dtype),
        h=np.zeros(states, cell.dtype),
        steps=steps,
        units=cell.units,
        dh=np.empty((batch, padded(cell.units, lane_count)), cell.dtype) if training else None,
        dc=np.empty((batch, groups * lane_count), cell.dtype) if training else None,
        first_valid=np.zeros(batch, np.int64),
    )


def lstm_state(trace):
    """The final (h, c) of a forward pass."""
    last = trace.steps % len(trace.h)
    return trace.h[last, :, : trace.units].copy(), trace.c[last, :, : trace.units].copy()


def lstm_forward(cell, weights, x, mask, state, trace, y):
    """z = x W + h' U + b, then the gates: c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c."""
    steps, batch, _ = x.shape
    w, u, bias = _packed(cell, weights)
    for states, initial in ((trace.h, state and state[0]), (trace.c, state and state[1])):
        states[0, :, : cell.units] = 0 if initial is None else initial
    mask = _prepare_mask(mask, trace)
    work = 2 * steps * batch * (cell.features + cell.units) * 4 * cell.units
    chunks = threads_for(work, batch)
    trace.kernel_path = f"rows over {chunks} thread{'s' if chunks > 1 else ''}"
    _forward.share(cell.dtype, chunks, x, mask, trace.first_valid, w, u, bias, trace.gates, trace.c, trace.h, y)


def lstm_backward(cell, weights, x, mask, trace, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG."""
    steps, batch, features = x.shape
    units, dtype = cell.units, cell.dtype
    for gradient, carried in ((gradients.h, trace.dh), (gradients.c, trace.dc)):
        carried[:] = 0
        if gradient is not None:
            carried[:, :units] = gradient
    needs_dx, needs_state = gradients.x is not None, gradients.h is not None
    if mask is not None:
        # A masked x may be NaN, which even a gradient of zero would not silence.
        x = np.where(mask[:, :, None], x, x.dtype.type(0))
    ut, wt = _packed_transposed(cell, weights, needs_dx)
    dx = gradients.x if needs_dx else np.empty((0, 0, features), dtype)
    work = 2 * steps * batch * (units + needs_dx * features) * 4 * units
    mask = _prepare_mask(mask, trace)
    dx_rows = np.empty((batch, padded(features, lanes(x.itemsize)) if needs_dx else 0), dtype)
    _backward.share(
        dtype, threads_for(work, batch), mask, trace.first_valid, ut, wt, trace.gates, trace.c, trace.dh, trace.dc,
        dx_rows, dy, dx, needs_state,
    )  # fmt: skip
    db = gradients.bias if gradients.bias is not None else np.empty(4 * units, dtype)
    work = 2 * steps * batch * (units + features) * 4 * units
    chunks = threads_for(work, len(trace.gates) * -(-(units + features) // _BLOCK_ROWS))
    sums = np.empty((chunks, _BLOCK_ROWS, trace.gates.shape[3]), dtype)
    _weight_gradients.share(
        dtype, chunks, x, trace.h, trace.gates, gradients.kernel, gradients.recurrent_kernel, db, sums
    )
    for gradient, carried in ((gradients.h, trace.dh), (gradients.c, trace.dc)):
        if gradient is not None:
            gradient[:] = carried[:, :units]


_NO_MASK = np.empty((0, 0), np.bool_)


def _prepare_mask(mask, trace):
    """The mask as kernels take it, and each row's first valid step into the trace."""
    if mask is None:
        trace.first_valid[:] = 0
        return _NO_MASK
    trace.first_valid[:] = np.where(mask.any(axis=0), mask.argmax(axis=0), trace.steps)
    return mask


# Packing


def _packed(cell, weights):
    """(w, u, bias) in panels, one for each group of units; packed once for each version of the parameters."""
    version = weights.version.number
    kept = weights.packed.get("forward")
    if kept is None or kept[0] != version:
        lane_count = lanes(weights.kernel.itemsize)
        groups, width = -(-cell.units // lane_count), WIDE * lane_count
        sizes = (cell.features, cell.units, 1)
        w, u, bias = (np.empty(groups * size * width, cell.dtype) for size in sizes)
        given = weights.bias if weights.bias is not None else np.zeros(4 * cell.units, cell.dtype)
        for matrix, panels in ((weights.kernel, w), (weights.recurrent_kernel, u), (given[None], bias)):
            _pack_gates[cell.dtype](matrix, panels)
        kept = weights.packed["forward"] = (version, (w, u, bias))
    return kept[1]


def _packed_transposed(cell, weights, with_kernel):
    """(Uᵀ, Wᵀ) in panels, the rows in the order of the gates' layout; Wᵀ is empty unless asked for."""
    version = weights.version.number
    kept = weights.packed.get("backward")
    if kept is None or kept[0] != version or (with_kernel and not kept[1][1].size):
        lane_count = lanes(weights.kernel.itemsize)
        ut = np.empty(4 * cell.units * padded(cell.units, lane_count), cell.dtype)
        wt = np.empty(4 * cell.units * padded(cell.features, lane_count) if with_kernel else 0, cell.dtype)
        _pack_transposed[cell.dtype](weights.recurrent_kernel.T, ut)
        if with_kernel:
            _pack_transposed[cell.dtype](weights.kernel.T, wt)
        kept = weights.packed["backward"] = (version, (ut, wt))
    return kept[1]


@kernel("real2C real1C")
def _pack_gates(matrix, panels):
    """[K, 4H] to one wide panel a group of units: [P, K, 4L], zeros beyond H."""
    depth, units = matrix.shape[0], matrix.shape[1] // 4
    lane_count = lanes_of(panels)
    at = 0
    for first in range(0, units, lane_count):
        live = min(lane_count, units - first)
        for k in range(depth):
            for gate in range(4):
                store(panels, at, load_part(matrix, (4 * k + gate) * units + first, live))
                at += lane_count


@kernel("real2R real1C")
def _pack_transposed(matrix, panels):
    """[4H, N] to the panels of the micro-kernel, the rows in the order group, gate, unit."""
    units = matrix.shape[0] // 4
    lane_count = lanes_of(panels)
    k = 0
    for first in range(0, units, lane_count):
        live = min(lane_count, units - first)
        for gate in range(4):
            pack_rows(matrix, gate * units + first, live, k, 4 * units, panels)
            k += live


# Forward


@kernel("real3R bool2R int1C real1C real1C real1C real4C real3C real3C real3A int int", uses=MATMUL)
def _forward(x, mask, first_valid, w, u, bias, gates, c, h, y, chunk, chunks):
    """All steps for a chunk of the batch rows."""
    steps, batch, features = x.shape
    begin, end = part_of(batch, chunk, chunks)
    groups, kept, _, width = gates.shape
    slots, _, row = h.shape
    outputs, _, units = y.shape
    lane_count = lanes_of(h)
    x_step, x_row = x.strides[0] // x.itemsize, x.strides[1] // x.itemsize
    y_step, y_row = y.strides[0] // y.itemsize, y.strides[1] // y.itemsize
    folded = features if features <= _FOLDED_FEATURES else 0
    for t in range(steps):
        before, after = t % slots * batch * row, (t + 1) % slots * batch * row
        for group in range(groups):
            z = ((group * kept + t % kept) * batch + begin) * width
            _start(x, t, mask, w, bias, group, folded, gates, z, begin, end)
            if folded < features:
                at = group * features * width
                add_product(
                    x, t * x_step + begin * x_row, x_row, 0, 1, w, at, gates, z, width, 1, features, end - begin, True
                )
            at = group * units * width
            add_product(h, before + begin * row, row, 0, 1, u, at, gates, z, width, 1, units, end - begin, True)
            first = group * lane_count
            live = min(lane_count, units - first)
            for b in range(begin, end):
                state = b * row + first
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
                output = t - steps + outputs
                if output >= 0:
                    out = h_after if t >= first_valid[b] else zero(h)
                    store_part(y, output * y_step + b * y_row + first, out, live)


@njit
def _start(x, t, mask, w, bias, group, folded, gates, z, begin, end):
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


# Backward


@kernel("bool2R int1C real1C real1C real4C real3C real2C real2C real2C real3R real3A bool int int", uses=MATMUL)
def _backward(mask, first_valid, ut, wt, gates, c, dh, dc, dx_rows, dy, dx, needs_state, chunk, chunks):
    """All steps, last to first, for a chunk of the batch rows."""
    groups, steps, batch, width = gates.shape
    begin, end = part_of(batch, chunk, chunks)
    row, dh_row = dc.shape[1], dh.shape[1]
    outputs, _, units = dy.shape
    lane_count = lanes_of(c)
    dy_step, dy_row = dy.strides[0] // dy.itemsize, dy.strides[1] // dy.itemsize
    features = dx.shape[2]
    for t in range(steps - 1, -1, -1):
        before, after = t * batch * row, (t + 1) * batch * row
        output = t - steps + outputs
        for group in range(groups):
            first = group * lane_count
            live = min(lane_count, units - first)
            for b in range(begin, end):
                gate = ((group * steps + t) * batch + b) * width
                state = b * row + first
                dh_after = load_part(dh, b * dh_row + first, live)
                if output >= 0 and t >= first_valid[b]:
                    dh_after = dh_after + load_part(dy, output * dy_step + b * dy_row + first, live)
                if mask.size and not mask[t, b]:
                    nothing = zero(c)
                    di, df, dg, do = nothing, nothing, nothing, nothing
                    store_part(dh, b * dh_row + first, dh_after, live)
                else:
                    di, df, dg, do, dc_before = gates_backward(
                        load(gates, gate),
                        load(gates, gate + lane_count),
                        load(gates, gate + 2 * lane_count),
                        load(gates, gate + 3 * lane_count),
                        load(c, before + state),
                        load(c, after + state),
                        dh_after,
                        load(dc, state),
                    )
                    store(dc, state, dc_before)
                    store_part(dh, b * dh_row + first, zero(c), live)
                store(gates, gate, di)
                store(gates, gate + lane_count, df)
                store(gates, gate + 2 * lane_count, dg)
                store(gates, gate + 3 * lane_count, do)
        if t > 0 or needs_state:
            _add_gates_product(gates, t, begin, ut, units, units, dh, begin * dh_row, dh_row, end - begin)
        if dx.size:
            dx_row = dx_rows.shape[1]
            for b in range(begin, end):
                for k in range(dx_row):
                    dx_rows[b, k] = 0.0
            _add_gates_product(gates, t, begin, wt, units, features, dx_rows, begin * dx_row, dx_row, end - begin)
            for b in range(begin, end):
                for k in range(features):
                    dx[t, b, k] = dx_rows[b, k]


@njit
def _add_gates_product(gates, t, begin, panels, units, columns, c, c_at, c_row, rows):
    """C += dG Mᵀ at one step, for a transposed and packed M of [columns, 4H]."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    full = units // lane_count
    a_at = (t * batch + begin) * width
    a_group = steps * batch * width
    depth = 4 * units
    add_panels(gates, a_at, width, a_group, 1, panels, 0, depth, columns, c, c_at, c_row, full, width, rows)
    rest = units - full * lane_count
    if rest:
        # The last group is not full: its dead lanes have no rows in the panels.
        a_at += full * a_group
        k = full * width
        add_panels(gates, a_at, width, lane_count, 1, panels, k, depth, columns, c, c_at, c_row, 4, rest, rows)


# Weight gradients


@kernel("real3R real3C real4C real2C real2C real1C real3C int int", uses=MATMUL)
def _weight_gradients(x, h, gates, dw, du, db, sums, chunk, chunks):
    """A chunk of the blocks of [dU; dW]: a group of units and `_BLOCK_ROWS` rows each."""
    blocks = (x.shape[2] + du.shape[0] + _BLOCK_ROWS - 1) // _BLOCK_ROWS
    begin, end = part_of(gates.shape[0] * blocks, chunk, chunks)
    for task in range(begin, end):
        _weight_gradient_block(x, h, gates, dw, du, db, sums[chunk], task // blocks, task % blocks * _BLOCK_ROWS)


@njit
def _weight_gradient_block(x, h, gates, dw, du, db, sums, group, begin):
    """The rows from `begin` of [dU; dW], for one group of units; db with the first."""
    units, features = du.shape[0], dw.shape[0]
    end = min(begin + _BLOCK_ROWS, units + features)
    sums[:] = 0
    middle = min(max(begin, units), end)
    if begin < middle:
        _add_transposed_product(h, begin, gates, group, sums, 0, middle - begin)
    if middle < end:
        _add_transposed_product(x, middle - units, gates, group, sums, middle - begin, end - middle)
    lane_count = lanes_of(h)
    first = group * lane_count
    live = min(lane_count, units - first)
    for row in range(begin, end):
        for gate in range(4):
            total = load(sums, (row - begin) * WIDE * lane_count + gate * lane_count)
            at = gate * units + first
            if row < units:
                store_part(du, row * 4 * units + at, total, live)
            else:
                store_part(dw, (row - units) * 4 * units + at, total, live)
    if begin == 0:
        _bias_gradient(gates, group, db)


@njit
def _add_transposed_product(a, column, gates, group, sums, first_row, rows):
    """sums += aᵀ dG over all steps and batch rows, for some columns of a [T or more, B, K]."""
    _, steps, batch, width = gates.shape
    a_step, a_row = a.strides[0] // a.itemsize, a.strides[1] // a.itemsize
    stride = max(1, _BLOCK_STEPS // max(1, batch))
    for t in range(0, steps, stride):
        b_at = (group * steps + t) * batch * width
        length = min(stride, steps - t)
        add_product(
            a,
            t * a_step + column,
            1,
            a_step,
            a_row,
            gates,
            b_at,
            sums,
            first_row * width,
            width,
            length,
            batch,
            rows,
            True,
        )


@njit
def _bias_gradient(gates, group, db):
    """db = Σ dG over all steps and batch rows, for one group of units."""
    _, steps, batch, width = gates.shape
    lane_count = lanes_of(gates)
    units = db.shape[0] // 4
    first = group * lane_count
    at = group * steps * batch * width
    for gate in range(4):
        total = zero(gates)
        for r in range(steps * batch):
            total = total + load(gates, at + r * width + gate * lane_count)
        store_part(db, gate * units + first, total, min(lane_count, units - first))
