"""Elman's network, step by step: what does not depend on the step before is one large product, the rest two kernels.

Layouts:
    gates  [T, B, H]      z, then its gradient
    states [T + 1, B, H]  h, the initial one at index 0
Without training there are two states that take turns, and z for as many steps as a workspace holds.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import cuda

from numlstm.kernels import ACTIVATIONS, RecurrentInputs, RecurrentPlan
from numlstm.kernels.cuda.pointwise.activation import activated, slope
from numlstm.kernels.cuda.products.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.recurrence import masking
from numlstm.kernels.cuda.recurrence.masking import find_first, project
from numlstm.kernels.cuda.runtime.launch import blocks_for, device_function, kernel
from numlstm.kernels.cuda.runtime.memory import asarray, copy, empty, fill, filled, require, zeros

_PATH = "step by step"


@dataclass
class Trace:
    """What a pass keeps, and the workspace of the way back (see the layouts above).

    x: [T, B, F] room for the inputs, contiguous and with zeros at masked steps
    first_valid: [B] each row's first step that counts
    valid, anew, one: [1] mask, resets and multipliers where there are none, for every row and step
    carried: [B, H] dh on its way back
    """

    gates: Any
    states: Any
    x: Any
    first_valid: Any
    valid: Any
    anew: Any
    one: Any
    carried: Any
    steps: int
    last: int = 0
    kernel_path: str = _PATH


def rnn_trace(cell, shape, training):
    """Allocate what one pass keeps."""
    (steps, batch), units, dtype = shape, cell.units, cell.dtype
    kept = _kept_steps(cell, shape, training)
    require(_trace_bytes(cell, shape, training), f"a network of {units} units over {steps} steps of {batch} rows")
    return Trace(
        gates=empty((kept, batch, units), dtype),
        states=zeros((steps + 1 if training else 2, batch, units), dtype),
        x=empty((kept, batch, cell.features), dtype),
        first_valid=zeros((batch,), "int64"),
        valid=filled((1,), "bool", 1),
        anew=zeros((1,), "bool"),
        one=asarray(np.ones(1), dtype),
        carried=empty((batch, units), dtype) if training else None,
        steps=steps,
    )


def rnn_plan(cell, shape, training):
    """What `rnn_forward` would run, from the shape alone."""
    return RecurrentPlan(_PATH, "one path takes all numbers of units", _trace_bytes(cell, shape, training))


def _kept_steps(cell, shape, training):
    """How many steps' z there is room for."""
    steps, batch = shape
    return steps if training else max(1, min(steps, masking.WORKSPACE // max(1, _step_bytes(cell, batch))))


def _step_bytes(cell, batch):
    return batch * (cell.units + cell.features) * np.dtype(cell.dtype).itemsize


def _trace_bytes(cell, shape, training):
    steps, batch = shape
    states = batch * cell.units * np.dtype(cell.dtype).itemsize
    return _kept_steps(cell, shape, training) * _step_bytes(cell, batch) + (steps + 2 if training else 2) * states


def rnn_state(trace):
    """The final (h,) of a forward pass."""
    final = trace.states[trace.last]
    state = empty(final.shape, final.dtype)
    copy(state, final)
    return (state,)


def rnn_forward(cell, weights, inputs, trace, y):
    """h = φ(x W + h' U + b)."""
    x, mask, initial = inputs.x, inputs.mask, trace.states[0]
    if inputs.state is None:
        fill(initial, 0)
    else:
        copy(initial, inputs.state[0])
    find_first(mask, trace)
    trace.last = 0
    fed = None
    if inputs.general:
        fed = empty(initial.shape, initial.dtype)
        copy(fed, initial)
        _feed.launch(cell.dtype, blocks_for(fed.size), fed, *_carrying(inputs, trace, 0), cell.units, fed.size)
    kept = len(trace.gates)
    for begin in range(0, trace.steps, max(1, kept)):
        end = min(begin + kept, trace.steps)
        project(weights, x[begin:end], None if mask is None else mask[begin:end], trace)
        for t in range(begin, end):
            _run_step(cell, weights, inputs, trace, y, fed, trace.gates[t - begin], t)


def bind_rnn_step(cell, weights, x, trace, y):
    """h = φ(x W + h' U + b), one step."""
    x, y = x[None], y[None]
    inputs = RecurrentInputs(x)

    def step(before):
        trace.last = before
        project(weights, x, None, trace)
        _run_step(cell, weights, inputs, trace, y, None, trace.gates[0], 0)

    return functools.partial(step, 0), functools.partial(step, 1)


def _run_step(cell, weights, inputs, trace, y, fed, z, t):
    batch, units = z.shape
    before, after = trace.states[trace.last], (trace.last + 1) % len(trace.states)
    multiply(before if fed is None else fed, weights.recurrent_kernel, z, add=True)
    output = t + len(y) - trace.steps
    _step_forward.launch(
        cell.dtype, blocks_for(batch * units), z, before, trace.states[after], z if fed is None else fed,
        int(fed is not None), y[max(0, output)], y.strides[1], int(output >= 0), *_masking(inputs, trace, t),
        *_resetting(inputs, trace, t), *_carrying(inputs, trace, t + 1), ACTIVATIONS.index(cell.activation),
        int(cell.zero_output_for_mask), t, units, batch,
    )  # fmt: skip
    trace.last = after


def rnn_backward(cell, weights, inputs, trace, dy, gradients):
    """dz = dh ⊙ φ'(z), dh' = dz Uᵀ, then dW = Σ xᵀ dz, dU = Σ h'ᵀ dz, db = Σ dz, dx = dz Wᵀ."""
    (steps, batch), units, dh = inputs.x.shape[:2], cell.units, trace.carried
    if gradients.h is None:
        fill(dh, 0)
    else:
        copy(dh, gradients.h)
    transposed = weights.recurrent_kernel.T
    for t in range(steps - 1, -1, -1):
        output = t + len(dy) - steps
        _step_backward.launch(
            cell.dtype, blocks_for(batch * units), trace.gates[t], trace.states[t + 1], dh, int(t + 1 < steps),
            dy[max(0, output)], dy.strides[1], int(output >= 0), *_masking(inputs, trace, t),
            *_masking(inputs, trace, t + 1)[:2], *_carrying(inputs, trace, t + 1),
            ACTIVATIONS.index(cell.activation), int(cell.zero_output_for_mask), t, units, batch,
        )  # fmt: skip
        if t > 0 or gradients.h is not None:
            multiply(trace.gates[t], transposed, dh, add=True)
    if inputs.general and steps:
        size, carrying = batch * units, _carrying(inputs, trace, 0)
        _feed.launch(cell.dtype, blocks_for(size), trace.states[0], *carrying, units, size)
        if gradients.h is not None:
            _cross.launch(cell.dtype, blocks_for(size), dh, *_masking(inputs, trace, 0)[:2], *carrying, units, size)
    if gradients.h is not None:
        copy(gradients.h, dh)
    x, before, dz = (
        array.reshape(steps * batch, array.shape[2]) for array in (trace.x, trace.states[:steps], trace.gates)
    )
    multiply_transposed(x, dz, gradients.kernel)
    multiply_transposed(before, dz, gradients.recurrent_kernel)
    if gradients.bias is not None:
        sum_rows(dz, gradients.bias)
    if gradients.x is not None:
        # The inputs are not needed any more: their room takes dx.
        multiply(dz, weights.kernel.T, x)
        copy(gradients.x, trace.x)


# What kernels get of the options at one step: a pointer and its strides, 0 where there is but one number for all.


def _masking(inputs, trace, t):
    """The mask, and each row's first valid step."""
    if inputs.mask is None or t == trace.steps:
        return trace.valid, 0, trace.first_valid
    return inputs.mask[t], inputs.mask.strides[1], trace.first_valid


def _resetting(inputs, trace, t):
    if inputs.reset is None or t == trace.steps:
        return trace.anew, 0
    return inputs.reset[t], inputs.reset.strides[1]


def _carrying(inputs, trace, t):
    """Resets and multipliers of the h' of step t."""
    if inputs.recurrent_dropout is None:
        return *_resetting(inputs, trace, t), trace.one, 0, 0
    return *_resetting(inputs, trace, t), inputs.recurrent_dropout, *inputs.recurrent_dropout.strides


@device_function
def _fed(h, anew, multiplier):
    """The h' that U meets."""
    return type(h)(0) if anew != 0 else h * multiplier


@device_function
def _crossed(dh, valid, anew, multiplier):
    """From the gradient that a step gives its h' to that of the state before."""
    if anew != 0:
        return type(dh)(0)
    return dh * multiplier if valid != 0 else dh


@kernel("real* bool* int real* int int int int")
def _feed(h, reset, reset_row, dropout, dropout_row, dropout_unit, units, size):
    """h' as U meets it, in its own place: a unit of a row a thread."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        b, unit = k // units, k % units
        h[k] = _fed(h[k], reset[b * reset_row], dropout[b * dropout_row + unit * dropout_unit])


@kernel("real* bool* int bool* int real* int int int int")
def _cross(dh, mask, mask_row, reset, reset_row, dropout, dropout_row, dropout_unit, units, size):
    """dh of the initial state: a unit of a row a thread."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        b, unit = k // units, k % units
        multiplier = dropout[b * dropout_row + unit * dropout_unit]
        dh[k] = _crossed(dh[k], mask[b * mask_row], reset[b * reset_row], multiplier)


@kernel(
    "real* real* real* real* int real* int int bool* int int* bool* int bool* int real* int int int int int int int"
)
def _step_forward(
    z, before, after, fed, feeds, y, y_row, wanted, mask, mask_row, first_valid, reset, reset_row, next_reset,
    next_reset_row, dropout, dropout_row, dropout_unit, kind, zero_output, t, units, batch,
):  # fmt: skip
    """One step after its product, and what U meets in the next: a unit of a row a thread."""
    for k in range(cuda.grid(1), batch * units, cuda.gridsize(1)):
        b, unit = k // units, k % units
        valid, h = mask[b * mask_row], before[k]
        if valid != 0:
            h = activated(z[k], kind)
        elif reset[b * reset_row] != 0:
            h = type(h)(0)
        after[k] = h
        if feeds:
            multiplier = dropout[b * dropout_row + unit * dropout_unit]
            fed[k] = _fed(h, next_reset[b * next_reset_row], multiplier)
        if wanted:
            silent = t < first_valid[b] or (zero_output and valid == 0)
            y[b * y_row + unit] = type(h)(0) if silent else h


@kernel("real* real* real* int real* int int bool* int int* bool* int bool* int real* int int int int int int int")
def _step_backward(
    z, after, dh, follows, dy, dy_row, wanted, mask, mask_row, first_valid, next_mask, next_mask_row, next_reset,
    next_reset_row, dropout, dropout_row, dropout_unit, kind, zero_output, t, units, batch,
):  # fmt: skip
    """dz of one step, and of dh what does not come through it; h becomes what U met: a unit of a row a thread."""
    for k in range(cuda.grid(1), batch * units, cuda.gridsize(1)):
        b, unit = k // units, k % units
        valid, h, d = mask[b * mask_row], after[k], dh[k]
        if follows:
            multiplier, anew = dropout[b * dropout_row + unit * dropout_unit], next_reset[b * next_reset_row]
            d = _crossed(d, next_mask[b * next_mask_row], anew, multiplier)
            after[k] = _fed(h, anew, multiplier)
        if wanted and t >= first_valid[b] and not (zero_output and valid == 0):
            d += dy[b * dy_row + unit]
        if valid != 0:
            z[k] = d * slope(h, kind)
            dh[k] = 0
        else:
            z[k] = 0
            dh[k] = d
