"""Which kernels the functions of the contract run, so that they can be compiled before the first call."""

from functools import partial
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
from numlstm.kernels.cpu.runtime.launch import Kernel
from numlstm.kernels.forked import in_two_processes

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
    # Cells come first: their kernels take the longest. The second process begins with the last kernels.
    functions = sorted(functions, key=lambda function: not isinstance(function, RecurrentUse))
    jobs = [job for function in functions for job in _jobs(function, several)]
    missing = len({kernel for kernel, *_ in jobs if not kernel.is_compiled(dtype)})
    in_two_processes([partial(how, kernel, dtype, *rest) for kernel, how, *rest in jobs], worthwhile=missing > 1)


def join_steps(steps):
    """Return the functions themselves: a call of one costs less than to record and repeat it."""
    return list(steps)


def _jobs(function, several):
    """The kernels of a function, each with the method of `Kernel` that prepares it, and arguments after the dtype."""
    if isinstance(function, RecurrentUse):
        yield from _jobs_of_recurrence(function, several)
    elif function == _THREADS:
        if several:
            yield from _jobs_of_threads()
    else:
        yield from ((kernel, Kernel.prepare, False) for kernel in _KERNELS[function])


def _jobs_of_recurrence(use, several):
    loops, inputs = list(_loops(kernels_of(use.cell, use.with_options))), [gradients.input_gradient] * use.with_dx
    yield from ((kernel, Kernel.prepare, several) for kernel in loops)  # Even small jobs run them on several threads.
    yield from ((kernel, Kernel.prepare, False) for kernel in (layout.pack_gates, layout.pack_transposed, *inputs))
    if several and use.pair:
        yield from ((kernel, Kernel.prepare_pair) for kernel in (*loops, *inputs))


def _loops(kernels):
    """The kernels of one cell, without those that all cells share."""
    yield from (kernels.forward, kernels.backward, kernels.gradients)
    if kernels.reset_gradients is not None:
        yield kernels.reset_gradients


def _jobs_of_threads():
    """What only large batches need on threads, and the step-by-step form for few rows of many units."""
    cells = [kernels_of(name, with_options) for name in cell_names() for with_options in (False, True)]
    steps = {kernel for cell in cells for kernel in (cell.forward, cell.backward)}
    others = {kernel for kernels in _KERNELS.values() for kernel in kernels}
    for kernel in {*steps, *others, gradients.input_gradient, *(kernel for cell in cells for kernel in _loops(cell))}:
        if kernel.shareable:
            yield kernel, Kernel.prepare, True
        if kernel in steps:
            yield kernel, Kernel.prepare_steps
