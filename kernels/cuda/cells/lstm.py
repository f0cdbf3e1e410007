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
def cell_forward(z, before, kinds):
    """The gates (i, f, g, o), and the state (h, c)."""
    i = activate_slot(z[0], 0, kinds)
    f = activate_slot(z[1], 1, kinds)
    g = activate_slot(z[2], 2, kinds)
    o = activate_slot(z[3], 3, kinds)
    return update((i, f, g, o), before, kinds)


@device_function
def activate_slot(z, slot, kinds):
    """The gate of one slot: φ(z_g), or σ for the other slots."""
    return either_activation(z, slot == 2, kinds)


@device_function
def update(gates, before, kinds):
    """The gates unchanged, and the state (h, c)."""
    i, f, g, o = gates
    _, c_before = before
    c = f * c_before + i * g
    return gates, (o * activation(c, kinds), c)


@device_function
def cell_backward(gates, before, after, d_after, kinds):
    """The gradient of z, and the gradient of (h', c') without dz Uᵀ: (0, dc ⊙ f)."""
    i, f, g, o = gates
    _, c_before = before
    _, c = after
    dh, dc_after = d_after
    active_c = activation(c, kinds)
    dc = dh * o * slope(active_c, kinds) + dc_after
    di = dc * g * recurrent_slope(i, kinds)
    df = dc * c_before * recurrent_slope(f, kinds)
    dg = dc * i * slope(g, kinds)
    do = dh * active_c * recurrent_slope(o, kinds)
    return (di, df, dg, do), (type(c)(0), dc * f)
