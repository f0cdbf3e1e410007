"""One step of each cell for one unit of one row: its equations, forward and backward, one page for each cell.

z is a tuple of numbers, one for each slot of the cell. A page has:

    STATES                     a letter for each part of the state, h first
    SLOTS                      a letter for the gate in each slot; -: a value that is no gate
    INPUT_GATES, STATE_GATES   for each slot the block of columns that it takes from W and from U; None: no block
    RESET_GATES                the same for U where U multiplies r ⊙ h'; None: no such product
    PASSES_H                   whether h depends on h' directly, not only through the gates
    cell_forward(z, before, activations) -> gates, after
    cell_backward(gates, before, after, d_after, activations) -> dz, d_before

before, after: the parts of the state before and after the step, h first
d_after, d_before: their gradients; d_before is without dz Uᵀ
gates: the values that `cell_backward` needs; they are stored in the place of z
activations: the indices of the cell's activations in `ACTIVATIONS`; None: the usual activations

If U multiplies r ⊙ h', the page has two more functions, which run before that product and after its backward pass:

    reset_forward(z, h_in, activations) -> z, with r ⊙ h' in the last slot
    reset_backward(dz, d_r_h, h_in, activations) -> dz, dh_in

For the other cells with four slots, the persistent kernels give each of four threads one slot. Their pages also say how
these threads share `cell_forward`:

    UPDATED_SLOT                                    the slot whose gate `update` computes; None: it computes none
    activate_slot(z, slot, activations) -> gate           the part of one thread
    update(gates, before, activations) -> gates, after    the rest, after every thread has the gates of all four
"""

import functools

from numlstm.kernels import forks


@functools.cache
def page_of(name):
    """Return the page of the cell of this name: the module in this folder that has its name."""
    return forks.import_module(f"{__name__}.{name}")
