"""The weights of a cell in the panels of the products, packed once for each version of the parameters."""

import numpy as np

from numlstm.kernels import forks
from numlstm.kernels.cpu.products.layout import divide, pack_gates, pack_transposed, packed_size
from numlstm.kernels.cpu.products.matmul import WIDE
from numlstm.kernels.cpu.runtime.memory import workspaces
from numlstm.kernels.cpu.runtime.vector import lanes
from numlstm.kernels.replay import call

_packing = forks.lock()
"""Held while panels are looked up and packed: no thread packs into panels that another thread is about to read."""


def packed(cell, kernels, weights):
    """Return (W, U, b) in panels, in a tuple of the caller's own: while the caller holds it, the panels stay."""
    with _packing:
        version = weights.version.number
        kept, panels = weights.packed.get("forward", (None, None))
        if kept != version:
            panels = _pack(cell, kernels, weights, panels)
            weights.packed["forward"] = version, panels
        return (*panels,)


def _pack(cell, kernels, weights, panels):
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
    return panels


def _slots_of_bias(cell, kernels, weights):
    """The bias as a matrix of one row, and the block of it for each slot."""
    if weights.bias is None:
        return np.zeros((1, len(kernels.letters) * cell.units), cell.dtype), kernels.input.blocks
    if cell.biases == 1:
        return weights.bias[None], kernels.input.blocks
    slots = len(kernels.letters)
    both = np.empty((1, slots * cell.units), cell.dtype)
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
    """Return (Uᵀ, Wᵀ) in panels, with rows in the order of the gates' layout, in a tuple of the caller's own.

    Wᵀ is packed only if `with_kernel`.
    """
    with _packing:
        version = weights.version.number
        kept, panels = weights.packed.get("backward", (None, None))
        if kept != version or (with_kernel and not panels[1].size):
            panels = _pack_transposed(cell, kernels, weights, with_kernel, panels)
            weights.packed["backward"] = version, panels
        return (*panels,)


def _pack_transposed(cell, kernels, weights, with_kernel, panels):
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
    pack, begin = pack_transposed[W.dtype], 0
    for (matrix, part, _), size in zip(ways, sizes, strict=True):
        # All parts of U lie in one array, one after the other.
        place = panels[1] if matrix is W else panels[0][begin : begin + size]
        pack(matrix.T, part.blocks, cell.units, *part.vectors, place)
        begin += size
    return panels
