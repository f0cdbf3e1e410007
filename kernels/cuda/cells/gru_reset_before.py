"""The GRU whose reset gate acts on h' itself (Cho et al. 2014): one step of one unit, in two parts.

    r = σ(z_r)        with z_r = x W_r + h' U_r + b_r
    u = σ(z_u)        n = φ(z_n)      with z_u likewise, z_n = x W_n + (r ⊙ h') U_n + b_n
    h = u ⊙ h' + (1 - u) ⊙ n

The first part computes r ⊙ h'. It must be complete for all units before the product with U_n. The update gate u is
called z in Keras and PyTorch.

Recurrent dropout multiplies h' by the same mask for all gates. Keras draws one mask for each gate.
"""

from numlstm.kernels.cuda.cells.activation import activation, recurrent_activation, recurrent_slope, slope
from numlstm.kernels.cuda.runtime.launch import device_function

STATES = "h"
SLOTS = "nzr-"
INPUT_GATES = 2, 0, 1, None
STATE_GATES = None, 0, 1, None
RESET_GATES = 2, None, None, None
PASSES_H = True


@device_function
def reset_forward(z, h_in, activations):
    """The first part: z with r in the place of z_r, and r ⊙ h' in the last slot."""
    r = recurrent_activation(z[2], activations)
    return z[0], z[1], r, r * h_in


@device_function
def cell_forward(z, before, activations):
    """The gates (n, u, r, r ⊙ h'), and the state (h,)."""
    h_before = before[0]
    n = activation(z[0], activations)
    u = recurrent_activation(z[1], activations)
    return (n, u, z[2], z[3]), (u * (h_before - n) + n,)


@device_function
def cell_backward(gates, before, after, d_after, activations):
    """(dz_n, dz_u, r, r ⊙ h'), and the gradient of h' without the products: dh ⊙ u."""
    n, u, r, r_h = gates
    h_before, dh = before[0], d_after[0]
    dn = dh * (type(u)(1) - u) * slope(n, activations)
    du = dh * (h_before - n) * recurrent_slope(u, activations)
    return (dn, du, r, r_h), (dh * u,)


@device_function
def reset_backward(dz, d_r_h, h_in, activations):
    """dz with dz_r in the place of r, and the gradient of h' through r ⊙ h'. d_r_h is dz_n U_nᵀ."""
    dn, du, r, r_h = dz
    return (dn, du, d_r_h * h_in * recurrent_slope(r, activations), r_h), d_r_h * r
