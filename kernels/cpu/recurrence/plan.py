"""How a pass is shared by threads, and what it keeps: all of it known from the shape alone."""

import functools

import numpy as np

from numlstm.kernels import RecurrentPlan
from numlstm.kernels.cpu.products.layout import divide
from numlstm.kernels.cpu.products.matmul import WIDE
from numlstm.kernels.cpu.recurrence.kernels import kernels_of
from numlstm.kernels.cpu.runtime.launch import threads_for
from numlstm.kernels.cpu.runtime.vector import lanes

DTYPES = {name: np.dtype(name) for name in ("float32", "float64")}

_FEW_ROWS = 16
"""So few rows for each thread, or fewer, leave it waiting for U rather than computing."""

_CACHE = 1 << 20
"""Bytes of U that one core's own cache holds."""


def recurrent_plan(cell, shape, training, with_options=False, pair=False):
    """What `recurrent_forward` or `recurrent_forward_pair` would run, from the shape alone."""
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
    """The name of what runs, as a trace tells it."""
    shared = f"{'units' if by_units else 'rows'} over {chunks} thread{'s' if chunks > 1 else ''}"
    shared = f"both directions, {shared} each" if pair else shared
    return f"{shared}, with options" if with_options else shared


def row_of(cell):
    """Units, with those that fill the last vector."""
    lane_count = lanes(DTYPES[cell.dtype].itemsize)
    return -(-cell.units // lane_count) * lane_count


def panels_of_gates(cell):
    """P."""
    slots = len(kernels_of(cell.name, False).letters)
    whole, rest = divide(cell.units, lanes(DTYPES[cell.dtype].itemsize), slots)
    return whole + (rest > 0)


def step_work(cell, batch, depth):
    """The floating-point operations of a product of `depth` rows of the weights with `batch` rows."""
    return 2 * batch * depth * len(cell.gates) * cell.units


def division(cell, steps, batch, depth):
    """Whether a pass is shared by units instead of by rows, and by how many threads; depth: rows of the weights."""
    step, itemsize = step_work(cell, batch, depth), DTYPES[cell.dtype].itemsize
    if cell.units * len(cell.gates) * cell.units * itemsize > _CACHE:
        by_units = threads_for(step, row_of(cell) // (WIDE * lanes(itemsize)))
        # Where h' is reset before U meets it, all units of a row are needed in the middle of a step.
        if by_units > 1 and batch <= _FEW_ROWS * by_units and not kernels_of(cell.name, False).resets_h:
            return True, by_units
    return False, threads_for(steps * step, batch)


def weight_rows(cell):
    """How many rows the weights have, the bias among them: threads can share their gradients."""
    return cell.units + cell.features + 1


def pair_division(cell, steps, batch, depth):
    """Whether two passes are shared by units instead of by rows, and into how many chunks each; 0: not at once."""
    by_units, chunks = division(cell, steps, batch, depth)
    if by_units:
        return chunks > 2, -(-chunks // 2)
    return False, half(steps * step_work(cell, batch, depth), batch)


def half(work, parts):
    """Into how many chunks each of two calls falls, of so much work and so many parts each; 0: none needs a thread."""
    threads = threads_for(2 * work, 2 * parts)
    if threads == 1:
        return 0
    # An odd number of threads has even shares of twice as many chunks only.
    return threads // 2 if threads % 2 == 0 else min(threads, parts)
