"""The weights of a cell in the panels of the products, packed once for each version of the parameters."""

import numpy as np

from numlstm.kernels.cpu.products.layout import divide, pack_gates, pack_transposed, packed_size
from numlstm.kernels.cpu.products.matmul import WIDE
from numlstm.kernels.cpu.runtime.memory import workspaces
from numlstm.kernels.cpu.runtime.vector import lanes
from numlstm.kernels.tape import call


def packed(cell, kernels, weights):
    """Return (W, U, b) in panels, one for each panel of units."""
    version = weights.version.number
    kept, panels = weights.packed.get("forward", (None, None))
    if kept != version:
        dtype, lane_count = weights.kernel.dtype, lanes(weights.kernel.itemsize)
        whole, rest = divide(cell.units, lane_count, len(kernels.letters))
        count = (whole + (rest > 0)) * WIDE * lane_count
        depths = cell.features, cell.units * len(kernels.state), 1
        panels = workspaces(panels, [(count * depth,) for depth in depths], cell.dtype)
        pack, size = pack_gates[dtype], count * cell.units
        pack(weights.kernel, kernels.input.blocks, cell.units, panels[0])
        for number, part in enumerate(kernels.state):
            pack(weights.recurrent_kernel, part.blocks, cell.units, panels[1][number * size : (number + 1) * size])
        pack(*_slots_of_bias(cell, kernels, weights), cell.units, panels[2])
        weights.packed["forward"] = version, panels
    return panels


def _slots_of_bias(cell, kernels, weights):
    """The bias as a matrix of one row, and the block of it for each slot."""
    if weights.bias is None:
        return np.zeros((1, len(kernels.letters) * cell.units), cell.dtype), kernels.input.blocks
    if cell.biases == 1:
        return weights.bias[None], kernels.input.blocks
    slots = len(kernels.letters)
    both = weights.packed.get("bias")
    if both is None:
        both = weights.packed["bias"] = np.empty((1, slots * cell.units), cell.dtype)
    call(_add_biases, weights.bias, kernels.input.blocks, kernels.state[0].blocks, both)
    return both, np.arange(slots)


def _add_biases(bias, input_blocks, state_blocks, both):
    """Write, for each slot, the sum of its blocks of both biases, that of W and that of U."""
    both.fill(0)
    slots = both.reshape(len(input_blocks), -1)
    for row, blocks in zip(bias.reshape(2, -1, slots.shape[1]), (input_blocks, state_blocks), strict=True):
        for slot, block in zip(slots, blocks, strict=True):
            if block >= 0:
                slot += row[block]


def packed_transposed(cell, kernels, weights, with_kernel):
    """Return (Uᵀ, Wᵀ) in panels, with rows in the order of the gates' layout. Wᵀ is packed only if `with_kernel`."""
    version = weights.version.number
    kept, panels = weights.packed.get("backward", (None, None))
    if kept != version or (with_kernel and not panels[1].size):
        lane_count = lanes(weights.kernel.itemsize)
        U, W = weights.recurrent_kernel, weights.kernel
        ways = [(U, part, cell.units) for part in kernels.state]
        ways += [(W, kernels.input, cell.features)] * with_kernel
        slots = len(kernels.letters)
        sizes = [packed_size(cell.units, slots, part.vectors[1], columns, lane_count) for _, part, columns in ways]
        count = len(kernels.state)
        before, panels = panels, workspaces(panels, [(sum(sizes[:count]),), (sum(sizes[count:]),)], cell.dtype)
        if panels is not before:
            for each in panels:
                each.fill(0)
        places = [*np.split(panels[0], np.cumsum(sizes[: count - 1])), panels[1]]
        for (matrix, part, _), place in zip(ways, places, strict=False):
            pack_transposed[W.dtype](matrix.T, part.blocks, cell.units, *part.vectors, place)
        weights.packed["backward"] = version, panels
    return panels
