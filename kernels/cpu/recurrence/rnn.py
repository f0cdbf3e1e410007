"""Elman's network: what a pass keeps, the functions of the contract, and the loops through time.

Threads share the rows. A step makes the z of its rows from the bias and two products, and the activation takes their
place: so the states are all that a pass keeps. They are as wide as the panels of U, whose columns beyond H are zeros:

    h [T + 1, B, P]  the initial state at index 0; without training two rows that take turns
    dz [T, B, P]
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from numlstm.kernels import ACTIVATIONS, DenseGradients, DenseWeights, RecurrentInputs, RecurrentPlan
from numlstm.kernels.cpu.pointwise.activation import activated, slope
from numlstm.kernels.cpu.products.dense import dense_backward, pack
from numlstm.kernels.cpu.products.matmul import MATMUL, add_panels, narrow_panels, padded, wide_panels
from numlstm.kernels.cpu.recurrence.masking import NO_FLAGS, masking
from numlstm.kernels.cpu.runtime.launch import kernel, part_of, threads_for
from numlstm.kernels.cpu.runtime.vector import lanes, lanes_of, load, load_part, store, store_part, zero


@dataclass
class Trace:
    """What a pass keeps, and the workspace of the way back (see the layouts above)."""

    h: np.ndarray
    dz: np.ndarray | None
    steps: int
    units: int
    kernel_path: str = ""


def rnn_trace(cell, shape, training):
    """Allocate what one pass keeps."""
    steps, batch = shape
    width = _width(cell)
    return Trace(
        h=np.zeros((steps + 1 if training else 2, batch, width), cell.dtype),
        dz=np.empty((steps, batch, width), cell.dtype) if training else None,
        steps=steps,
        units=cell.units,
    )


def rnn_plan(cell, shape, training):
    """What `rnn_forward` would run, from the shape alone."""
    steps, batch = shape
    chunks = _chunks(cell, shape)
    if chunks > 1:
        reason = "batch rows are independent through all of time: each thread takes its share of them"
    else:
        reason = "the work is too small for a second thread, or is that of one row"
    kept = 2 * steps + 1 if training else 2
    return RecurrentPlan(_path(chunks), reason, kept * batch * _width(cell) * np.dtype(cell.dtype).itemsize)


def rnn_state(trace):
    """The final (h,) of a forward pass."""
    return (trace.h[trace.steps % len(trace.h), :, : trace.units].copy(),)


def rnn_forward(cell, weights, inputs, trace, y):
    """h = φ(x W + h' U + b)."""
    x = inputs.x
    trace.h[0] = 0
    if inputs.state is not None:
        (trace.h[0, :, : cell.units],) = inputs.state
    chunks = _chunks(cell, x.shape)
    trace.kernel_path = _path(chunks)
    _forward_steps.share(cell.dtype, chunks, *_forward_arguments(cell, weights, inputs, trace, y), 0, len(x))


def bind_rnn_step(cell, weights, x, trace, y):
    """h = φ(x W + h' U + b), one step."""
    # Every step has the same place in memory; only the states take turns.
    x, y = (np.lib.stride_tricks.as_strided(array, (2, *array.shape), (0, *array.strides)) for array in (x, y))
    arguments = _forward_arguments(cell, weights, RecurrentInputs(x), trace, y)
    chunks = _chunks(cell, (1, y.shape[1]))
    even, odd = (_forward_steps.bind(cell.dtype, chunks, *arguments, t, t + 1) for t in (0, 1))
    return even, odd


def rnn_backward(cell, weights, inputs, trace, dy, gradients):
    """dz = dh ⊙ φ'(z), dh' = dz Uᵀ, then dW = Σ xᵀ dz, dU = Σ h'ᵀ dz, db = Σ dz, dx = dz Wᵀ."""
    x, mask, units, dtype = inputs.x, inputs.mask, cell.units, cell.dtype
    steps, batch, features = x.shape
    wanted = gradients.h is not None
    dh = np.zeros((batch, _width(cell)), dtype)
    if wanted:
        dh[:, :units] = gradients.h
    _backward_steps.share(
        dtype, _chunks(cell, x.shape), *_options(cell, inputs, batch), _packed_transposed(weights), trace.h, trace.dz,
        dh, dy, wanted,
    )  # fmt: skip
    if wanted:
        gradients.h[:] = dh[:, :units]
    if mask is not None:
        # A masked x may be NaN, which even a gradient of zero would not silence.
        x = np.where(mask[:, :, None], x, x.dtype.type(0))
    rows = steps * batch
    dz, before = (array.reshape(rows, _width(cell))[:, :units] for array in (trace.dz, trace.h[:steps]))
    dx = None if gradients.x is None else np.empty((rows, features), dtype)
    dense = DenseWeights(weights.kernel, None, weights.version, weights.packed.setdefault("dense", {}))
    dense_backward(dense, x.reshape(rows, features), dz, DenseGradients(gradients.kernel, gradients.bias, dx))
    dense_backward(dense, before, dz, DenseGradients(gradients.recurrent_kernel, None))
    if dx is not None:
        gradients.x[:] = dx.reshape(steps, batch, features)


def _width(cell):
    return padded(cell.units, lanes(np.dtype(cell.dtype).itemsize))


def _chunks(cell, shape):
    return threads_for(2 * shape[0] * shape[1] * (cell.features + cell.units) * cell.units, shape[1])


def _path(chunks):
    return f"rows over {chunks} thread{'s' if chunks > 1 else ''}"


def _forward_arguments(cell, weights, inputs, trace, y):
    batch, width = trace.h.shape[1:]
    fed = np.empty((batch if inputs.general else 0, width), cell.dtype)
    return inputs.x, *_options(cell, inputs, batch), *_packed(cell, weights), fed, trace.h, y


def _options(cell, inputs, batch):
    """Mask, first valid steps, resets, dropout, φ and whether masked outputs are zero; arrays of nothing for None."""
    mask, first_valid = masking(inputs.mask)
    reset = NO_FLAGS if inputs.reset is None else inputs.reset
    dropout = np.empty((0, 0), cell.dtype)
    if inputs.recurrent_dropout is not None:
        dropout = np.zeros((batch, _width(cell)), cell.dtype)
        dropout[:, : cell.units] = inputs.recurrent_dropout
    return mask, first_valid, reset, dropout, ACTIVATIONS.index(cell.activation), cell.zero_output_for_mask


def _packed(cell, weights):
    """(W, U) in panels and b as wide as they are; packed once for each version of the parameters."""
    version = weights.version.number
    kept = weights.packed.get("forward")
    if kept is None or kept[0] != version:
        bias = np.zeros(_width(cell), cell.dtype)
        if weights.bias is not None:
            bias[: cell.units] = weights.bias
        dtype = bias.dtype
        packed = pack(weights.kernel, dtype), pack(weights.recurrent_kernel, dtype), bias
        kept = weights.packed["forward"] = (version, packed)
    return kept[1]


def _packed_transposed(weights):
    version = weights.version.number
    kept = weights.packed.get("backward")
    if kept is None or kept[0] != version:
        kept = weights.packed["backward"] = (version, pack(weights.recurrent_kernel.T, weights.kernel.dtype))
    return kept[1]


# Loops through time


@kernel(
    "real3R bool2R int1C bool2R real2C int bool real1C real1C real1C real2C real3C real3A int int int int",
    uses=MATMUL,
)
def _forward_steps(
    x, mask, first_valid, reset, dropout, kind, zero_output, w, u, bias, fed, h, y, first, last, chunk, chunks
):  # fmt: skip
    """The steps from `first` to before `last`, for a chunk of the rows."""
    steps, batch, features = x.shape
    slots, _, width = h.shape
    outputs, _, units = y.shape
    begin, end = part_of(batch, chunk, chunks)
    lane_count = lanes_of(h)
    panels = wide_panels(units, lane_count) + narrow_panels(units, lane_count)
    x_step, x_row = x.strides[0] // x.itemsize, x.strides[1] // x.itemsize
    y_step, y_row = y.strides[0] // y.itemsize, y.strides[1] // y.itemsize
    for t in range(first, last):
        before, after = t % slots * batch * width, (t + 1) % slots * batch * width
        z, rows = after + begin * width, end - begin
        for b in range(begin, end):
            for unit in range(0, width, lane_count):
                store(h, after + b * width + unit, load(bias, unit))
        x_at = t * x_step + begin * x_row
        add_panels(x, x_at, x_row, 0, 1, w, 0, features, units, 0, panels, h, z, width, 1, features, rows)
        h_at = begin * width
        if fed.size:
            for b in range(begin, end):
                _feed(h, before + b * width, fed, b * width, reset, dropout, t, b)
            add_panels(fed, h_at, width, 0, 1, u, 0, units, units, 0, panels, h, z, width, 1, units, rows)
        else:
            add_panels(h, before + h_at, width, 0, 1, u, 0, units, units, 0, panels, h, z, width, 1, units, rows)
        output = t - steps + outputs
        for b in range(begin, end):
            masked = mask.size > 0 and not mask[t, b]
            anew = reset.size > 0 and reset[t, b]
            silent = mask.size > 0 and (t < first_valid[b] or (masked and zero_output))
            for unit in range(0, units, lane_count):
                at = b * width + unit
                if not masked:
                    value = activated(load(h, after + at), kind)
                elif anew:
                    value = zero(h)
                else:
                    value = load(h, before + at)
                store(h, after + at, value)
                if output >= 0:
                    out = zero(h) if silent else value
                    store_part(y, output * y_step + b * y_row + unit, out, min(lane_count, units - unit))


@kernel("bool2R int1C bool2R real2C int bool real1C real3C real3C real2C real3R bool int int", uses=MATMUL)
def _backward_steps(
    mask, first_valid, reset, dropout, kind, zero_output, ut, h, dz, dh, dy, to_the_initial_state, chunk, chunks
):  # fmt: skip
    """All steps, last to first, for a chunk of the rows; h becomes the h' that U met, for the product with dz."""
    steps, batch, width = dz.shape
    outputs, _, units = dy.shape
    begin, end = part_of(batch, chunk, chunks)
    lane_count = lanes_of(h)
    panels = wide_panels(units, lane_count) + narrow_panels(units, lane_count)
    dy_step, dy_row = dy.strides[0] // dy.itemsize, dy.strides[1] // dy.itemsize
    general = reset.size > 0 or dropout.size > 0
    for t in range(steps - 1, -1, -1):
        output = t - steps + outputs
        for b in range(begin, end):
            masked = mask.size > 0 and not mask[t, b]
            wanted = output >= 0
            if mask.size > 0:
                wanted = wanted and t >= first_valid[b] and not (masked and zero_output)
            for unit in range(0, units, lane_count):
                at, after = b * width + unit, ((t + 1) * batch + b) * width + unit
                d = load(dh, at)
                if wanted:
                    d = d + load_part(dy, output * dy_step + b * dy_row + unit, min(lane_count, units - unit))
                if masked:
                    store(dz, t * batch * width + at, zero(h))
                    store(dh, at, d)
                else:
                    store(dz, t * batch * width + at, d * slope(load(h, after), kind))
                    store(dh, at, zero(h))
            if general and t + 1 < steps:
                after = ((t + 1) * batch + b) * width
                _feed(h, after, h, after, reset, dropout, t + 1, b)
        if t > 0 or to_the_initial_state:
            at, rows = begin * width, end - begin
            dz_at = t * batch * width + at
            add_panels(dz, dz_at, width, 0, 1, ut, 0, units, units, 0, panels, dh, at, width, 1, units, rows)
            for b in range(begin, end):
                if reset.size > 0 and reset[t, b]:
                    for unit in range(0, units, lane_count):
                        store(dh, b * width + unit, zero(h))
                elif dropout.size > 0 and not (mask.size > 0 and not mask[t, b]):
                    for at in range(b * width, (b + 1) * width, lane_count):
                        store(dh, at, load(dh, at) * load(dropout, at))
    for b in range(begin, end if general and steps > 0 else begin):
        _feed(h, b * width, h, b * width, reset, dropout, 0, b)


@njit(inline="always")
def _feed(h, at, fed, fed_at, reset, dropout, t, b):
    """The h' of one row as U meets it in step t; `at`, `fed_at`: where the row is, and where it goes."""
    lane_count, width = lanes_of(h), h.shape[2]
    if reset.size > 0 and reset[t, b]:
        for unit in range(0, width, lane_count):
            store(fed, fed_at + unit, zero(h))
    elif dropout.size > 0:
        for unit in range(0, width, lane_count):
            store(fed, fed_at + unit, load(h, at + unit) * load(dropout, b * width + unit))
    else:
        for unit in range(0, width, lane_count):
            store(fed, fed_at + unit, load(h, at + unit))
