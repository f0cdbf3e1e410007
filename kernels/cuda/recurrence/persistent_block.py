"""The parts of a block that the kernels of both directions share: its threads, its shared memory, its sums."""

from typing import NamedTuple

from numlstm.kernels.cuda.runtime.launch import device_function
from numlstm.kernels.cuda.runtime.signature import Int, Reals


class States(NamedTuple):
    """The state before the first step, and the state after it, [B, S, H] each. The next steps write `step` apart."""

    before: Reals
    after: Reals
    step: Int


class Span(NamedTuple):
    """The first step of a call, the number of its steps, and the number of rows."""

    begin: Int
    steps: Int
    batch: Int


def gates_of(page):
    """The number of gates that a cell takes from U. Its last slots take one each."""
    taken = [gate for gate in page.STATE_GATES if gate is not None]
    assert (*[None] * (4 - len(taken)), *range(len(taken))) == page.STATE_GATES
    return len(taken)


def threads_of(units):
    """The threads for these units, in whole warps. 13 to 16 warps have equal registers; 16 have simpler indices."""
    threads = -(-4 * units // 32) * 32
    return 512 if 384 < threads <= 512 else threads


def pitch_of(length):
    """The stride from slice to slice in shared memory: the four slices that a warp reads lie in different banks."""
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
    """One of four numbers, by slot."""
    return numbers[0] if slot == 0 else numbers[1] if slot == 1 else numbers[2] if slot == 2 else numbers[3]
