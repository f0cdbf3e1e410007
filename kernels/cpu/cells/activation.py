"""Activations of cells on vectors of units, and their slopes as functions of the activation's result.

A cell's page calls `activation`, `slope`, `recurrent_activation` and `recurrent_slope`. The functions of these names
below are the usual activations, tanh and σ, and ignore `activations`. Kernels with options replace them by the
functions in `CHOSEN` or `CHOSEN_OF_ALL`, which read the index of an activation from `activations`.
"""

from numba import njit

from numlstm.kernels import ACTIVATIONS, CELL_ACTIVATIONS
from numlstm.kernels.cpu.runtime.vector import (
    exp_parts,
    exp_parts_of_minus,
    exp_parts_of_twice,
    fma,
    where_less,
    zero,
)

TANH, SIGMOID, HARD_SIGMOID, RELU, LINEAR, ELU, SOFTPLUS, SOFTSIGN, EXPONENTIAL = range(len(ACTIVATIONS))

_ATANH = tuple(1 / (2 * k + 1) for k in range(17, 0, -1))
"""The coefficients of atanh(s) = s + s³/3 + s⁵/5 + …: enough terms for s up to 1/3 in float64."""


@njit(inline="always")
def sigmoid(x):
    """σ(x) = 1 / (1 + exp(-x))."""
    scale, m = exp_parts_of_minus(x)
    return 1.0 / fma(scale, m, scale + 1.0)


@njit(inline="always")
def tanh(x):
    """Hyperbolic tangent: e / (e + 2) with e = exp(2x) - 1, exact to the last bits even for small x."""
    scale, m = exp_parts_of_twice(x)
    e = fma(scale, m, scale - 1.0)
    return e / (e + 2.0)


@njit(inline="always")
def exp(x):
    """The square of e^(x/2), which can become 0 or infinity. `exp_parts` cannot, because it clamps its argument."""
    scale, m = exp_parts(x * 0.5)
    root = fma(scale, m, scale)
    return root * root


@njit(inline="always")
def _expm1(x):
    scale, m = exp_parts(x)
    return fma(scale, m, scale - 1.0)


@njit(inline="always")
def _log1p(x):
    """log(1 + x) = 2 atanh(x / (2 + x)), for x from 0 to 1."""
    s = x / (x + 2.0)
    square = s * s
    p = zero(x)
    for coefficient in _ATANH:
        p = (p + coefficient) * square
    return fma(s, p, s) * 2.0


@njit
def cell_activation(x, activation):
    """φ(x) of a vector; `activation` is an index of `CELL_ACTIVATIONS`."""
    y = x
    if activation == TANH:
        y = tanh(x)
    elif activation == SIGMOID:
        y = sigmoid(x)
    elif activation == HARD_SIGMOID:
        shifted = x + 3.0
        shifted = where_less(shifted, 0.0, 0.0, shifted)
        y = where_less(6.0, shifted, 6.0, shifted) / 6.0
    elif activation == RELU:
        y = where_less(x, 0.0, 0.0, x)
    return y


@njit
def cell_slope(y, activation):
    """φ'(x) of a vector, from y = φ(x); NaN stays NaN."""
    d = y * 0.0 + 1.0
    if activation == TANH:
        d = 1.0 - y * y
    elif activation == SIGMOID:
        d = y * (1.0 - y)
    elif activation == HARD_SIGMOID:
        d = where_less(0.0, y, where_less(y, 1.0, 1.0 / 6.0, y * 0.0), y * 0.0)
    elif activation == RELU:
        d = where_less(0.0, y, 1.0, y * 0.0)
    return d


@njit(inline="always")
def any_activation(x, activation):
    """φ(x) of a vector; `activation` is an index of `ACTIVATIONS`."""
    y = x
    if activation <= LINEAR:
        y = cell_activation(x, activation)
    elif activation == ELU:
        y = where_less(x, 0.0, _expm1(x), x)
    elif activation == SOFTPLUS:
        # exp takes -|x|, so it cannot overflow.
        tail = _log1p(exp(where_less(x, 0.0, x, 0.0 - x)))
        y = where_less(x, 0.0, tail, x + tail)
    elif activation == SOFTSIGN:
        y = x / (where_less(x, 0.0, 0.0 - x, x) + 1.0)
    elif activation == EXPONENTIAL:
        y = exp(x)
    return y


@njit(inline="always")
def any_slope(y, activation):
    """φ'(x) of a vector, from y = φ(x); NaN stays NaN."""
    d = y
    if activation <= LINEAR:
        d = cell_slope(y, activation)
    elif activation == ELU:
        d = where_less(0.0, y, 1.0, y + 1.0)
    elif activation == SOFTPLUS:
        d = 0.0 - _expm1(0.0 - y)
    elif activation == SOFTSIGN:
        rest = 1.0 - where_less(y, 0.0, 0.0 - y, y)
        d = rest * rest
    return d


# The usual activations, which a cell's page calls


@njit(inline="always")
def activation(x, activations):
    """φ(x) = tanh x."""
    return tanh(x)


@njit(inline="always")
def slope(y, activations):
    """φ'(x) from y = φ(x)."""
    return 1.0 - y * y


@njit(inline="always")
def recurrent_activation(x, activations):
    """σ(x), the logistic function."""
    return sigmoid(x)


@njit(inline="always")
def recurrent_slope(y, activations):
    """σ'(x) from y = σ(x)."""
    return y * (1.0 - y)


# The activations of kernels with options, which have the indices in `activations`


@njit(inline="always")
def _chosen_activation(x, activations):
    return cell_activation(x, activations[0])


@njit(inline="always")
def _chosen_slope(y, activations):
    return cell_slope(y, activations[0])


@njit(inline="always")
def _chosen_recurrent_activation(x, activations):
    return cell_activation(x, activations[1])


@njit(inline="always")
def _chosen_recurrent_slope(y, activations):
    return cell_slope(y, activations[1])


@njit(inline="always")
def _any_chosen_activation(x, activations):
    return any_activation(x, activations[0])


@njit(inline="always")
def _any_chosen_slope(y, activations):
    return any_slope(y, activations[0])


CHOSEN = (
    CELL_ACTIVATIONS,
    {
        "activation": _chosen_activation,
        "slope": _chosen_slope,
        "recurrent_activation": _chosen_recurrent_activation,
        "recurrent_slope": _chosen_recurrent_slope,
    },
)
CHOSEN_OF_ALL = ACTIVATIONS, {"activation": _any_chosen_activation, "slope": _any_chosen_slope}
"""The activations that a cell with options chooses from, and the functions that replace the usual ones."""
