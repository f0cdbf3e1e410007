"""Which kernels the functions of the contract run, so that they can be compiled before the first call."""

from itertools import product

import numba

from numlstm.kernels import RecurrentUse, cell_names
from numlstm.kernels.cpu.pointwise import (
    activation,
    attention,
    crossentropy,
    ctc,
    dropout,
    elementwise,
    embedding,
    loss,
    normalization,
    optimizer,
    penalty,
    sample_weights,
)
from numlstm.kernels.cpu.products import batches, dense, gradients, layout, sampled
from numlstm.kernels.cpu.recurrence.kernels import kernels_of

__all__ = ["join_steps", "preparable", "prepare"]

_FILES = (
    dense, batches, embedding, dropout, activation, attention, normalization, elementwise, loss, crossentropy, ctc,
    penalty, sample_weights, sampled, optimizer,
)  # fmt: skip
_KERNELS = {
    name: member.kernels_used
    for file in _FILES
    for name, member in vars(file).items()
    if hasattr(member, "kernels_used") and member.__module__ == file.__name__
}
"""The kernels that each function declares, by its name."""

_THREADS = "threads"
"""The name by which `prepare` is asked for the kernels on threads that it otherwise leaves out."""


def preparable():
    """Return everything that `prepare` accepts."""
    uses = [
        RecurrentUse(name, *wanted)
        for name in cell_names()
        for wanted in product((False, True), (True,), (False, True))
    ]
    return [*uses, *_KERNELS, _THREADS]


def prepare(functions, dtype):
    """Compile the kernels that these functions run, or load them from the cache."""
    several = numba.get_num_threads() > 1
    for function in functions:
        if function == _THREADS:
            if several:
                _prepare_threads(dtype)
        elif isinstance(function, RecurrentUse):
            _prepare_recurrence(function, dtype, several)
        else:
            for kernel in _KERNELS[function]:
                kernel.prepare(dtype, shared=False)


def join_steps(steps):
    """Return the functions themselves: a call of one costs less than to record and repeat it."""
    return list(steps)


def _prepare_recurrence(use, dtype, several):
    loops, inputs = list(_loops(kernels_of(use.cell, use.with_options))), [gradients.input_gradient] * use.with_dx
    for kernel in (layout.pack_gates, layout.pack_transposed, *inputs):
        kernel.prepare(dtype, shared=False)
    for kernel in loops:
        kernel.prepare(dtype, shared=several)  # Even small jobs run them on several threads.
    if several and use.pair:
        for kernel in (*loops, *inputs):
            kernel.prepare_pair(dtype)


def _loops(kernels):
    """The kernels of one cell, without those that all cells share."""
    yield from (kernels.forward, kernels.backward, kernels.gradients)
    if kernels.reset_gradients is not None:
        yield kernels.reset_gradients


def _prepare_threads(dtype):
    """Prepare what only large batches need on threads, and the step-by-step form for few rows of many units."""
    cells = [kernels_of(name, with_options) for name in cell_names() for with_options in (False, True)]
    steps = {kernel for cell in cells for kernel in (cell.forward, cell.backward)}
    others = {kernel for kernels in _KERNELS.values() for kernel in kernels}
    for kernel in {*steps, *others, gradients.input_gradient, *(kernel for cell in cells for kernel in _loops(cell))}:
        if kernel.shareable:
            kernel.prepare(dtype, shared=True)
        if kernel in steps:
            kernel.prepare_steps(dtype)
