"""Which path a pass takes, and the memory that it takes. Both follow from the shape alone.

CLUSTERS.md estimates a third path for 128 < H ≤ 384: a persistent kernel over a cluster of blocks.
"""

import numpy as np

from numlstm.kernels import RecurrentPlan
from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.recurrence import persistent
from numlstm.kernels.cuda.runtime.device import SIMULATED

__all__ = ["recurrent_plan"]

WORKSPACE = 2**10 if SIMULATED else 2**26
"""Bytes for the inputs and gates of a pass without training, which limit the steps that are computed at a time."""


def recurrent_plan(cell, shape, training, with_options=False, pair=False):
    """Return the path and the memory of `recurrent_forward` or `recurrent_forward_pair`, from the shape alone."""
    return plan_for(None, cell, shape, training, with_options, pair)


def plan_for(gpu, cell, shape, training, with_options=False, pair=False):
    """`recurrent_plan` for a `GPU` that need not be here; None: this machine's."""
    most = persistent.most_units(cell, gpu)
    if is_persistent(cell, gpu):
        reason = f"the recurrent weights of up to {most} units stay in a multiprocessor through all of time"
    elif most == 0:
        reason = "the recurrent weights stay in a multiprocessor where a cell has four slots and one product a step"
    else:
        reason = f"{cell.units} units have more recurrent weights than a multiprocessor can hold, which takes {most}"
    if pair:
        reason = f"one direction after the other: {reason}"
    nbytes = (2 if pair else 1) * trace_bytes(cell, shape, training)
    return RecurrentPlan(path(cell, shape[1], with_options or cell.with_options, gpu), reason, nbytes)


def is_persistent(cell, gpu=None):
    """Whether a multiprocessor holds the recurrent weights. For a given cell, the number of units alone decides."""
    return cell.units <= persistent.most_units(cell, gpu)


def path(cell, batch, with_options, gpu=None):
    """The name of the path, as a trace reports it."""
    name = "step by step"
    if is_persistent(cell, gpu):
        rows = persistent.rows_of_a_block(cell, batch, with_options, gpu)
        name = f"persistent blocks of {rows} row{'s' if rows > 1 else ''}"
    return f"{name}, with options" if with_options else name


def kept_steps(cell, shape, training):
    """The number of steps whose inputs and gates the trace has room for."""
    steps, batch = shape
    return steps if training else max(1, min(steps, WORKSPACE // max(1, _step_bytes(cell, batch))))


def trace_bytes(cell, shape, training):
    """The size of a trace."""
    steps, batch = shape
    states = batch * len(cell.states) * cell.units * np.dtype(cell.dtype).itemsize
    return kept_steps(cell, shape, training) * _step_bytes(cell, batch) + (steps + 2 if training else 2) * states


def _step_bytes(cell, batch):
    columns = len(page_of(cell.name).SLOTS) * cell.units + cell.features
    return batch * columns * np.dtype(cell.dtype).itemsize
