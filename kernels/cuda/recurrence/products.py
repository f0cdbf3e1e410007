"""The products of a pass with the weights: one for each run of slots that take neighbouring blocks of columns.

The slots of z are side by side, and so are the blocks of W and U. An LSTM has one run of all four slots.
"""

import functools
from typing import NamedTuple

from numba import cuda

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.products.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, template
from numlstm.kernels.cuda.runtime.memory import empty


class Run(NamedTuple):
    """Neighbouring slots that take neighbouring blocks of columns.

    slot: the first slot
    block: the block that the first slot takes
    count: the number of slots
    """

    slot: int
    block: int
    count: int

    def of_slots(self, units, matrix):
        """The run's columns of z, or of an array with the layout of z."""
        return matrix[..., self.slot * units : (self.slot + self.count) * units]

    def of_blocks(self, units, matrix):
        """The run's columns of the weights."""
        return matrix[..., self.block * units : (self.block + self.count) * units]


@functools.cache
def runs_of(gates):
    """Return the runs of slots. `gates` has the block of each slot, or None."""
    found = []
    for slot, block in enumerate(gates):
        if block is not None:
            if found and found[-1].slot + found[-1].count == slot and found[-1].block + found[-1].count == block:
                found[-1] = found[-1]._replace(count=found[-1].count + 1)
            else:
                found.append(Run(slot, block, 1))
    return tuple(found)


def input_product(cell, weights, x, z):
    """z = x W + b. Slots to which only U contributes are set to their bias, or to zero.

    x: [R, F] view
    z: [R, slots H] view, overwritten
    """
    page, units = page_of(cell.name), cell.units
    bias, of_bias = weights.bias, Run.of_blocks
    if bias is not None and cell.biases > 1:
        bias, of_bias = _sum_of_biases(cell, bias), Run.of_slots
    for run in runs_of(page.INPUT_GATES):
        part = None if bias is None else of_bias(run, units, bias)
        multiply(x, run.of_blocks(units, weights.kernel), run.of_slots(units, z), bias=part)
    for slot, (block, state_block) in enumerate(zip(page.INPUT_GATES, page.STATE_GATES, strict=True)):
        if block is None and state_block is not None:
            run = Run(slot, 0, 1)
            part = None if bias is None else run.of_slots(units, bias)
            # A product over no features leaves the bias.
            multiply(x[:, :0], run.of_blocks(units, weights.kernel)[:0], run.of_slots(units, z), bias=part)


def _sum_of_biases(cell, bias):
    """Return, for each slot, the sum of its blocks of both biases, that of W and that of U: [slots H]."""
    size = len(page_of(cell.name).SLOTS) * cell.units
    total = empty((size,), bias.dtype)
    add_biases[cell.name,].launch(bias.dtype, blocks_for(size), bias, total, cell.units, size)
    return total


@template("real* real* int int")
def add_biases(real, cell):
    """See `_sum_of_biases`. Each thread takes one number."""
    page = page_of(cell)
    blocks = tuple(-1 if gate is None else gate for gate in page.INPUT_GATES)
    state_blocks = tuple(-1 if gate is None else gate for gate in page.STATE_GATES)
    gate_count = 1 + max(blocks)

    def add_biases(bias, total, units, size):
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            slot, unit, value = k // units, k % units, real(0)
            if blocks[slot] >= 0:
                value += bias[blocks[slot] * units + unit]
            if state_blocks[slot] >= 0:
                value += bias[(gate_count + state_blocks[slot]) * units + unit]
            total[k] = value

    return add_biases, THREADS, 0


def state_product(cell, weights, h_in, z):
    """z += h_in U.

    h_in: [B, H] view
    z: [B, slots H] view
    """
    for run in runs_of(page_of(cell.name).STATE_GATES):
        multiply(h_in, run.of_blocks(cell.units, weights.recurrent_kernel), run.of_slots(cell.units, z), add=True)


def state_gradient(cell, weights, dz, dh_in, add=False):
    """dh_in = dz Uᵀ, or dh_in += dz Uᵀ.

    dz: [B, slots H] view
    dh_in: [B, H], overwritten or added to
    """
    for number, run in enumerate(runs_of(page_of(cell.name).STATE_GATES)):
        u = run.of_blocks(cell.units, weights.recurrent_kernel)
        multiply(run.of_slots(cell.units, dz), u.T, dh_in, add=add or number > 0)


def input_gradient(cell, weights, dz, dx):
    """dx = dz Wᵀ.

    dz: [R, slots H] view
    dx: [R, F], overwritten
    """
    for number, run in enumerate(runs_of(page_of(cell.name).INPUT_GATES)):
        multiply(run.of_slots(cell.units, dz), run.of_blocks(cell.units, weights.kernel).T, dx, add=number > 0)


def weight_gradients(cell, x, h_in, dz, gradients):
    """dW = Σ xᵀ dz, dU = Σ h_inᵀ dz, db = Σ dz. If U multiplies r ⊙ h', that is in the last slot of dz.

    x: [R, F] view
    h_in: [R, H] view
    dz: [R, slots H] view
    """
    page, units = page_of(cell.name), cell.units
    factors = [(x, page.INPUT_GATES, gradients.kernel), (h_in, page.STATE_GATES, gradients.recurrent_kernel)]
    if page.RESET_GATES is not None:
        factors.append((dz[:, -units:], page.RESET_GATES, gradients.recurrent_kernel))
    for factor, gates, gradient in factors:
        for run in runs_of(gates):
            multiply_transposed(factor, run.of_slots(units, dz), run.of_blocks(units, gradient))
    if gradients.bias is not None:
        rows = [gradients.bias] if cell.biases == 1 else [gradients.bias[0], gradients.bias[1]]
        for total, gates in zip(rows, (page.INPUT_GATES, page.STATE_GATES), strict=False):
            for run in runs_of(gates):
                sum_rows(run.of_slots(units, dz), run.of_blocks(units, total))
