"""The passes of every cell: the trace, and the functions of the contract.

The parts that do not depend on the step before are large products: the input's part of z before the loop, the gradients
of the weights and of the input after it. The loop takes one of two paths. For a given cell, the number of units alone
decides, so that a row's bits do not depend on the batch: `persistent.py` for as many units as a block can hold,
otherwise `steps.py`.

Layouts, with S parts of the state:
    gates  [T, B, slots H]    the slots side by side: z, then the gates for the backward pass, then the gradients of z
    states [T + 1, B, S, H]   h first, the initial ones at index 0
Without training there are two states that take turns, and gates for as many steps as `plan.WORKSPACE` holds.
"""

import functools
from dataclasses import dataclass
from typing import Any

from numlstm.kernels import RecurrentInputs
from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.recurrence import persistent
from numlstm.kernels.cuda.recurrence import steps as step_by_step
from numlstm.kernels.cuda.recurrence.arguments import sequence_of
from numlstm.kernels.cuda.recurrence.masking import copy_valid, find_first
from numlstm.kernels.cuda.recurrence.plan import is_persistent, kept_steps, path, trace_bytes
from numlstm.kernels.cuda.recurrence.products import input_gradient, input_product, weight_gradients
from numlstm.kernels.cuda.recurrence.steps import write_h_in
from numlstm.kernels.cuda.runtime.memory import copy, empty, fill, filled, require, zeros

__all__ = [
    "make_recurrent_steps",
    "recurrent_backward",
    "recurrent_forward",
    "recurrent_gates",
    "recurrent_state",
    "recurrent_trace",
    "save_state",
]


@dataclass
class Trace:
    """The data that a pass keeps, and the workspace of the backward pass (see the layouts above).

    x: [T, B, F] room for the inputs, contiguous and with zeros at masked steps
    first_valid: [B] each row's first valid step
    valid: [1] the mask if there is none: True for every row and step
    never: [1] the resets if there are none
    carried: [B, S, H] the gradient of the state in the backward pass
    last: the index of the state after the last step
    mask: the mask of the forward pass
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
    kernel_name: str = ""
    mask: Any = None


def recurrent_trace(cell, shape, training):
    """Allocate the trace of one pass."""
    (steps, batch), units, dtype = shape, cell.units, cell.dtype
    kept, parts = kept_steps(cell, shape, training), len(cell.states)
    require(trace_bytes(cell, shape, training), f"a layer of {units} units over {steps} steps of {batch} rows")
    return Trace(
        gates=empty((kept, batch, len(page_of(cell.name).SLOTS) * units), dtype),
        states=zeros((steps + 1 if training else 2, batch, parts, units), dtype),
        x=empty((kept, batch, cell.features), dtype),
        first_valid=zeros((batch,), "int64"),
        valid=filled((1,), "bool", 1),
        never=zeros((1,), "bool"),
        carried=empty((batch, parts, units), dtype) if training else None,
        steps=steps,
    )


def recurrent_state(cell, trace):
    """The final state of a forward pass."""
    final = trace.states[trace.last].swapaxes(0, 1)
    parts = empty(final.shape, final.dtype)
    copy(parts, final)
    return tuple(parts[part] for part in range(len(cell.states)))


def save_state(cell, trace, state):
    """Write the final state of a forward pass to given arrays."""
    for part, given in enumerate(state):
        copy(given, trace.states[trace.last][:, part])


def recurrent_gates(cell, trace):
    """The gates and states of every step of a forward pass in training."""
    steps, batch, _ = trace.gates.shape
    units, dtype, slots = cell.units, trace.gates.dtype, page_of(cell.name).SLOTS
    found = {}
    for letter in cell.saved:
        first = slots.index(letter) * units
        found[letter] = empty((steps, batch, units), dtype)
        # Masked steps still hold z, from which no gate was computed.
        copy_valid(found[letter], trace.gates[:, :, first : first + units], trace.mask)
    for part, letter in enumerate(cell.states):
        found[letter] = empty((steps + 1, batch, units), dtype)
        copy(found[letter], trace.states[:, :, part])
    return found


def recurrent_forward(cell, weights, inputs, trace, y):
    """z = x W + h' U + b, then the cell, from the first step to the last."""
    mask, kept = inputs.mask, len(trace.gates)
    if inputs.state is None:
        fill(trace.states[0], 0)
    else:
        for part, given in enumerate(inputs.state):
            copy(trace.states[0][:, part], given)
    find_first(mask, trace)
    trace.last, trace.mask = 0, mask
    for begin in range(0, trace.steps, max(1, kept)):
        end = min(begin + kept, trace.steps)
        _project(cell, weights, inputs.x[begin:end], None if mask is None else mask[begin:end], trace)
        _loop(cell).run_forward(cell, weights, inputs, trace, y, (begin, end))
    trace.kernel_name = path(cell, y.shape[1], cell.with_options or inputs.with_options)


def make_recurrent_steps(cell, weights, x, trace, y):
    """z = x W + h' U + b, then the cell, one step."""
    inputs, y = RecurrentInputs(x[None]), y[None]

    def step(before):
        trace.last = before
        _project(cell, weights, inputs.x, None, trace)
        _loop(cell).run_forward(cell, weights, inputs, trace, y, (0, 1))

    return functools.partial(step, 0), functools.partial(step, 1)


def recurrent_backward(cell, weights, inputs, trace, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG, dx = dG Wᵀ."""
    steps, batch, features = trace.x.shape
    if gradients.state is None:
        fill(trace.carried, 0)
    else:
        for part, given in enumerate(gradients.state):
            copy(trace.carried[:, part], given)
    _loop(cell).run_backward(cell, weights, inputs, trace, dy, gradients.state is not None)
    if gradients.state is not None:
        for part, given in enumerate(gradients.state):
            copy(given, trace.carried[:, part])
    rows = steps * batch
    x, dz = trace.x.reshape(rows, features), trace.gates.reshape(rows, trace.gates.shape[2])
    h_in = trace.states[:steps].reshape(rows, len(cell.states), cell.units)[:, 0]
    if inputs.with_options and steps:
        write_h_in(h_in, h_in, sequence_of(inputs, trace), (0, steps))
    weight_gradients(cell, x, h_in, dz, gradients)
    if gradients.x is not None:
        # The inputs are no longer needed, so dx takes their place.
        input_gradient(cell, weights, dz, x)
        copy(gradients.x, trace.x)


def _loop(cell):
    return persistent if is_persistent(cell) else step_by_step


def _project(cell, weights, x, mask, trace):
    """z = x W + b for these steps. The trace has room for all of them."""
    steps, batch, features = x.shape
    room, gates = trace.x[:steps], trace.gates[:steps]
    copy_valid(room, x, mask)
    rows = steps * batch
    input_product(cell, weights, room.reshape(rows, features), gates.reshape(rows, gates.shape[2]))
