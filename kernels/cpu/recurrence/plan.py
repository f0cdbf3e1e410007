"""How threads share a pass, and the memory that it takes. Both follow from the shape alone."""

import functools

import numpy as np

from numlstm.kernels import RecurrentPlan
from numlstm.kernels.cpu.products.layout import divide
from numlstm.kernels.cpu.products.matmul import WIDE
from numlstm.kernels.cpu.recurrence.kernels import kernels_of
from numlstm.kernels.cpu.runtime.launch import threads_for
from numlstm.kernels.cpu.runtime.vector import lanes

__all__ = ["recurrent_plan"]

DTYPES = {name: np.dtype(name) for name in ("float32", "float64")}

_FEW_ROWS = 16
"""With at most this many rows for each thread, a thread waits for U longer than it computes."""

_CACHE = 1 << 20
"""Bytes of U that fit into the private cache of one core."""


def recurrent_plan(cell, shape, training, with_options=False, pair=False):
    """Return the path and the memory of `recurrent_forward` or `recurrent_forward_pair`, from the shape alone."""
    steps, batch = shape
    depth, with_options = cell.features + cell.units, with_options or cell.with_options
    nbytes = (2 if pair else 1) * _trace_bytes(cell, shape, training)
    if pair:
        by_units, chunks = pair_division(cell, steps, batch, depth)
        if chunks:
            reason = "each direction has threads of its own, in one parallel region"
            return RecurrentPlan(path(by_units, chunks, with_options, True), reason, nbytes)
    by_units, chunks = division(cell, steps, batch, depth)
    if by_units:
        reason = "so few rows leave each thread waiting for U, which overflows a core's cache: the units are shared"
    elif chunks > 1:
        reason = "batch rows are independent through all of time: each thread takes its share of them"
    elif threads_for(steps * step_work(cell, batch, depth), steps * batch) > 1:
        reason = "one row cannot be shared by rows, and its U is small enough for one core's cache"
    else:
        reason = "the work is too small for a second thread"
    if pair:
        reason = f"one direction after the other: {reason}"
    return RecurrentPlan(path(by_units, chunks, with_options), reason, nbytes)


def _trace_bytes(cell, shape, training):
    steps, batch = shape
    kept, itemsize = steps if training else 1, DTYPES[cell.dtype].itemsize
    states = len(cell.states) * row_of(cell) * (kept + 1 + training)
    return itemsize * batch * (panels_of_gates(cell) * WIDE * lanes(itemsize) * kept + states)


@functools.cache
def path(by_units, chunks, with_options, pair=False):
    """The name of the path, as a trace reports it."""
    shared = f"{'units' if by_units else 'rows'} over {chunks} thread{'s' if chunks > 1 else ''}"
    shared = f"both directions, {shared} each" if pair else shared
    return f"{shared}, with options" if with_options else shared


def row_of(cell):
    """H rounded up to whole vectors."""
    lane_count = lanes(DTYPES[cell.dtype].itemsize)
    return -(-cell.units // lane_count) * lane_count


def panels_of_gates(cell):
    """The number P of panels of gates."""
    slots = len(kernels_of(cell.name, False).letters)
    whole, rest = divide(cell.units, lanes(DTYPES[cell.dtype].itemsize), slots)
    return whole + (rest > 0)


def step_work(cell, batch, depth):
    """The floating-point operations of the product of `batch` rows with `depth` rows of the weights."""
    return 2 * batch * depth * len(cell.gates) * cell.units


def division(cell, steps, batch, depth):
    """Return whether threads share units instead of rows, and the number of threads. depth: rows of the weights."""
    step, itemsize = step_work(cell, batch, depth), DTYPES[cell.dtype].itemsize
    if cell.units * len(cell.gates) * cell.units * itemsize > _CACHE:
        by_units = threads_for(step, row_of(cell) // (WIDE * lanes(itemsize)))
        # A reset before the product with U needs all units of a row in the middle of a step.
        if by_units > 1 and batch <= _FEW_ROWS * by_units and not kernels_of(cell.name, False).resets_h:
            return True, by_units
    return False, threads_for(steps * step, batch)


def weight_rows(cell):
    """The number of rows of the weights with the bias. Threads can share their gradients."""
    return cell.units + cell.features + 1


def pair_division(cell, steps, batch, depth):
    """Return whether threads share units instead of rows, and the chunks of each of two passes. 0: not at once."""
    by_units, chunks = division(cell, steps, batch, depth)
    if by_units:
        return chunks > 2, -(-chunks // 2)
    return False, half(steps * step_work(cell, batch, depth), batch)


def half(work, parts):
    """Return the number of chunks of each of two calls with this work and these parts each. 0: one thread does both."""
    threads = threads_for(2 * work, 2 * parts)
    if threads == 1:
        return 0
    # An odd number of threads has equal shares only if each call has as many chunks as there are threads.
    return threads // 2 if threads % 2 == 0 else min(threads, parts)
