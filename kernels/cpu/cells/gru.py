"""The GRU whose reset gate acts after the product with U: one step of one vector of units.

    u = σ(z_u)    r = σ(z_r)    n = φ(z_n + r ⊙ z_h)      with z_u = x W_u + h' U_u + b_u,   z_r likewise,
    h = u ⊙ h' + (1 - u) ⊙ n                              z_n = x W_n + b_n,   z_h = h' U_n + b'_n

The update gate u is called z in Keras and PyTorch. In a panel z_n is first and z_h is last, so the three slots that W
contributes to are neighbours, and so are the three that U contributes to.
"""

from numba import njit

from numlstm.kernels.cpu.cells.activation import CHOSEN, activation, recurrent_activation, recurrent_slope, slope
from numlstm.kernels.cpu.runtime.vector import fma

STATES = "h"
SLOTS = "nzr-"
INPUT_GATES = 2, 0, 1, None
STATE_GATES = None, 0, 1, 2
RESET_GATES = None
PASSES_H = True
OPTIONS = CHOSEN


@njit(inline="always")
def cell_forward(z, before, activations):
    """The gates (n, u, r, z_h), and the state (h,)."""
    h_before = before[0]
    u = recurrent_activation(z[1], activations)
    r = recurrent_activation(z[2], activations)
    n = activation(fma(r, z[3], z[0]), activations)
    return (n, u, r, z[3]), (fma(u, h_before - n, n),)


@njit(inline="always")
def cell_backward(gates, before, after, d_after, activations):
    """The gradient of z, and the gradient of h' without dz Uᵀ: dh ⊙ u."""
    n, u, r, z_h = gates
    h_before, dh = before[0], d_after[0]
    dn = dh * (1.0 - u) * slope(n, activations)
    du = dh * (h_before - n) * recurrent_slope(u, activations)
    dr = dn * z_h * recurrent_slope(r, activations)
    return (dn, du, dr, dn * r), (dh * u,)
