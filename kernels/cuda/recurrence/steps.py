"""The gate math of one step as kernels for all units and rows.

Kernels come in two forms, as their constant `kinds` says: the plain one, where it is None, asks for no options in its
inner loop. The general one is made for the cell's activations: it would otherwise ask for them eight times a step.
"""

from numba import cuda

from numlstm.kernels.cuda.cells.activation import SIGMOID, TANH
from numlstm.kernels.cuda.cells.lstm import any_gates_backward, any_gates_forward, gates_backward, gates_forward
from numlstm.kernels.cuda.runtime.launch import THREADS, device_function, kernel, template

OPTIONS = "int bool* int int real* int int"
"""The last parameters of the kernels that have a general form, which alone reads them but the first:

zero_output: whether the output of a masked step is zero
reset, reset_step, reset_row: view of bools
dropout, dropout_row, dropped: [B, H] view, not read unless `dropped`
"""

PLAIN_KINDS = TANH, SIGMOID
"""What the plain form computes: the cell's activation and its recurrent one, by their places in `CELL_ACTIVATIONS`."""


@device_function
def cross_into_state(dh, dc, anew, valid, multiplier):
    """From the gradients of what a step took over, (dh, dc), to those of the state before."""
    real = type(dh)
    if anew != 0:
        return real(0), real(0)
    return dh * multiplier if valid != 0 else dh, dc


# One step of as many units as there are, after the recurrent product: a unit of a row a thread


@template("real* real* real* real* int int bool* int int int* int int int real* int " + OPTIONS)
def step_forward(real, kinds):
    """The gate math; for the step after, what U will meet.

    gates: [B, 4H] z, overwritten with the activations
    before, after: [B, 2, H] states
    y: [B, H] view, written if `wanted`
    mask: view of bools, from this step on, which is number t
    fed: [B, H] overwritten, if `feeds`, with h' as the next step's U meets it
    """
    general = kinds is not None
    kind, recurrent_kind = kinds or PLAIN_KINDS

    def step_forward(
        gates, before, after, y, y_row, wanted, mask, mask_step, mask_row, first_valid, t, units, batch, fed, feeds,
        zero_output, reset, reset_step, reset_row, dropout, dropout_row, dropped,
    ):  # fmt: skip
        for k in range(cuda.grid(1), batch * units, cuda.gridsize(1)):
            b, unit = k // units, k % units
            at, gate = b * 2 * units + unit, b * 4 * units + unit
            h, c, valid = before[at], before[at + units], mask[b * mask_row]
            if general and reset[t * reset_step + b * reset_row] != 0:
                h = c = real(0)
            if valid != 0:
                zi, zf = gates[gate], gates[gate + units]
                zg, zo = gates[gate + 2 * units], gates[gate + 3 * units]
                if general:
                    i, f, g, o, c, h = any_gates_forward(kind, recurrent_kind, zi, zf, zg, zo, c)
                else:
                    i, f, g, o, c, h = gates_forward(zi, zf, zg, zo, c)
                gates[gate], gates[gate + units], gates[gate + 2 * units], gates[gate + 3 * units] = i, f, g, o
            after[at], after[at + units] = h, c
            if wanted:
                shown = t >= first_valid[b] and not (zero_output != 0 and valid == 0)
                y[b * y_row + unit] = h if shown else real(0)
            if general and feeds:
                if dropped:
                    h = h * dropout[b * dropout_row + unit]
                fed[k] = real(0) if reset[(t + 1) * reset_step + b * reset_row] != 0 else h

    return step_forward, THREADS, 0


