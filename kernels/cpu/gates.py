"""The gate math of one step, on vectors of units."""

from numba import njit

from numlstm.kernels import CELL_ACTIVATIONS
from numlstm.kernels.cpu.vector import at_least, at_most, exp_parts_of_minus, exp_parts_of_twice, fma, positive

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
def activate(kind, x):
    """One of `CELL_ACTIVATIONS`, by its place there."""
    if kind == TANH:
        return tanh(x)
    if kind == SIGMOID:
        return sigmoid(x)
    if kind == HARD_SIGMOID:
        return at_most(at_least(x + 3.0, 0.0), 6.0) / 6.0
    if kind == RELU:
        return at_least(x, 0.0)
    return x


@njit
def derivative(kind, a):
    """The derivative of an activation, from its value a."""
    if kind == TANH:
        return 1.0 - a * a
    if kind == SIGMOID:
        return a * (1.0 - a)
    if kind == HARD_SIGMOID:
        return positive(a) * positive(1.0 - a) / 6.0
    if kind == RELU:
        return positive(a)
    return a - a + 1.0


@njit(inline="always")
def any_gates_forward(kind, recurrent_kind, zi, zf, zg, zo, c_before):
    """`gates_forward` with activations of any kind."""
    i = activate(recurrent_kind, zi)
    f = activate(recurrent_kind, zf)
    g = activate(kind, zg)
    o = activate(recurrent_kind, zo)
    c = fma(f, c_before, i * g)
    return i, f, g, o, c, o * activate(kind, c)


@njit(inline="always")
def any_gates_backward(kind, recurrent_kind, i, f, g, o, c_before, c, dh, dc_after):
    """`gates_backward` with activations of any kind."""
    active_c = activate(kind, c)
    dc = fma(dh * o, derivative(kind, active_c), dc_after)
    di = dc * g * derivative(recurrent_kind, i)
    df = dc * c_before * derivative(recurrent_kind, f)
    dg = dc * i * derivative(kind, g)
    do = dh * active_c * derivative(recurrent_kind, o)
    return di, df, dg, do, dc * f
