"""What the kernels of both directions share of a block: its threads, the layout of its shared memory, its sums."""

from typing import NamedTuple

from numlstm.kernels.cuda.runtime.launch import device_function
from numlstm.kernels.cuda.runtime.signature import Int, Reals


class States(NamedTuple):
    """The state before the first step, and where a step leaves it, every step `step` further: [B, S, H] each."""

    before: Reals
    after: Reals
    step: Int


class Span(NamedTuple):
    """The first step of a call, how many steps it runs, and over how many rows."""

    begin: Int
    steps: Int
    batch: Int


def gates_of(page):
    """How many gates a cell takes from U: its last slots take one each."""
    taken = [gate for gate in page.STATE_GATES if gate is not None]
    assert (*[None] * (4 - len(taken)), *range(len(taken))) == page.STATE_GATES
    return len(taken)


def threads_of(units):
    """Whole warps; 13 to 16 of them have the same registers, and the indices of 16 cost fewer."""
    threads = -(-4 * units // 32) * 32
    return 512 if 384 < threads <= 512 else threads


def pitch_of(length):
    """From slice to slice in shared memory, so that the four slices that a warp reads lie in different banks."""
    return length + (4 - length) % 16


@device_function
def add_dot(total, weights, at, v):
    """total + Σ weights[at + k] v[k] over four k."""
    return add_dot4(total, (weights[at], weights[at + 1], weights[at + 2], weights[at + 3]), v)


@device_function
def add_dot4(total, w, v):
    """total + Σ w[k] v[k] over four k."""
    total = total + w[0] * v[0]
    total = total + w[1] * v[1]
    total = total + w[2] * v[2]
    return total + w[3] * v[3]


@device_function
def of_slot(numbers, slot):
    """One of four numbers."""
    return numbers[0] if slot == 0 else numbers[1] if slot == 1 else numbers[2] if slot == 2 else numbers[3]