@template("real* real* real* real* real* int int bool* int int int* int int int int " + OPTIONS)
def step_backward(real, kinds):
    """dG of one step, and of dh what does not come through it.

    gates: [B, 4H] activations, overwritten with dG
    before, after: [B, 2, H] states
    carried: [B, 2, H] dh and dc; if `crossing`, of what the step after took over
    dy: [B, H] view, read if `wanted`
    mask: view of bools, from this step on, which is number t
    """
    general = kinds is not None
    kind, recurrent_kind = kinds or PLAIN_KINDS

    def step_backward(
        gates, before, after, carried, dy, dy_row, wanted, mask, mask_step, mask_row, first_valid, t, units, batch,
        crossing, zero_output, reset, reset_step, reset_row, dropout, dropout_row, dropped,
    ):  # fmt: skip
        for k in range(cuda.grid(1), batch * units, cuda.gridsize(1)):
            b, unit = k // units, k % units
            at, gate = b * 2 * units + unit, b * 4 * units + unit
            dh, dc, c_before, valid = carried[at], carried[at + units], before[at + units], mask[b * mask_row]
            if general and crossing:
                multiplier = dropout[b * dropout_row + unit] if dropped else real(1)
                after_valid, after_anew = mask[mask_step + b * mask_row], reset[(t + 1) * reset_step + b * reset_row]
                dh, dc = cross_into_state(dh, dc, after_anew, after_valid, multiplier)
            if general and reset[t * reset_step + b * reset_row] != 0:
                c_before = real(0)
            if wanted and t >= first_valid[b] and not (zero_output != 0 and valid == 0):
                dh += dy[b * dy_row + unit]
            di = df = dg = do = real(0)
            if valid != 0:
                i, f, g, o = gates[gate], gates[gate + units], gates[gate + 2 * units], gates[gate + 3 * units]
                if general:
                    di, df, dg, do, dc = any_gates_backward(
                        kind, recurrent_kind, i, f, g, o, c_before, after[at + units], dh, dc
                    )
                else:
                    di, df, dg, do, dc = gates_backward(i, f, g, o, c_before, after[at + units], dh, dc)
                dh = real(0)
            carried[at], carried[at + units] = dh, dc
            gates[gate], gates[gate + units], gates[gate + 2 * units], gates[gate + 3 * units] = di, df, dg, do

    return step_backward, THREADS, 0


@kernel("real* bool* int bool* int real* int int int int")
def cross_into_initial_state(carried, mask, mask_row, reset, reset_row, dropout, dropout_row, dropped, units, batch):
    """What `step_backward` does for the step after, where there is no step before it any more."""
    for k in range(cuda.grid(1), batch * units, cuda.gridsize(1)):
        b, unit = k // units, k % units
        at = b * 2 * units + unit
        dh, dc = carried[at], carried[at + units]
        multiplier = dropout[b * dropout_row + unit] if dropped else type(dh)(1)
        carried[at], carried[at + units] = cross_into_state(
            dh, dc, reset[b * reset_row], mask[b * mask_row], multiplier
        )


@kernel("real* int int real* int int real* int int")
def join_state(h, h_row, with_h, c, c_row, with_c, states, units, size):
    """A state of its parts: a unit of a row a thread.

    h, c: [B, H] views, not read unless `with_h`, `with_c`: then zeros
    states: [B, 2, H] overwritten
    """
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        b, unit = k // units, k % units
        at = b * 2 * units + unit
        zero = type(states[at])(0)
        states[at] = h[b * h_row + unit] if with_h else zero
        states[at + units] = c[b * c_row + unit] if with_c else zero


@kernel("real* int int real* int int real* int int")
def part_state(h, h_row, with_h, c, c_row, with_c, states, units, size):
    """The way back of `join_state`: only the parts that are there are written."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        b, unit = k // units, k % units
        at = b * 2 * units + unit
        if with_h:
            h[b * h_row + unit] = states[at]
        if with_c:
            c[b * c_row + unit] = states[at + units]


@kernel("real* int real* bool* int int real* int int int int int")
def feed(fed, fed_row, states, reset, reset_step, reset_row, dropout, dropout_row, dropped, units, batch, size):
    """The h' that U meets at some steps.

    fed: rows of H numbers, `fed_row` apart, a step's after the one before; may be the h in `states`
    states: [steps, B, 2, H]
    """
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        row, unit = k // units, k % units
        t, b = row // batch, row % batch
        h = states[row * 2 * units + unit]
        if dropped:
            h = h * dropout[b * dropout_row + unit]
        fed[row * fed_row + unit] = type(h)(0) if reset[t * reset_step + b * reset_row] != 0 else h
