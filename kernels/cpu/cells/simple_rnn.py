"""Elman's network: one step of one vector of units.

h = φ(z)      with z = x W + h' U + b
"""

from numba import njit

from numlstm.kernels.cpu.cells.activation import CHOSEN_OF_ALL, activation, slope
from numlstm.kernels.cpu.runtime.vector import zero

STATES = "h"
SLOTS = "h"
INPUT_GATES = STATE_GATES = (0,)
RESET_GATES = None
PASSES_H = False
OPTIONS = CHOSEN_OF_ALL


@njit(inline="always")
def cell_forward(z, before, activations):
    """The gate (h,), and the state (h,)."""
    h = activation(z[0], activations)
    return (h,), (h,)


@njit(inline="always")
def cell_backward(gates, before, after, d_after, activations):
    """The gradient of z, and the gradient of h' without dz Uᵀ: 0."""
    h, dh = gates[0], d_after[0]
    return (dh * slope(h, activations),), (zero(h),)
