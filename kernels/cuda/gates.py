"""The gate math of one step, for one unit of one row."""

from numlstm.kernels.cuda.launch import device_function
from numlstm.kernels.cuda.ptx import ex2, rcp

_LOG2_E = 1.4426950408889634


@device_function
def sigmoid(x):
    """σ(x) = 1 / (1 + exp(-x))."""
    return activation(x, False)


@device_function
def tanh(x):
    """Hyperbolic tangent: 2 σ(2x) - 1, and near 0, where that would cancel, its power series to x¹³."""
    return activation(x, True)


@device_function
def activation(x, is_tanh):
    """tanh or σ by one formula, so that neighbouring threads with different gates need not wait for each other."""
    real = type(x)
    scale = real(2) if is_tanh else real(1)
    squashed = scale * rcp(real(1) + ex2(x * scale * real(-_LOG2_E))) - (scale - real(1))
    s = x * x
    p = real(21844 / 6081075)
    p = p * s - real(1382 / 155925)
    p = p * s + real(62 / 2835)
    p = p * s - real(17 / 315)
    p = p * s + real(2 / 15)
    p = p * s - real(1 / 3)
    return p * s * x + x if is_tanh and s < real(1 / 64) else squashed


@device_function
def gates_forward(zi, zf, zg, zo, c_before):
    """Pre-activations to gates and states: (i, f, g, o, c, h)."""
    i = sigmoid(zi)
    f = sigmoid(zf)
    g = tanh(zg)
    o = sigmoid(zo)
    c = f * c_before + i * g
    return i, f, g, o, c, o * tanh(c)


@device_function
def gates_backward(i, f, g, o, c_before, c, dh, dc_after):
    """Gradients of the four pre-activations and of the cell state before: (di, df, dg, do, dc)."""
    real = type(c)
    tanh_c = tanh(c)
    dc = dh * o * (real(1) - tanh_c * tanh_c) + dc_after
    di = dc * g * i * (real(1) - i)
    df = dc * c_before * f * (real(1) - f)
    dg = dc * i * (real(1) - g * g)
    do = dh * tanh_c * o * (real(1) - o)
    return di, df, dg, do, dc * f
