"""Activations of one number, and their slopes as functions of the activation's result.

A cell's page calls `activation`, `slope`, `recurrent_activation` and `recurrent_slope`. `activations` is a constant of
the kernel: the indices of the cell's activations in `ACTIVATIONS`, or None for the usual ones, tanh and σ.
"""

import math

from numlstm.kernels import ACTIVATIONS
from numlstm.kernels.cuda.runtime.launch import device_function
from numlstm.kernels.cuda.runtime.ptx import ex2, exp, rcp

TANH, SIGMOID, HARD_SIGMOID, RELU, LINEAR, ELU, SOFTPLUS, SOFTSIGN, EXPONENTIAL = range(len(ACTIVATIONS))

_LOG2_E = 1.4426950408889634


@device_function
def sigmoid(x):
    """σ(x) = 1 / (1 + exp(-x))."""
    return _squashed(x, False)


@device_function
def tanh(x):
    """Hyperbolic tangent: 2 σ(2x) - 1. Near 0, where the difference loses digits, it is the power series to x¹³."""
    return _squashed(x, True)


@device_function
def _squashed(x, is_tanh):
    """tanh or σ by one formula, so that neighbouring threads with different gates do not diverge."""
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
def any_activation(x, activation):
    """φ(x); `activation` is an index of `ACTIVATIONS`."""
    real = type(x)
    y = x
    if activation <= SIGMOID:
        y = _squashed(x, activation == TANH)
    elif activation <= RELU:
        if activation == HARD_SIGMOID:
            y = x + real(3)
            y = real(6) if y > real(6) else y
        y = real(0) if y < real(0) else y
        y = y * real(1 / 6) if activation == HARD_SIGMOID else y
    elif activation == ELU:
        y = real(math.expm1(x)) if x < real(0) else x
    elif activation == SOFTPLUS:
        tail = real(math.log1p(exp(x if x < real(0) else -x)))
        y = tail if x < real(0) else x + tail
    elif activation == SOFTSIGN:
        y = x / (real(1) + abs(x))
    elif activation == EXPONENTIAL:
        y = real(exp(x))
    return y


@device_function
def any_slope(y, activation):
    """φ'(x), from y = φ(x); NaN stays NaN."""
    real = type(y)
    d = y
    if activation == TANH:
        d = real(1) - y * y
    elif activation == SIGMOID:
        d = y * (real(1) - y)
    elif activation == HARD_SIGMOID:
        d = real(1 / 6) if real(0) < y < real(1) else y * real(0)
    elif activation == RELU:
        d = y * real(0) if not y > real(0) else real(1)
    elif activation == LINEAR:
        d = real(1)
    elif activation == ELU:
        d = real(1) if y > real(0) else y + real(1)
    elif activation == SOFTPLUS:
        d = -real(math.expm1(-y))
    elif activation == SOFTSIGN:
        rest = real(1) - abs(y)
        d = rest * rest
    return d


@device_function
def activation(x, activations):
    """φ(x)."""
    return any_activation(x, TANH if activations is None else activations[0])


@device_function
def slope(y, activations):
    """φ'(x), from y = φ(x)."""
    return any_slope(y, TANH if activations is None else activations[0])


@device_function
def recurrent_activation(x, activations):
    """σ(x)."""
    return any_activation(x, SIGMOID if activations is None else activations[1])


@device_function
def recurrent_slope(y, activations):
    """σ'(x), from y = σ(x)."""
    return any_slope(y, SIGMOID if activations is None else activations[1])


@device_function
def either_activation(x, is_candidate, activations):
    """φ(x) or σ(x), where neighbouring threads differ in the choice. The usual activations are one formula."""
    if activations is None:
        return _squashed(x, is_candidate)
    return any_activation(x, activations[0] if is_candidate else activations[1])
