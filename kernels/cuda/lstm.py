"""The LSTM's forward pass and its backpropagation through time.

What does not depend on the step before is one large product: the input's part of z before the loop, the gradients of
the weights and of the input after it. The loop takes one of two paths, which the number of units alone decides, so that
a row's bits do not depend on the batch: the kernels of `recurrence` for as many units as a block can hold, else two
kernels a step, the recurrent product and the gate math of all units and rows.

Layouts:
    gates  [T, B, 4H]         i f g o side by side: z, then activations, then their gradients
    states [T + 1, B, 2, H]   h and c, the initial ones at index 0
Without training there are two states that take turns, and gates for as many steps as `_WORKSPACE` holds.
"""

from dataclasses import dataclass
from typing import Any

from numba import cuda

from numlstm.kernels.cuda import recurrence
from numlstm.kernels.cuda.device import SIMULATED, multiprocessors
from numlstm.kernels.cuda.gates import gates_backward, gates_forward
from numlstm.kernels.cuda.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.launch import blocks_for, kernel
from numlstm.kernels.cuda.matmul import multiply
from numlstm.kernels.cuda.memory import copy, empty, fill, filled, require, zeros

_WORKSPACE = 2**10 if SIMULATED else 2**26  # Bytes.


@dataclass
class Trace:
    """What a pass keeps, and the workspace of the way back (see the layouts above).

    x: [T, B, F] room for the inputs, contiguous and with zeros at masked steps
    first_valid: [B] each row's first step that counts
    valid: [1] the mask where there is none: True for every row and step
    carried: [B, 2, H] dh and dc on their way back
    """

    gates: Any
    states: Any
    x: Any
    first_valid: Any
    valid: Any
    carried: Any
    steps: int
    last: int = 0
    kernel_path: str = ""


