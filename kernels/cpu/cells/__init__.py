"""One step of each cell: its equations, forward and backward, one page for each cell.

z is a tuple of vectors, one for each slot of the cell. A cell has one or four slots. A page has:

    STATES                     a letter for each part of the state, h first
    SLOTS                      a letter for the gate in each slot; -: a value that is no gate
    INPUT_GATES, STATE_GATES   for each slot the block of columns that it takes from W and from U; None: no block
    RESET_GATES                the same for U where U multiplies r ⊙ h'; None: no such product
    PASSES_H                   whether h depends on h' directly, not only through the gates
    OPTIONS                    the activations that the kernels with options choose from
    cell_forward(z, before, activations) -> gates, after
    cell_output(state, activations) -> after: maybe, where an activation waits for that of the gates, as φ(c) does.
                               Then `cell_forward` returns other parts in the place of `after`, which it takes
    cell_backward(gates, before, after, d_after, activations) -> dz, d_before

before, after: the parts of the state before and after the step, h first
d_after, d_before: their gradients; d_before is without dz Uᵀ
gates: the values that `cell_backward` needs; they are stored in the place of z
activations: a tuple that begins with the indices of the cell's activations in `OPTIONS`; None: the usual activations
"""

import functools

from numlstm.kernels import forks


@functools.cache
def page_of(name):
    """Return the page of the cell of this name: the module in this folder that has its name."""
    return forks.import_module(f"{__name__}.{name}")
