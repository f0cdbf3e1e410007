"""Elman's network: one step of one unit.

h = φ(z)      with z = x W + h' U + b
"""

from numlstm.kernels.cuda.cells.activation import activation, slope
from numlstm.kernels.cuda.runtime.launch import device_function

STATES = "h"
SLOTS = "h"
INPUT_GATES = STATE_GATES = (0,)
RESET_GATES = None
PASSES_H = False


@device_function
def cell_forward(z, before, activations):
    """The gate (h,), and the state (h,)."""
    h = activation(z[0], activations)
    return (h,), (h,)


@device_function
def cell_backward(gates, before, after, d_after, activations):
    """The gradient of z, and the gradient of h' without dz Uᵀ: 0."""
    h, dh = gates[0], d_after[0]
    return (dh * slope(h, activations),), (type(h)(0),)
