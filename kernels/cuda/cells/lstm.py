"""The LSTM: the gate math of one step, for one unit of one row."""

from numlstm.kernels.cuda.cells.activation import cell_activation, cell_slope, sigmoid, tanh
from numlstm.kernels.cuda.runtime.launch import device_function


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
    di = dc * g * (i * (real(1) - i))
    df = dc * c_before * (f * (real(1) - f))
    dg = dc * i * (real(1) - g * g)
    do = dh * tanh_c * (o * (real(1) - o))
    return di, df, dg, do, dc * f


@device_function
def any_gates_forward(kind, recurrent_kind, zi, zf, zg, zo, c_before):
    """`gates_forward` with activations of any kind."""
    i = cell_activation(zi, recurrent_kind)
    f = cell_activation(zf, recurrent_kind)
    g = cell_activation(zg, kind)
    o = cell_activation(zo, recurrent_kind)
    c = f * c_before + i * g
    return i, f, g, o, c, o * cell_activation(c, kind)


@device_function
def any_gates_backward(kind, recurrent_kind, i, f, g, o, c_before, c, dh, dc_after):
    """`gates_backward` with activations of any kind."""
    active_c = cell_activation(c, kind)
    dc = dh * o * cell_slope(active_c, kind) + dc_after
    di = dc * g * cell_slope(i, recurrent_kind)
    df = dc * c_before * cell_slope(f, recurrent_kind)
    dg = dc * i * cell_slope(g, kind)
    do = dh * active_c * cell_slope(o, recurrent_kind)
    return di, df, dg, do, dc * f
