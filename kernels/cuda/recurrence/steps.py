"""The loop through time for any number of units, with two kernels a step: the product with U, and the cell.

With options, the operand and the result of the product are not the state and its gradient, and have arrays of their
own: h_in = m ⊙ h', and dh_in = dz Uᵀ, of which the state before gets m ⊙ dh_in.
"""

from typing import NamedTuple

from numba import cuda

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.recurrence.arguments import (
    Output,
    Rows,
    Sequence,
    Step,
    activation_indices,
    output_of,
    sequence_of,
)
from numlstm.kernels.cuda.recurrence.masking import (
    backprop_to_previous,
    flag,
    h_in_of,
    multiplier_of,
    unless_reset,
    visible,
)
from numlstm.kernels.cuda.recurrence.products import state_gradient, state_product
from numlstm.kernels.cuda.recurrence.reset_before import add_gradients, add_products
from numlstm.kernels.cuda.recurrence.tuples import reader, writer
from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, kernel, runs, template
from numlstm.kernels.cuda.runtime.memory import empty
from numlstm.kernels.cuda.runtime.signature import Reals


class States(NamedTuple):
    """The state before a step and the state after it: [B, S, H] each."""

    before: Reals
    after: Reals


@template("real*", States, "real*", Output, Sequence, Step)
def step_forward(real, cell, activations):
    """The cell, and with options the h_in of the next step. Each thread takes one unit of a row.

    z: [B, slots H] overwritten with the gates
    h_in: [B, H] overwritten with that of the next step, with options only
    """
    page, with_options = page_of(cell), activations is not None
    slots, parts, cell_forward = len(page.SLOTS), len(page.STATES), page.cell_forward
    read_z, write_gates, read_state, write_state = reader(slots), writer(slots), reader(parts), writer(parts)

    def step_forward(z, states, h_in, y, sequence, step):
        t, units = step.t, step.units
        state = cuda.local.array(parts, real)
        for k in range(cuda.grid(1), step.batch * units, cuda.gridsize(1)):
            row, unit = k // units, k % units
            z_at, at, valid = row * slots * units + unit, row * parts * units + unit, flag(sequence.mask, t, row)
            for part in range(parts):
                state[part] = states.before[at + part * units]
                if with_options:
                    state[part] = unless_reset(state[part], flag(sequence.resets, t, row))
            if valid != 0:
                gates, after = cell_forward(read_z(z, z_at, units), read_state(state, 0, 1), activations)
                write_gates(z, z_at, units, gates)
                write_state(state, 0, 1, after)
            write_state(states.after, at, units, read_state(state, 0, 1))
            h = state[0]
            if t >= y.first:
                is_visible = visible(t, sequence.first_valid[row], valid, sequence.zero_output)
                y.values[(t - y.first) * y.step + row * y.row + unit] = h if is_visible else real(0)
            if with_options and t + 1 < step.steps:
                multiplier = multiplier_of(sequence, row, unit, real(1))
                h_in[k] = h_in_of(h, multiplier, flag(sequence.resets, t + 1, row))

    return step_forward, THREADS, 0


@template("real*", States, "real* real*", Output, Sequence, Step)
def step_backward(real, cell, activations):
    """dG of one step, and the part of the state's gradient that bypasses U. Each thread takes one unit of a row.

    gates: [B, slots H] overwritten with dz
    carried: [B, S, H] the gradient from the next step without dh_in, overwritten with that of this step
    dh_in: [B, H] dz Uᵀ of the next step
    """
    page, with_options = page_of(cell), activations is not None
    slots, parts, cell_backward = len(page.SLOTS), len(page.STATES), page.cell_backward
    read_gates, write_dz, read_state, write_state = reader(slots), writer(slots), reader(parts), writer(parts)

    def step_backward(gates, states, carried, dh_in, dy, sequence, step):
        t, units = step.t, step.units
        before, d = cuda.local.array(parts, real), cuda.local.array(parts, real)
        for k in range(cuda.grid(1), step.batch * units, cuda.gridsize(1)):
            row, unit = k // units, k % units
            z_at, at, valid = row * slots * units + unit, row * parts * units + unit, flag(sequence.mask, t, row)
            for part in range(parts):
                before[part], d[part] = states.before[at + part * units], carried[at + part * units]
                if with_options:
                    before[part] = unless_reset(before[part], flag(sequence.resets, t, row))
                    if t + 1 < step.steps:
                        d[part] = unless_reset(d[part], flag(sequence.resets, t + 1, row))
            if t + 1 < step.steps:
                if with_options:
                    multiplier = multiplier_of(sequence, row, unit, real(1))
                    d[0] = backprop_to_previous(d[0], dh_in[k], multiplier, flag(sequence.resets, t + 1, row))
                else:
                    d[0] += dh_in[k]
            if t >= dy.first and visible(t, sequence.first_valid[row], valid, sequence.zero_output):
                d[0] += dy.values[(t - dy.first) * dy.step + row * dy.row + unit]
            if valid != 0:
                after, d_after = read_state(states.after, at, units), read_state(d, 0, 1)
                saved = read_gates(gates, z_at, units)
                dz, d_before = cell_backward(saved, read_state(before, 0, 1), after, d_after, activations)
                write_dz(gates, z_at, units, dz)
                write_state(d, 0, 1, d_before)
            else:
                for slot in range(slots):
                    gates[z_at + slot * units] = real(0)
            write_state(carried, at, units, read_state(d, 0, 1))

    return step_backward, THREADS, 0


