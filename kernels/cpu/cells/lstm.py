"""The LSTM: the gate math of one step, on vectors of units."""

from numba import njit

from numlstm.kernels.cpu.cells.activation import cell_activation, cell_slope, sigmoid, tanh
from numlstm.kernels.cpu.runtime.vector import fma


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
