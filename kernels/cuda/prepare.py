"""Which kernels the functions of the contract run, so that they can be compiled before the first call.

The persistent kernels of the recurrence are missing, because they are made for a known number of units.
"""

from itertools import product

from numlstm.kernels import RecurrentUse, cell_names
from numlstm.kernels.cuda.pointwise import (
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
from numlstm.kernels.cuda.products import batches, dense, sampled
from numlstm.kernels.cuda.recurrence.kernels import kernels_of
from numlstm.kernels.cuda.runtime.graph import JoinedSteps

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


def preparable():
    """Return everything that `prepare` accepts."""
    uses = [
        RecurrentUse(name, *wanted)
        for name in cell_names()
        for wanted in product((False, True), (True,), (False, True))
    ]
    return [*uses, *_KERNELS]


def prepare(functions, dtype):
    """Compile the kernels that these functions run, or load them from the cache."""
    for function in functions:
        for kernel in kernels_of(function) if isinstance(function, RecurrentUse) else _KERNELS[function]:
            kernel.prepare(dtype)


def join_steps(steps):
    """Return one function that runs these: from its third call on, as a graph."""
    return [JoinedSteps(steps)]