@kernel("real* real*", Sequence, "int int int")
def initial_gradient(carried, dh_in, sequence, parts, units, batch):
    """The gradient of the initial state: `carried` and dh_in of step 0 together, as in `step_backward`."""
    for k in range(cuda.grid(1), batch * units, cuda.gridsize(1)):
        row, unit = k // units, k % units
        at, reset_now = row * parts * units + unit, flag(sequence.resets, 0, row)
        multiplier = multiplier_of(sequence, row, unit, type(dh_in[k])(1))
        carried[at] = backprop_to_previous(carried[at], dh_in[k], multiplier, reset_now)
        for part in range(1, parts):
            carried[at + part * units] = unless_reset(carried[at + part * units], reset_now)


@kernel(Rows, Rows, Sequence, Step)
def compute_h_in(h_in, h, sequence, step):
    """See `write_h_in`. Each thread takes one unit of a row."""
    units, batch = step.units, step.batch
    for k in range(cuda.grid(1), (step.steps - step.t) * batch * units, cuda.gridsize(1)):
        number, unit = k // units, k % units
        t, row, value = step.t + number // batch, number % batch, h.values[number * h.row + unit]
        multiplier = multiplier_of(sequence, row, unit, type(value)(1))
        h_in.values[number * h_in.row + unit] = h_in_of(value, multiplier, flag(sequence.resets, t, row))


def run_forward(cell, weights, inputs, trace, y, span):
    """Run steps `span` of a sequence, whose z = x W + b are in the trace."""
    begin, end = span
    activations, batch, units = activation_indices(cell, inputs), y.shape[1], cell.units
    kernel, sequence, output = step_forward[cell.name, activations], sequence_of(inputs, trace), output_of(y, trace)
    h_in = None
    if activations is not None:
        h_in = empty((batch, units), cell.dtype)
        write_h_in(h_in, trace.states[trace.last][:, 0], sequence, (begin, begin + 1))
    for t in range(begin, end):
        z, before, after = trace.gates[t - begin], trace.states[trace.last], trace.states[_next(trace)]
        h = before[:, 0] if h_in is None else h_in
        if page_of(cell.name).RESET_GATES is None:
            state_product(cell, weights, h, z)
        else:
            add_products(cell, weights, h, z, activations)
        step = Step(t, trace.steps, units, batch)
        kernel.launch(cell.dtype, blocks_for(batch * units), z, States(before, after), h, output, sequence, step)
        trace.last = _next(trace)


def _next(trace):
    return (trace.last + 1) % len(trace.states)


def run_backward(cell, weights, inputs, trace, dy, wanted):
    """Run all steps, last to first, from the gradient of the final state to that of the initial one, if `wanted`."""
    batch, units, activations = dy.shape[1], cell.units, activation_indices(cell, inputs)
    kernel = step_backward[cell.name, activations]
    sequence, output, dh_in = sequence_of(inputs, trace), output_of(dy, trace), empty((batch, units), cell.dtype)
    for t in range(trace.steps - 1, -1, -1):
        dz, states = trace.gates[t], States(trace.states[t], trace.states[t + 1])
        step = Step(t, trace.steps, units, batch)
        kernel.launch(
            cell.dtype, blocks_for(batch * units), dz, states, trace.carried, dh_in, output, sequence, step
        )  # fmt: skip
        if page_of(cell.name).RESET_GATES is not None:
            add_gradients(cell, weights, dz, states.before, dh_in, sequence, step, activations)
        elif t > 0 or wanted:
            state_gradient(cell, weights, dz, dh_in)
    if wanted and trace.steps:
        parts = len(cell.states)
        initial_gradient.launch(
            cell.dtype, blocks_for(batch * units), trace.carried, dh_in, sequence, parts, units, batch
        )  # fmt: skip


@runs(compute_h_in)
def write_h_in(h_in, h, sequence, span):
    """Write the h' that U multiplies in steps `span`, one row for each step and row of the batch.

    h_in: [R, H] view, overwritten; may be h
    h: [R, H] view, the h before each of these steps
    """
    rows, units = h.shape
    begin, end = span
    step = Step(begin, end, units, rows // (end - begin))
    compute_h_in.launch(h.dtype, blocks_for(h.size), Rows(h_in, h_in.strides[0]), Rows(h, h.strides[0]), sequence, step)
