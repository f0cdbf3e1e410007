"""One step of each cell, for one unit of one row: its equations, forward and backward, a page each.

A page has, with z a tuple of numbers, one for each of its slots:

    STATES                     a letter for each part of the state, h first
    SLOTS                      a letter for the gate that each slot holds
    INPUT_GATES, STATE_GATES   for each slot the block of columns that it takes from W, and from U; None: none
    PASSES_H                   whether h' reaches h beside the gates too
    cell_forward(z, before, kinds) -> gates, after
    cell_backward(gates, before, after, d_after, kinds) -> dz, d_before

before, after, d_before, d_after: the parts of the state, h first, or their gradients; d_before lacks dz Uᵀ
gates: what the way back needs, in the place of z
kinds: the cell's activations, by their places in `ACTIVATIONS`, or None: the usual ones

Of a cell with four slots the persistent kernels give each of four threads one slot. Its page says too how they share
`cell_forward`:

    UPDATED_SLOT                        the slot whose gate `update` makes; None: it makes none
    activate_slot(z, slot, kinds) -> gate    the part of one thread
    update(gates, before, kinds) -> gates, after    the rest, once every thread has the gates of all
"""

from numlstm.kernels.cuda.cells import lstm, simple_rnn

CELLS = {"lstm": lstm, "simple_rnn": simple_rnn}
"""The pages by the names of cells."""
