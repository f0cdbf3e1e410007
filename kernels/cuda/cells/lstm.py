"""The LSTM: one step of one unit.

i = σ(z_i)    f = σ(z_f)    g = φ(z_g)    o = σ(z_o)      with z = x W + h' U + b
c = f ⊙ c' + i ⊙ g          h = o ⊙ φ(c)
"""

from numlstm.kernels.cuda.cells.activation import activation, either_activation, recurrent_slope, slope
from numlstm.kernels.cuda.runtime.launch import device_function

STATES = "hc"
SLOTS = "ifgo"
INPUT_GATES = STATE_GATES = 0, 1, 2, 3
RESET_GATES = None
PASSES_H = False
UPDATED_SLOT = None


@device_function
def cell_forward(z, before, activations):
    """The gates (i, f, g, o), and the state (h, c)."""
    i = activate_slot(z[0], 0, activations)
    f = activate_slot(z[1], 1, activations)
    g = activate_slot(z[2], 2, activations)
    o = activate_slot(z[3], 3, activations)
    return update((i, f, g, o), before, activations)


@device_function
def activate_slot(z, slot, activations):
    """The gate of one slot: φ(z_g), or σ for the other slots."""
    return either_activation(z, slot == 2, activations)


@device_function
def update(gates, before, activations):
    """The gates unchanged, and the state (h, c)."""
    i, f, g, o = gates
    _, c_before = before
    c = f * c_before + i * g
    return gates, (o * activation(c, activations), c)


@device_function
def cell_backward(gates, before, after, d_after, activations):
    """The gradient of z, and the gradient of (h', c') without dz Uᵀ: (0, dc ⊙ f)."""
    i, f, g, o = gates
    _, c_before = before
    _, c = after
    dh, dc_after = d_after
    active_c = activation(c, activations)
    dc = dh * o * slope(active_c, activations) + dc_after
    di = dc * g * recurrent_slope(i, activations)
    df = dc * c_before * recurrent_slope(f, activations)
    dg = dc * i * slope(g, activations)
    do = dh * active_c * recurrent_slope(o, activations)
    return (di, df, dg, do), (type(c)(0), dc * f)
