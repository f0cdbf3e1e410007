"""One step of each cell, for one unit of one row: its equations, forward and backward, a page each.

A page has, with z a tuple of numbers, one for each of its slots:

    STATES                     a letter for each part of the state, h first
    SLOTS                      a letter for the gate that each slot holds
    INPUT_GATES, STATE_GATES   for each slot the block of columns that it takes from W, and from U; None: none
    RESET_GATES                the same of U where it meets r ⊙ h'; None: it never does
    PASSES_H                   whether h' reaches h beside the gates too
    cell_forward(z, before, kinds) -> gates, after
    cell_backward(gates, before, after, d_after, kinds) -> dz, d_before

before, after, d_before, d_after: the parts of the state, h first, or their gradients; d_before lacks dz Uᵀ
gates: what the way back needs, in the place of z
kinds: the cell's activations, by their places in `ACTIVATIONS`, or None: the usual ones

Where U meets r ⊙ h', the page has two functions more, for before that product and after its way back:

    reset_forward(z, h_in, kinds) -> z, with r ⊙ h' in the last slot
    reset_backward(dz, d_r_h, h_in, kinds) -> dz, dh_in

Of other cells with four slots the persistent kernels give each of four threads one slot. Their pages say too how these
share `cell_forward`:

    UPDATED_SLOT                                    the slot whose gate `update` makes; None: it makes none
    activate_slot(z, slot, kinds) -> gate           the part of one thread
    update(gates, before, kinds) -> gates, after    the rest, once every thread has the gates of all
"""

from numlstm.kernels.cuda.cells import gru, gru_reset_before, lstm, simple_rnn

CELLS = {"lstm": lstm, "gru": gru, "gru_reset_before": gru_reset_before, "simple_rnn": simple_rnn}
"""The pages by the names of cells."""
