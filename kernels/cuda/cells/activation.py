"""Activations of a cell, for one unit."""

from numlstm.kernels import CELL_ACTIVATIONS
from numlstm.kernels.cuda.runtime.launch import device_function
from numlstm.kernels.cuda.runtime.ptx import ex2, rcp

TANH, SIGMOID, HARD_SIGMOID, RELU, LINEAR = range(len(CELL_ACTIVATIONS))

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
def cell_activation(x, kind):
    """φ(x), for one of `CELL_ACTIVATIONS` by its place there."""
    real = type(x)
    if kind <= SIGMOID:
        return activation(x, kind == TANH)
    if kind == HARD_SIGMOID:
        x = x + real(3)
        x = real(6) if x > real(6) else x
    if kind <= RELU:
        x = real(0) if x < real(0) else x
    return x * real(1 / 6) if kind == HARD_SIGMOID else x


@device_function
def cell_slope(y, kind):
    """φ'(x), from y = φ(x); NaN stays NaN."""
    real = type(y)
    if kind == TANH:
        return real(1) - y * y
    if kind == SIGMOID:
        return y * (real(1) - y)
    if kind == HARD_SIGMOID:
        return real(1 / 6) if real(0) < y < real(1) else y * real(0)
    return y * real(0) if kind == RELU and not y > real(0) else real(1)
