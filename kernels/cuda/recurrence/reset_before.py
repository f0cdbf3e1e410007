"""The two products of a step whose cell resets h' before the product with U: for the gates, and for r ⊙ h'.

All units of a row must be reset before the second product, so the resets have kernels of their own, between the
products and the cell. r ⊙ h' is in the last slot of z, where the backward pass reads it.
"""

from numba import cuda

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.recurrence.arguments import Rows, Sequence, Step
from numlstm.kernels.cuda.recurrence.masking import flag, h_in_of, multiplier_of
from numlstm.kernels.cuda.recurrence.products import runs_of, state_gradient, state_product
from numlstm.kernels.cuda.recurrence.tuples import reader, writer
from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, template
from numlstm.kernels.cuda.runtime.memory import empty


@template("real*", Rows, "int int")
def reset_forward(real, cell, activations):
    """The reset of h' before the second product. Each thread takes one unit of a row.

    z: [B, slots H] without (r ⊙ h') U; overwritten with r in the place of z_r and r ⊙ h' in the last slot
    """
    page = page_of(cell)
    slots, reset = len(page.SLOTS), page.reset_forward
    read_z, write_z = reader(slots), writer(slots)

    def reset_forward(z, h_in, units, size):
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            row, unit = k // units, k % units
            at = row * slots * units + unit
            write_z(z, at, units, reset(read_z(z, at, units), h_in.values[row * h_in.row + unit], activations))

    return reset_forward, THREADS, 0


@template("real* real* real* real*", Sequence, Step)
def reset_backward(real, cell, activations):
    """The backward pass through the reset. Each thread takes one unit of a row.

    dz: [B, slots H] with r in the place of dz_r, which is then written there
    d_r_h: [B, H] the gradient of r ⊙ h'
    before: [B, S, H] the state before the step
    dh_in: [B, H] overwritten with the gradient of h' through r ⊙ h'
    """
    page, with_options = page_of(cell), activations is not None
    slots, parts, reset = len(page.SLOTS), len(page.STATES), page.reset_backward
    read_dz, write_dz = reader(slots), writer(slots)

    def reset_backward(dz, d_r_h, before, dh_in, sequence, step):
        units = step.units
        for k in range(cuda.grid(1), step.batch * units, cuda.gridsize(1)):
            row, unit = k // units, k % units
            at, h_in = row * slots * units + unit, before[row * parts * units + unit]
            if with_options:
                multiplier = multiplier_of(sequence, row, unit, real(1))
                h_in = h_in_of(h_in, multiplier, flag(sequence.resets, step.t, row))
            reset_dz, passed = reset(read_dz(dz, at, units), d_r_h[k], h_in, activations)
            write_dz(dz, at, units, reset_dz)
            dh_in[k] = passed

    return reset_backward, THREADS, 0


def add_products(cell, weights, h_in, z, activations):
    """z += h_in U for the gates, then z += (r ⊙ h_in) U.

    h_in: [B, H] view
    z: [B, slots H] view
    """
    state_product(cell, weights, h_in, z)
    size = h_in.size
    reset_forward[cell.name, activations].launch(
        cell.dtype, blocks_for(size), z, Rows(h_in, h_in.strides[0]), cell.units, size
    )  # fmt: skip
    for run in runs_of(page_of(cell.name).RESET_GATES):
        u = run.of_blocks(cell.units, weights.recurrent_kernel)
        multiply(r_h_of(cell, z), u, run.of_slots(cell.units, z), add=True)


def add_gradients(cell, weights, dz, before, dh_in, sequence, step, activations):
    """dz_r, then dh_in = dz Uᵀ through r ⊙ h' and through the gates."""
    d_r_h = empty(dh_in.shape, dh_in.dtype)
    for number, run in enumerate(runs_of(page_of(cell.name).RESET_GATES)):
        u = run.of_blocks(cell.units, weights.recurrent_kernel)
        multiply(run.of_slots(cell.units, dz), u.T, d_r_h, add=number > 0)
    reset_backward[cell.name, activations].launch(
        cell.dtype, blocks_for(dh_in.size), dz, d_r_h, before, dh_in, sequence, step
    )  # fmt: skip
    state_gradient(cell, weights, dz, dh_in, add=True)


def r_h_of(cell, z):
    """r ⊙ h', the last slot of z."""
    return z[:, -cell.units :]
