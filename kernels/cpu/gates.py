"""The gate math of one step, on vectors of units."""

from numba import njit

from numlstm.kernels import CELL_ACTIVATIONS
from numlstm.kernels.cpu.vector import exp_parts_of_minus, exp_parts_of_twice, fma, where_less

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


@njit(inline="always")
def gates_forward(zi, zf, zg, zo, c_before):
    """Pre-activations to gates and states: (i, f, g, o, c, h)."""
    i = sigmoid(zi)
    f = sigmoid(zf)
    g = tanh(zg)
    o = sigmoid(zo)
    c = fma(f, c_before, i * g)
    return i, f, g, o, c, o * tanh(c)


@njit(inline="always")
def gates_backward(i, f, g, o, c_before, c, dh, dc_after):
    """Gradients of the four pre-activations and of the cell state before: (di, df, dg, do, dc)."""
    tanh_c = tanh(c)
    dc = fma(dh * o, 1.0 - tanh_c * tanh_c, dc_after)
    di = dc * g * (i * (1.0 - i))
    df = dc * c_before * (f * (1.0 - f))
    dg = dc * i * (1.0 - g * g)
    do = dh * tanh_c * (o * (1.0 - o))
    return di, df, dg, do, dc * f


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


@njit(inline="always")
def any_gates_forward(kind, recurrent_kind, zi, zf, zg, zo, c_before):
    """`gates_forward` with activations of any kind."""
    i = cell_activation(zi, recurrent_kind)
    f = cell_activation(zf, recurrent_kind)
    g = cell_activation(zg, kind)
    o = cell_activation(zo, recurrent_kind)
    c = fma(f, c_before, i * g)
    return i, f, g, o, c, o * cell_activation(c, kind)


@njit(inline="always")
def any_gates_backward(kind, recurrent_kind, i, f, g, o, c_before, c, dh, dc_after):
    """`gates_backward` with activations of any kind."""
    active_c = cell_activation(c, kind)
    dc = fma(dh * o, cell_slope(active_c, kind), dc_after)
    di = dc * g * cell_slope(i, recurrent_kind)
    df = dc * c_before * cell_slope(f, recurrent_kind)
    dg = dc * i * cell_slope(g, kind)
    do = dh * active_c * cell_slope(o, recurrent_kind)
    return di, df, dg, do, dc * f
