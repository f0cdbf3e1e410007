"""The GRU whose reset gate acts on h' itself (Cho et al. 2014): one step of one vector of units, in two parts.

    r = σ(z_r)        with z_r = x W_r + h' U_r + b_r
    u = σ(z_u)        n = φ(z_n)      with z_u likewise, z_n = x W_n + (r ⊙ h') U_n + b_n
    h = u ⊙ h' + (1 - u) ⊙ n

The first part computes r ⊙ h'. It must be complete for all units before the product with U_n. The update gate u is
called z in Keras and PyTorch.
"""

from numba import njit

from numlstm.kernels.cpu.cells.activation import CHOSEN, activation, recurrent_activation, recurrent_slope, slope
from numlstm.kernels.cpu.runtime.vector import fma

STATES = "h"
SLOTS = "nzr-"
INPUT_GATES = 2, 0, 1, None
STATE_GATES = None, 0, 1, None
RESET_GATES = 2, None, None, None
PASSES_H = True
OPTIONS = CHOSEN


@njit(inline="always")
def reset_forward(z, h_in, activations):
    """The first part: z with r in the place of z_r, and r ⊙ h' in the last slot."""
    r = recurrent_activation(z[2], activations)
    return z[0], z[1], r, r * h_in


@njit(inline="always")
def cell_forward(z, before, activations):
    """The gates (n, u, r, r ⊙ h'), and the state (h,)."""
    h_before = before[0]
    n = activation(z[0], activations)
    u = recurrent_activation(z[1], activations)
    return (n, u, z[2], z[3]), (fma(u, h_before - n, n),)


@njit(inline="always")
def cell_backward(gates, before, after, d_after, activations):
    """(dz_n, dz_u, r, r ⊙ h'), and the gradient of h' without the products: dh ⊙ u."""
    n, u, r, r_h = gates
    h_before, dh = before[0], d_after[0]
    dn = dh * (1.0 - u) * slope(n, activations)
    du = dh * (h_before - n) * recurrent_slope(u, activations)
    return (dn, du, r, r_h), (dh * u,)


@njit(inline="always")
def reset_backward(dz, d_r_h, h_in, activations):
    """dz with dz_r in the place of r, and the gradient of h' through r ⊙ h'. d_r_h is dz_n U_nᵀ."""
    dn, du, r, r_h = dz
    return (dn, du, d_r_h * h_in * recurrent_slope(r, activations), r_h), d_r_h * r
