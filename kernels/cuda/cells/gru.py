"""The GRU whose reset gate acts after the product with U: one step of one unit.

    u = σ(z_u)    r = σ(z_r)    n = φ(z_n + r ⊙ z_h)      with z_u = x W_u + h' U_u + b_u,   z_r likewise,
    h = u ⊙ h' + (1 - u) ⊙ n                              z_n = x W_n + b_n,   z_h = h' U_n + b'_n

The update gate u is called z in Keras and PyTorch. z_n is the first slot and z_h the last, so the three slots that W
contributes to are neighbours, and so are the three that U contributes to.

Recurrent dropout multiplies h' by the same mask for all gates. Keras draws one mask for each gate.
"""

from numlstm.kernels.cuda.cells.activation import activation, recurrent_activation, recurrent_slope, slope
from numlstm.kernels.cuda.runtime.launch import device_function

STATES = "h"
SLOTS = "nzr-"
INPUT_GATES = 2, 0, 1, None
STATE_GATES = None, 0, 1, 2
RESET_GATES = None
PASSES_H = True
UPDATED_SLOT = 0


@device_function
def cell_forward(z, before, activations):
    """The gates (n, u, r, z_h), and the state (h,)."""
    u = activate_slot(z[1], 1, activations)
    r = activate_slot(z[2], 2, activations)
    return update((z[0], u, r, z[3]), before, activations)


@device_function
def activate_slot(z, slot, activations):
    """The gate of one slot: σ(z_u) or σ(z_r). The two parts of n stay as they are."""
    gate = recurrent_activation(z, activations)
    return gate if slot == 1 or slot == 2 else z


@device_function
def update(gates, before, activations):
    """The gates with n in the place of z_n, and the state (h,)."""
    z_n, u, r, z_h = gates
    h_before = before[0]
    n = activation(z_n + r * z_h, activations)
    return (n, u, r, z_h), (u * (h_before - n) + n,)


@device_function
def cell_backward(gates, before, after, d_after, activations):
    """The gradient of z, and the gradient of h' without dz Uᵀ: dh ⊙ u."""
    n, u, r, z_h = gates
    h_before, dh = before[0], d_after[0]
    dn = dh * (type(u)(1) - u) * slope(n, activations)
    du = dh * (h_before - n) * recurrent_slope(u, activations)
    dr = dn * z_h * recurrent_slope(r, activations)
    return (dn, du, dr, dn * r), (dh * u,)
