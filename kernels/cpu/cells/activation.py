"""Activations of a cell, on vectors of units."""

from numba import njit

from numlstm.kernels import CELL_ACTIVATIONS
from numlstm.kernels.cpu.runtime.vector import exp_parts_of_minus, exp_parts_of_twice, fma, where_less

TANH, SIGMOID, HARD_SIGMOID, RELU, LINEAR = range(len(CELL_ACTIVATIONS))


@njit(inline="always")
def sigmoid(x):
    """σ(x) = 1 / (1 + exp(-x))."""
    scale, m = exp_parts_of_minus(x)
    return 1.0 / fma(scale, m, scale + 1.0)


@njit(inline="always")
def tanh(x):
    """Hyperbolic tangent: e / (e + 2) with e = exp(2x) - 1, exact to the last bits for small x too."""
    scale, m = exp_parts_of_twice(x)
    e = fma(scale, m, scale - 1.0)
    return e / (e + 2.0)


@njit
def cell_activation(x, kind):
    """φ(x) of a vector, for one of `CELL_ACTIVATIONS` by its place there."""
    y = x
    if kind == TANH:
        y = tanh(x)
    elif kind == SIGMOID:
        y = sigmoid(x)
    elif kind == HARD_SIGMOID:
        shifted = x + 3.0
        shifted = where_less(shifted, 0.0, 0.0, shifted)
        y = where_less(6.0, shifted, 6.0, shifted) / 6.0
    elif kind == RELU:
        y = where_less(x, 0.0, 0.0, x)
    return y


@njit
def cell_slope(y, kind):
    """φ'(x) of a vector, from y = φ(x); NaN stays NaN."""
    d = y * 0.0 + 1.0
    if kind == TANH:
        d = 1.0 - y * y
    elif kind == SIGMOID:
        d = y * (1.0 - y)
    elif kind == HARD_SIGMOID:
        d = where_less(0.0, y, where_less(y, 1.0, 1.0 / 6.0, y * 0.0), y * 0.0)
    elif kind == RELU:
        d = where_less(0.0, y, 1.0, y * 0.0)
    return d
