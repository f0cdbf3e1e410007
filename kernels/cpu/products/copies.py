"""Copies between arrays and the room that products work in, by whole vectors.

LLVM makes no vectors of a loop over an index, because numba checks each index for counting from the end.
"""

from numba import njit

from numlstm.kernels.cpu.runtime.vector import lanes_of, load, load_part, store, store_part


@njit(inline="always")
def copy_numbers(source, at, target, to, count):
    """Copy `count` numbers that lie next to each other, from offset `at` of the source to offset `to` of the target."""
    lane_count = lanes_of(target)
    whole = count // lane_count * lane_count
    for k in range(0, whole, lane_count):
        store(target, to + k, load(source, at + k))
    if whole < count:
        store_part(target, to + whole, load_part(source, at + whole, count - whole), count - whole)
