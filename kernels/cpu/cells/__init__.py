"""One step of each cell: its equations, forward and backward, a page each.

A page has, with z a tuple of vectors, one for each of its one or four slots:

    STATES                     a letter for each part of the state, h first
    SLOTS                      a letter for the gate that each slot holds
    INPUT_GATES, STATE_GATES   for each slot the block of columns that it takes from W, and from U; None: none
    RESET_GATES                the same of U where it meets r ⊙ h'; None: it never does
    PASSES_H                   whether h' reaches h beside the gates too
    OPTIONS                    the activations that the kernels with options choose from
    cell_forward(z, before, kinds) -> gates, after
    cell_backward(gates, before, after, d_after, kinds) -> dz, d_before

before, after, d_before, d_after: the parts of the state, h first, or their gradients; d_before lacks dz Uᵀ
gates: what the way back needs, in the place of z
kinds: a tuple that begins with the cell's activations, by their places in `OPTIONS`, or None: the usual ones
"""

from numlstm.kernels.cpu.cells import gru, gru_reset_before, lstm, simple_rnn

CELLS = {"lstm": lstm, "gru": gru, "gru_reset_before": gru_reset_before, "simple_rnn": simple_rnn}
"""The pages by the names of cells."""
