"""The gate math of one step, on vectors of units."""

from numba import njit

from numlstm.kernels.cpu.vector import exp_parts_of_minus, exp_parts_of_twice, fma


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
    di = dc * g * i * (1.0 - i)
    df = dc * c_before * f * (1.0 - f)
    dg = dc * i * (1.0 - g * g)
    do = dh * tanh_c * o * (1.0 - o)
    return di, df, dg, do, dc * f
