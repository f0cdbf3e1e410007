"""The products of a pass with the weights: one for each run of slots that take neighbouring blocks of columns.

The slots of z lie side by side, as the blocks of W and U do: of an LSTM one run has all four.
"""

import functools
from typing import NamedTuple

from numlstm.kernels.cuda.cells import CELLS
from numlstm.kernels.cuda.products.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.products.matmul import multiply


class Run(NamedTuple):
    """Slots from one on, and the block of columns that the first of them takes."""

    slot: int
    block: int
    count: int

    def of_slots(self, units, matrix):
        """The columns of z."""
        return matrix[:, self.slot * units : (self.slot + self.count) * units]

    def of_blocks(self, units, matrix):
        """The columns of the weights."""
        return matrix[..., self.block * units : (self.block + self.count) * units]


@functools.cache
def runs_of(gates):
    """The runs of slots, of which each names its block or None."""
    found = []
    for slot, block in enumerate(gates):
        if block is not None:
            if found and found[-1].slot + found[-1].count == slot and found[-1].block + found[-1].count == block:
                found[-1] = found[-1]._replace(count=found[-1].count + 1)
            else:
                found.append(Run(slot, block, 1))
    return tuple(found)


def input_product(cell, weights, x, z):
    """z = x W + b.

    x: [R, F] view
    z: [R, slots H] view, overwritten
    """
    for run in runs_of(CELLS[cell.name].INPUT_GATES):
        bias = None if weights.bias is None else run.of_blocks(cell.units, weights.bias)
        multiply(x, run.of_blocks(cell.units, weights.kernel), run.of_slots(cell.units, z), bias=bias)


def state_product(cell, weights, h_in, z):
    """z += h_in U.

    h_in: [B, H] view
    z: [B, slots H] view
    """
    for run in runs_of(CELLS[cell.name].STATE_GATES):
        multiply(h_in, run.of_blocks(cell.units, weights.recurrent_kernel), run.of_slots(cell.units, z), add=True)


def state_gradient(cell, weights, dz, dh_in):
    """dh_in = dz Uᵀ.

    dz: [B, slots H] view
    dh_in: [B, H], overwritten
    """
    for number, run in enumerate(runs_of(CELLS[cell.name].STATE_GATES)):
        u = run.of_blocks(cell.units, weights.recurrent_kernel)
        multiply(run.of_slots(cell.units, dz), u.T, dh_in, add=number > 0)


def input_gradient(cell, weights, dz, dx):
    """dx = dz Wᵀ.

    dz: [R, slots H] view
    dx: [R, F], overwritten
    """
    for number, run in enumerate(runs_of(CELLS[cell.name].INPUT_GATES)):
        multiply(run.of_slots(cell.units, dz), run.of_blocks(cell.units, weights.kernel).T, dx, add=number > 0)


def weight_gradients(cell, x, h_in, dz, gradients):
    """dW = Σ xᵀ dz, dU = Σ h_inᵀ dz, db = Σ dz.

    x: [R, F] view
    h_in: [R, H] view
    dz: [R, slots H] view
    """
    page, units = CELLS[cell.name], cell.units
    for run in runs_of(page.INPUT_GATES):
        multiply_transposed(x, run.of_slots(units, dz), run.of_blocks(units, gradients.kernel))
        if gradients.bias is not None:
            sum_rows(run.of_slots(units, dz), run.of_blocks(units, gradients.bias))
    for run in runs_of(page.STATE_GATES):
        multiply_transposed(h_in, run.of_slots(units, dz), run.of_blocks(units, gradients.recurrent_kernel))