def lstm_trace(cell, shape, training):
    """Allocate what one pass keeps."""
    steps, batch = shape
    units, bytes_each = cell.units, 8 if cell.dtype == "float64" else 4
    step_bytes = batch * (4 * units + cell.features) * bytes_each
    kept = steps if training else max(1, min(steps, _WORKSPACE // max(1, step_bytes)))
    states = (steps + 1 if training else 2, batch, 2, units)
    nbytes = kept * step_bytes + states[0] * batch * 2 * units * bytes_each
    require(nbytes, f"an LSTM of {units} units over {steps} steps of {batch} rows")
    return Trace(
        gates=empty((kept, batch, 4 * units), cell.dtype),
        states=empty(states, cell.dtype),
        x=empty((kept, batch, cell.features), cell.dtype),
        first_valid=zeros((batch,), "int64"),
        valid=filled((1,), "bool", 1),
        carried=empty((batch, 2, units), cell.dtype) if training else None,
        steps=steps,
    )


def lstm_state(trace):
    """The final (h, c) of a forward pass."""
    _, batch, _, units = trace.states.shape
    final = trace.states[trace.last]
    parts = tuple(empty((batch, units), final.dtype) for _ in range(2))
    for index, part in enumerate(parts):
        copy(part, final[:, index])
    return parts


def lstm_forward(cell, weights, x, mask, state, trace, y):
    """z = x W + h' U + b, then the gates: c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c."""
    initial = trace.states[0]
    if state is None:
        fill(initial, 0)
    else:
        for index, part in enumerate(state):
            copy(initial[:, index], part)
    if mask is None:
        fill(trace.first_valid, 0)
    else:
        steps, batch = mask.shape
        _find_first_valid.launch(cell.dtype, blocks_for(batch), mask, *mask.strides, trace.first_valid, steps, batch)
    trace.last = 0
    kept = len(trace.gates)
    run = _run_persistent if cell.units <= recurrence.MOST_UNITS[cell.dtype] else _run_steps
    for begin in range(0, trace.steps, kept):
        end = min(begin + kept, trace.steps)
        part_of_mask = None if mask is None else mask[begin:end]
        _project(weights, x[begin:end], part_of_mask, trace)
        run(cell, weights, part_of_mask, trace, y, begin, end - begin)


def lstm_backward(cell, weights, x, mask, trace, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG."""
    steps, batch, features = x.shape
    units = cell.units
    given = (gradients.h, gradients.c)
    if None in given:
        fill(trace.carried, 0)
    for index, gradient in enumerate(given):
        if gradient is not None:
            copy(trace.carried[:, index], gradient)
    if units <= recurrence.MOST_UNITS[cell.dtype]:
        _run_persistent_backward(cell, weights, mask, trace, dy)
    else:
        _run_steps_backward(cell, weights, mask, trace, dy)
    for index, gradient in enumerate(given):
        if gradient is not None:
            copy(gradient, trace.carried[:, index])
    inputs = trace.x.reshape(steps * batch, features)
    before = trace.states[:steps].reshape(steps * batch, 2, units)[:, 0]
    gates = trace.gates.reshape(steps * batch, 4 * units)
    multiply_transposed(inputs, gates, gradients.kernel)
    multiply_transposed(before, gates, gradients.recurrent_kernel)
    if gradients.bias is not None:
        sum_rows(gates, gradients.bias)
    if gradients.x is not None:
        # The inputs are not needed any more: their room takes dx.
        multiply(gates, weights.kernel.T, inputs)
        copy(gradients.x, trace.x)


def _project(weights, x, mask, trace):
    """z = x W + b for all steps that the trace has room for."""
    steps, batch, features = x.shape
    room = trace.x[:steps]
    if mask is None:
        copy(room, x)
    else:
        _copy_valid.launch(
            x.dtype.name, blocks_for(x.size), room, x, *x.strides[:2], mask, *mask.strides, batch, features, x.size
        )
    rows = steps * batch
    z = trace.gates[:steps].reshape(rows, trace.gates.shape[2])
    multiply(room.reshape(rows, features), weights.kernel, z, bias=weights.bias)


def _masking(mask, trace):
    """The mask as kernels take it, with its strides, and each row's first valid step."""
    if mask is None:
        return trace.valid, 0, 0, trace.first_valid
    return mask, *mask.strides, trace.first_valid


# In persistent kernels


def _run_persistent(cell, weights, mask, trace, y, begin, steps):
    batch, outputs = trace.states.shape[1], len(y)
    rows = recurrence.rows_of_a_block(cell.units, cell.dtype, batch, multiprocessors())
    training = trace.carried is not None
    before, after = trace.last, trace.last + 1 if training else 1 - trace.last
    recurrence.forward[cell.units, rows].launch(
        cell.dtype, -(-batch // rows), trace.gates, weights.recurrent_kernel, trace.states[before], trace.states[after],
        trace.states.strides[0] if training else 0, y, *y.strides[:2], begin + outputs - trace.steps,
        *_masking(mask, trace), int(training), begin, steps, batch,
    )  # fmt: skip
    trace.last = trace.steps if training else after
    trace.kernel_path = f"persistent blocks of {rows} row{'s' if rows > 1 else ''}"


def _run_persistent_backward(cell, weights, mask, trace, dy):
    steps, batch, outputs = trace.steps, trace.states.shape[1], len(dy)
    rows = recurrence.rows_of_a_block(cell.units, cell.dtype, batch, multiprocessors())
    recurrence.backward[cell.units, rows].launch(
        cell.dtype, -(-batch // rows), trace.gates, weights.recurrent_kernel, trace.states, trace.carried, dy,
        *dy.strides[:2], outputs - steps, *_masking(mask, trace), steps, batch,
    )  # fmt: skip


# Step by step


def _step_of(mask, t):
    return None if mask is None else mask[t : t + 1]


def _run_steps(cell, weights, mask, trace, y, begin, steps):
    batch, units, outputs = trace.states.shape[1], cell.units, len(y)
    for t in range(steps):
        before, after = trace.last, (trace.last + 1) % len(trace.states)
        z, h = trace.gates[t], trace.states[before][:, 0]
        multiply(h, weights.recurrent_kernel, z, add=True)
        output = begin + t + outputs - trace.steps
        _step_forward.launch(
            cell.dtype, blocks_for(batch * units), z, trace.states[before], trace.states[after],
            y[max(0, output)], y.strides[1], int(output >= 0), *_masking(_step_of(mask, t), trace), begin + t, units,
            batch,
        )  # fmt: skip
        trace.last = after
    trace.kernel_path = "step by step"


def _run_steps_backward(cell, weights, mask, trace, dy):
    steps, batch, units, outputs = trace.steps, trace.states.shape[1], cell.units, len(dy)
    transposed, dh = weights.recurrent_kernel.T, trace.carried[:, 0]
    for t in range(steps - 1, -1, -1):
        output = t + outputs - steps
        _step_backward.launch(
            cell.dtype, blocks_for(batch * units), trace.gates[t], trace.states[t], trace.states[t + 1], trace.carried,
            dy[max(0, output)], dy.strides[1], int(output >= 0), *_masking(_step_of(mask, t), trace), t, units, batch,
        )  # fmt: skip
        multiply(trace.gates[t], transposed, dh, add=True)


@kernel("real* real* real* real* int int bool* int int int* int int int")
def _step_forward(gates, before, after, y, y_row, wanted, mask, mask_step, mask_row, first_valid, t, units, batch):
    """The gate math of one step: a unit of a row a thread."""
    for k in range(cuda.grid(1), batch * units, cuda.gridsize(1)):
        b, unit = k // units, k % units
        at, gate = b * 2 * units + unit, b * 4 * units + unit
        h, c = before[at], before[at + units]
        if mask[b * mask_row] != 0:
            i, f, g, o, c, h = gates_forward(
                gates[gate], gates[gate + units], gates[gate + 2 * units], gates[gate + 3 * units], c
            )
            gates[gate], gates[gate + units], gates[gate + 2 * units], gates[gate + 3 * units] = i, f, g, o
        after[at], after[at + units] = h, c
        if wanted:
            y[b * y_row + unit] = h if t >= first_valid[b] else type(h)(0)


@kernel("real* real* real* real* real* int int bool* int int int* int int int")
def _step_backward(
    gates, before, after, carried, dy, dy_row, wanted, mask, mask_step, mask_row, first_valid, t, units, batch
):
    """dG of one step, and of dh what does not come through it."""
    for k in range(cuda.grid(1), batch * units, cuda.gridsize(1)):
        b, unit = k // units, k % units
        at, gate = b * 2 * units + unit, b * 4 * units + unit
        dh, dc = carried[at], carried[at + units]
        if wanted and t >= first_valid[b]:
            dh += dy[b * dy_row + unit]
        di = df = dg = do = type(dh)(0)
        if mask[b * mask_row] != 0:
            di, df, dg, do, dc = gates_backward(
                gates[gate], gates[gate + units], gates[gate + 2 * units], gates[gate + 3 * units],
                before[at + units], after[at + units], dh, dc,
            )  # fmt: skip
            dh = type(dh)(0)
        carried[at], carried[at + units] = dh, dc
        gates[gate], gates[gate + units], gates[gate + 2 * units], gates[gate + 3 * units] = di, df, dg, do


# Masks


@kernel("bool* int int int* int int")
def _find_first_valid(mask, mask_step, mask_row, first_valid, steps, batch):
    """Each row's first step that counts, or the number of steps: a row a thread."""
    for b in range(cuda.grid(1), batch, cuda.gridsize(1)):
        t = 0
        while t < steps and mask[t * mask_step + b * mask_row] == 0:
            t += 1
        first_valid[b] = t


@kernel("real* real* int int bool* int int int int int")
def _copy_valid(target, x, x_step, x_row, mask, mask_step, mask_row, batch, features, size):
    """The input, with zeros at masked steps, which are not read."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        t, b = k // (batch * features), k // features % batch
        value = type(target[k])(0)
        if mask[t * mask_step + b * mask_row] != 0:
            value = x[t * x_step + b * x_row + k % features]
        target[k] = value
