"""The LSTM's forward pass and its backpropagation through time.

What does not depend on the step before is one large product: the input's part of z before the loop, the gradients of
the weights and of the input after it. The loop takes one of two paths, which the number of units alone decides, so that
a row's bits do not depend on the batch: the kernels of `recurrence` for as many units as a block can hold, else two
kernels a step, the recurrent product and the gate math of all units and rows.

Layouts:
    gates  [T, B, 4H]         i f g o side by side: z, then activations, then their gradients
    states [T + 1, B, 2, H]   h and c, the initial ones at index 0
Without training there are two states that take turns, and gates for as many steps as `masking.WORKSPACE` holds.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm.kernels import CELL_ACTIVATIONS, RecurrentInputs, RecurrentPlan
from numlstm.kernels.cuda.products.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.recurrence import masking, persistent
from numlstm.kernels.cuda.recurrence.masking import copy_valid, find_first, project
from numlstm.kernels.cuda.recurrence.steps import (
    cross_into_initial_state,
    feed,
    join_state,
    part_state,
    step_backward,
    step_forward,
)
from numlstm.kernels.cuda.runtime.device import multiprocessors
from numlstm.kernels.cuda.runtime.launch import blocks_for
from numlstm.kernels.cuda.runtime.memory import copy, empty, fill, filled, require, zeros

_STEPWISE_PATH = "step by step"


@dataclass
class Trace:
    """What a pass keeps, and the workspace of the way back (see the layouts above).

    x: [T, B, F] room for the inputs, contiguous and with zeros at masked steps
    first_valid: [B] each row's first step that counts
    valid: [1] the mask where there is none: True for every row and step
    never: [1] the resets where there are none
    carried: [B, 2, H] dh and dc on their way back
    mask: that of the forward pass
    """

    gates: Any
    states: Any
    x: Any
    first_valid: Any
    valid: Any
    never: Any
    carried: Any
    steps: int
    last: int = 0
    kernel_path: str = ""
    mask: Any = None


def lstm_trace(cell, shape, training):
    """Allocate what one pass keeps."""
    (steps, batch), units, dtype = shape, cell.units, cell.dtype
    kept = _kept_steps(cell, shape, training)
    require(_trace_bytes(cell, shape, training), f"an LSTM of {units} units over {steps} steps of {batch} rows")
    return Trace(
        gates=empty((kept, batch, 4 * units), dtype),
        states=zeros((steps + 1 if training else 2, batch, 2, units), dtype),
        x=empty((kept, batch, cell.features), dtype),
        first_valid=zeros((batch,), "int64"),
        valid=filled((1,), "bool", 1),
        never=zeros((1,), "bool"),
        carried=empty((batch, 2, units), dtype) if training else None,
        steps=steps,
    )


def lstm_plan(cell, shape, training, general=False):
    """What `lstm_forward` would run, from the shape alone."""
    most = persistent.most_units(cell.dtype)
    if _is_persistent(cell):
        reason = f"the recurrent weights of up to {most} units stay in a multiprocessor through all of time"
    else:
        reason = f"{cell.units} units have more recurrent weights than a multiprocessor can hold, which takes {most}"
    path = _path(cell, shape[1], general or cell.general)
    return RecurrentPlan(path, reason, _trace_bytes(cell, shape, training))


def _path(cell, batch, general):
    path = _STEPWISE_PATH
    if _is_persistent(cell):
        rows = _rows_of_a_block(cell, batch, general)
        path = f"persistent blocks of {rows} row{'s' if rows > 1 else ''}"
    return f"{path}, general" if general else path


def _kept_steps(cell, shape, training):
    """How many steps' gates there is room for."""
    steps, batch = shape
    return steps if training else max(1, min(steps, masking.WORKSPACE // max(1, _step_bytes(cell, batch))))


def _step_bytes(cell, batch):
    return batch * (4 * cell.units + cell.features) * np.dtype(cell.dtype).itemsize


def _trace_bytes(cell, shape, training):
    steps, batch = shape
    states = batch * 2 * cell.units * np.dtype(cell.dtype).itemsize
    return _kept_steps(cell, shape, training) * _step_bytes(cell, batch) + (steps + 2 if training else 2) * states


def lstm_state(trace):
    """The final (h, c) of a forward pass."""
    final = trace.states[trace.last].swapaxes(0, 1)
    parts = empty(final.shape, final.dtype)
    copy(parts, final)
    return parts[0], parts[1]


def lstm_gates(trace):
    """(i, f, g, o, c, h) of a forward pass in training."""
    steps, batch, width = trace.gates.shape
    units, dtype, mask = width // 4, trace.gates.dtype, trace.mask
    parts = [empty((steps, batch, units), dtype) for _ in range(4)]
    for part, first in zip(parts, range(0, width, units), strict=True):
        active = trace.gates[:, :, first : first + units]
        if mask is None:
            copy(part, active)
        else:
            # At masked steps z stands there, which nothing was made of.
            copy_valid.launch(
                dtype, blocks_for(part.size), part, active, *active.strides[:2], mask, *mask.strides, batch, units,
                part.size,
            )  # fmt: skip
    for index in (1, 0):
        parts.append(empty((steps + 1, batch, units), dtype))
        copy(parts[-1], trace.states[:, :, index])
    return tuple(parts)


def lstm_forward(cell, weights, inputs, trace, y):
    """z = x W + h' U + b, then the gates: c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c."""
    mask, initial = inputs.mask, trace.states[0]
    if inputs.state is None:
        fill(initial, 0)
    else:
        _with_parts(join_state, initial, inputs.state)
    find_first(mask, trace)
    trace.last, trace.mask = 0, mask
    kept = len(trace.gates)
    run = _run_persistent if _is_persistent(cell) else _run_steps
    for begin in range(0, trace.steps, kept):
        end = min(begin + kept, trace.steps)
        project(weights, inputs.x[begin:end], None if mask is None else mask[begin:end], trace)
        run(cell, weights, inputs, trace, y, begin, end - begin)
    trace.kernel_path = _path(cell, y.shape[1], cell.general or inputs.general)


def bind_lstm_step(cell, weights, x, trace, y):
    """z = x W + h' U + b, then the gates, of one step."""
    run = _run_persistent if _is_persistent(cell) else _run_steps
    inputs, y = RecurrentInputs(x[None]), y[None]

    def step(before):
        trace.last = before
        project(weights, inputs.x, None, trace)
        run(cell, weights, inputs, trace, y, 0, 1)

    return functools.partial(step, 0), functools.partial(step, 1)


def lstm_backward(cell, weights, inputs, trace, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG."""
    steps, batch, features = inputs.x.shape
    units = cell.units
    given = (gradients.h, gradients.c)
    if given == (None, None):
        fill(trace.carried, 0)
    else:
        _with_parts(join_state, trace.carried, given)
    run = _run_persistent_backward if _is_persistent(cell) else _run_steps_backward
    run(cell, weights, inputs, trace, dy)
    if given != (None, None):
        _with_parts(part_state, trace.carried, given)
    x = trace.x.reshape(steps * batch, features)
    before = trace.states[:steps].reshape(steps * batch, 2, units)[:, 0]
    if inputs.general:
        _feed(before, inputs, 0, trace.states[:steps], trace)
    gates = trace.gates.reshape(steps * batch, 4 * units)
    multiply_transposed(x, gates, gradients.kernel)
    multiply_transposed(before, gates, gradients.recurrent_kernel)
    if gradients.bias is not None:
        sum_rows(gates, gradients.bias)
    if gradients.x is not None:
        # The inputs are not needed any more: their room takes dx.
        multiply(gates, weights.kernel.T, x)
        copy(gradients.x, trace.x)


def _with_parts(kernel, states, parts):
    """Join the parts of a state, or write them: both in one launch. A part may be None."""
    given = []
    for each in parts:
        given += (states, 0, 0) if each is None else (each, each.strides[0], 1)
    batch, _, units = states.shape
    kernel.launch(states.dtype, blocks_for(batch * units), *given, states, units, batch * units)


def _masking(mask, begin, trace):
    """The mask as kernels take it, from a step on, with its strides, and each row's first valid step."""
    if mask is None:
        return trace.valid, 0, 0, trace.first_valid
    return mask[begin:], *mask.strides, trace.first_valid


def _kinds(cell, inputs):
    """The constant of the kernels that have a general form: the cell's activations, or None for the plain one."""
    if not (cell.general or inputs.general):
        return None
    return CELL_ACTIVATIONS.index(cell.activation), CELL_ACTIVATIONS.index(cell.recurrent_activation)


def _options(cell, inputs, begin, trace):
    """What `gates.OPTIONS` says, from a step on."""
    reset, *strides = _resets(inputs, trace)
    reset = reset if inputs.reset is None else reset[begin:]
    return int(cell.zero_output_for_mask), reset, *strides, *_dropout(inputs, trace)


def _resets(inputs, trace):
    return (trace.never, 0, 0) if inputs.reset is None else (inputs.reset, *inputs.reset.strides)


def _dropout(inputs, trace):
    dropout = inputs.recurrent_dropout
    return (trace.states, 0, 0) if dropout is None else (dropout, dropout.strides[0], 1)


def _feed(fed, inputs, t, states, trace):
    """The h' that U meets after these states, in step t and those after it."""
    steps, batch, _, units = states.shape
    reset, *strides = _resets(inputs, trace)
    reset = reset if inputs.reset is None else reset[t:]
    size = steps * batch * units
    feed.launch(
        fed.dtype, blocks_for(size), fed, fed.strides[0], states, reset, *strides, *_dropout(inputs, trace), units,
        batch, size,
    )  # fmt: skip


# In persistent kernels


def _is_persistent(cell):
    return cell.units <= persistent.most_units(cell.dtype)


def _rows_of_a_block(cell, batch, general):
    return persistent.rows_of_a_block(cell.units, cell.dtype, batch, multiprocessors(), general)


def _run_persistent(cell, weights, inputs, trace, y, begin, steps):
    batch, outputs = trace.states.shape[1], len(y)
    kinds = _kinds(cell, inputs)
    rows = _rows_of_a_block(cell, batch, kinds is not None)
    training = trace.carried is not None
    before, after = trace.last, trace.last + 1 if training else 1 - trace.last
    persistent.forward[cell.units, rows, kinds].launch(
        cell.dtype, -(-batch // rows), trace.gates, weights.recurrent_kernel, trace.states[before], trace.states[after],
        trace.states.strides[0] if training else 0, y, *y.strides[:2], begin + outputs - trace.steps,
        *_masking(inputs.mask, begin, trace), int(training), begin, steps, batch,
        *_options(cell, inputs, begin, trace),
    )  # fmt: skip
    trace.last = trace.steps if training else after


def _run_persistent_backward(cell, weights, inputs, trace, dy):
    steps, batch, outputs = trace.steps, trace.states.shape[1], len(dy)
    kinds = _kinds(cell, inputs)
    rows = _rows_of_a_block(cell, batch, kinds is not None)
    persistent.backward[cell.units, rows, kinds].launch(
        cell.dtype, -(-batch // rows), trace.gates, weights.recurrent_kernel, trace.states, trace.carried, dy,
        *dy.strides[:2], outputs - steps, *_masking(inputs.mask, 0, trace), steps, batch,
        *_options(cell, inputs, 0, trace),
    )  # fmt: skip


# Step by step


def _run_steps(cell, weights, inputs, trace, y, begin, steps):
    batch, units, outputs = trace.states.shape[1], cell.units, len(y)
    kernel, options = step_forward[_kinds(cell, inputs),], _options(cell, inputs, 0, trace)
    fed = None
    if inputs.general:
        fed = empty((batch, units), cell.dtype)
        _feed(fed, inputs, begin, trace.states[trace.last : trace.last + 1], trace)
    for t in range(begin, begin + steps):
        before, after = trace.last, (trace.last + 1) % len(trace.states)
        z = trace.gates[t - begin]
        h = trace.states[before][:, 0] if fed is None else fed
        multiply(h, weights.recurrent_kernel, z, add=True)
        output = t + outputs - trace.steps
        kernel.launch(
            cell.dtype, blocks_for(batch * units), z, trace.states[before], trace.states[after],
            y[max(0, output)], y.strides[1], int(output >= 0), *_masking(inputs.mask, t, trace), t, units, batch,
            h, int(fed is not None and t + 1 < trace.steps), *options,
        )  # fmt: skip
        trace.last = after


def _run_steps_backward(cell, weights, inputs, trace, dy):
    steps, batch, units, outputs = trace.steps, trace.states.shape[1], cell.units, len(dy)
    transposed, dh = weights.recurrent_kernel.T, trace.carried[:, 0]
    kernel, options = step_backward[_kinds(cell, inputs),], _options(cell, inputs, 0, trace)
    for t in range(steps - 1, -1, -1):
        output = t + outputs - steps
        kernel.launch(
            cell.dtype, blocks_for(batch * units), trace.gates[t], trace.states[t], trace.states[t + 1], trace.carried,
            dy[max(0, output)], dy.strides[1], int(output >= 0), *_masking(inputs.mask, t, trace), t, units, batch,
            int(inputs.general and t + 1 < steps), *options,
        )  # fmt: skip
        multiply(trace.gates[t], transposed, dh, add=True)
    if inputs.general:
        mask, _, mask_row, _ = _masking(inputs.mask, 0, trace)
        reset, _, reset_row = _resets(inputs, trace)
        cross_into_initial_state.launch(
            cell.dtype, blocks_for(batch * units), trace.carried, mask, mask_row, reset, reset_row,
            *_dropout(inputs, trace), units, batch,
        )  # fmt: skip
