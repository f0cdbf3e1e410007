"""The LSTM: one step of one vector of units.

i = σ(z_i)    f = σ(z_f)    g = φ(z_g)    o = σ(z_o)      with z = x W + h' U + b
c = f ⊙ c' + i ⊙ g          h = o ⊙ φ(c)
"""

from numba import njit

from numlstm.kernels.cpu.cells.activation import CHOSEN, activation, recurrent_activation, recurrent_slope, slope
from numlstm.kernels.cpu.runtime.vector import fma, zero

STATES = "hc"
SLOTS = "ifgo"
INPUT_GATES = STATE_GATES = 0, 1, 2, 3
RESET_GATES = None
PASSES_H = False
OPTIONS = CHOSEN


@njit(inline="always")
def cell_forward(z, before, activations):
    """The gates (i, f, g, o), and (o, c), of which `cell_output` makes the state."""
    _, c_before = before
    i = recurrent_activation(z[0], activations)
    f = recurrent_activation(z[1], activations)
    g = activation(z[2], activations)
    o = recurrent_activation(z[3], activations)
    c = fma(f, c_before, i * g)
    return (i, f, g, o), (o, c)


@njit(inline="always")
def cell_output(state, activations):
    """The state (h, c) from (o, c)."""
    o, c = state
    return o * activation(c, activations), c


@njit(inline="always")
def cell_backward(gates, before, after, d_after, activations):
    """The gradient of z, and the gradient of (h', c') without dz Uᵀ: (0, dc ⊙ f)."""
    i, f, g, o = gates
    _, c_before = before
    _, c = after
    dh, dc_after = d_after
    active_c = activation(c, activations)
    dc = fma(dh * o, slope(active_c, activations), dc_after)
    di = dc * g * recurrent_slope(i, activations)
    df = dc * c_before * recurrent_slope(f, activations)
    dg = dc * i * slope(g, activations)
    do = dh * active_c * recurrent_slope(o, activations)
    return (di, df, dg, do), (zero(c), dc * f)
