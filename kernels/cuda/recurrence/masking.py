"""The rules of masks, resets and recurrent dropout in one step, and the preparation of a mask for a pass.

A reset sets the state to zero before its step, and no gradient crosses it.
U multiplies h_in = m ⊙ h', where m is the recurrent dropout.
A masked step keeps the state. Its output is the last one, or zero.
"""

from numba import cuda

from numlstm.kernels.cuda.recurrence.arguments import Flags
from numlstm.kernels.cuda.runtime.launch import blocks_for, device_function, kernel, runs
from numlstm.kernels.cuda.runtime.memory import copy, fill

# The rules of one step, for one unit of one row


@device_function
def flag(flags, t, row):
    """The flag of a step and row."""
    return flags.values[t * flags.step + row * flags.row]


@device_function
def multiplier_of(sequence, row, unit, one):
    """m, or `one` of the kernel's dtype without dropout."""
    return sequence.dropout[row * sequence.dropout_row + unit] if sequence.dropped else one


@device_function
def unless_reset(value, reset_now):
    """A number of the state or its gradient, or 0 if the state is reset."""
    return type(value)(0) if reset_now != 0 else value


@device_function
def h_in_of(h, multiplier, reset_now):
    """The h' that U multiplies."""
    return unless_reset(h * multiplier, reset_now)


@device_function
def has_output(valid, zero_output):
    """Whether a step, from the first valid one on, has an output: a masked step has none with `zero_output`."""
    return valid != 0 or zero_output == 0


@device_function
def visible(t, first_visible, valid, zero_output):
    """Whether the output of a step is h; otherwise it is zero."""
    return t >= first_visible and has_output(valid, zero_output)


@device_function
def backprop_to_previous(d_before, dh_in, multiplier, reset_now):
    """The gradient of h before a step: the part that the cell passes directly, and the part through U."""
    return unless_reset(d_before + dh_in * multiplier, reset_now)


# The preparation of a mask for a pass


@kernel(Flags, "int* int int")
def find_first_valid(mask, first_valid, steps, batch):
    """Find each row's first valid step, or the number of steps. Each thread takes one row."""
    for row in range(cuda.grid(1), batch, cuda.gridsize(1)):
        t = 0
        while t < steps and flag(mask, t, row) == 0:
            t += 1
        first_valid[row] = t


@kernel("real* real* int int", Flags, "int int int")
def copy_unmasked(target, x, x_step, x_row, mask, batch, columns, size):
    """See `copy_valid`. Each thread takes one number."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        t, row, column = k // (batch * columns), k // columns % batch, k % columns
        value = type(target[k])(0)
        if flag(mask, t, row) != 0:
            value = x[t * x_step + row * x_row + column]
        target[k] = value


@runs(find_first_valid)
def find_first(mask, trace):
    """Write each row's first valid step to the trace."""
    if mask is None:
        fill(trace.first_valid, 0)
    else:
        steps, batch = mask.shape
        find_first_valid.launch(
            "float32", blocks_for(batch), Flags(mask, *mask.strides), trace.first_valid, steps, batch
        )


@runs(copy_unmasked, *copy.kernels_used)
def copy_valid(target, x, mask):
    """Copy [T, B, N], with zeros at masked steps. Masked steps are not read.

    target: contiguous
    mask: [T, B] view, or None
    """
    if mask is None:
        copy(target, x)
    else:
        _, batch, columns = x.shape
        copy_unmasked.launch(
            x.dtype, blocks_for(x.size), target, x, *x.strides[:2], Flags(mask, *mask.strides), batch, columns, x.size
        )
