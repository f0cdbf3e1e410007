"""Activations, element by element and over rows."""

import math

from numba import cuda

from numlstm.kernels import ACTIVATIONS
from numlstm.kernels.cuda.cells.activation import LINEAR, cell_activation, cell_slope
from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, device_function, kernel, template
from numlstm.kernels.cuda.runtime.ptx import exp, shared_array

_ELU, _SOFTPLUS, _SOFTSIGN, _EXPONENTIAL = range(LINEAR + 1, len(ACTIVATIONS))


def activate(x, y, kind):
    """y = φ(x)."""
    _activate.launch(x.dtype, blocks_for(x.size), x, y, ACTIVATIONS.index(kind), x.size)


def activate_backward(y, dy, dx, kind):
    """dx = dy ⊙ φ'(x)."""
    _activate_backward.launch(y.dtype, blocks_for(y.size), y, dy, dx, ACTIVATIONS.index(kind), y.size)


def softmax(x, y):
    """y = exp(x - max x) / Σ exp(x - max x)."""
    if x.size:
        _softmax[()].launch(x.dtype, len(x), x, y, x.shape[1])


def softmax_backward(y, dy, dx):
    """dx = y ⊙ (dy - Σ dy ⊙ y)."""
    if y.size:
        _softmax_backward[()].launch(y.dtype, len(y), y, dy, dx, y.shape[1])


@device_function
def activated(x, kind):
    """φ(x)."""
    real = type(x)
    y = x
    if kind <= LINEAR:
        y = cell_activation(x, kind)
    elif kind == _ELU:
        y = real(math.expm1(x)) if x < real(0) else x
    elif kind == _SOFTPLUS:
        tail = real(math.log1p(exp(x if x < real(0) else -x)))
        y = tail if x < real(0) else x + tail
    elif kind == _SOFTSIGN:
        y = x / (real(1) + abs(x))
    elif kind == _EXPONENTIAL:
        y = real(exp(x))
    return y


@device_function
def slope(y, kind):
    """φ'(x), from y = φ(x); NaN stays NaN."""
    real = type(y)
    d = y
    if kind <= LINEAR:
        d = cell_slope(y, kind)
    elif kind == _ELU:
        d = real(1) if y > real(0) else y + real(1)
    elif kind == _SOFTPLUS:
        d = -real(math.expm1(-y))
    elif kind == _SOFTSIGN:
        rest = real(1) - abs(y)
        d = rest * rest
    return d


@kernel("real* real* int int")
def _activate(x, y, kind, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        y[k] = activated(x[k], kind)


@kernel("real* real* real* int int")
def _activate_backward(y, dy, dx, kind, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        dx[k] = dy[k] * slope(y[k], kind)


# A row a block, whose threads take every `THREADS`th number each and meet in a tree.


@template("real* real* int")
def _softmax(real):
    def softmax(x, y, columns):
        held = shared_array(THREADS, real, 16)
        first, thread = cuda.blockIdx.x * columns, cuda.threadIdx.x
        largest = real(-math.inf)
        for k in range(first + thread, first + columns, THREADS):
            largest = x[k] if x[k] > largest else largest
        held[thread] = largest
        _meet(held, thread, True)
        largest = held[0]
        cuda.syncthreads()
        total = real(0)
        for k in range(first + thread, first + columns, THREADS):
            value = real(exp(x[k] - largest))
            y[k] = value
            total += value
        held[thread] = total
        _meet(held, thread, False)
        for k in range(first + thread, first + columns, THREADS):
            y[k] /= held[0]

    return softmax, THREADS, 0


@template("real* real* real* int")
def _softmax_backward(real):
    def softmax_backward(y, dy, dx, columns):
        held = shared_array(THREADS, real, 16)
        first, thread = cuda.blockIdx.x * columns, cuda.threadIdx.x
        total = real(0)
        for k in range(first + thread, first + columns, THREADS):
            total += y[k] * dy[k]
        held[thread] = total
        _meet(held, thread, False)
        for k in range(first + thread, first + columns, THREADS):
            dx[k] = y[k] * (dy[k] - held[0])

    return softmax_backward, THREADS, 0


@device_function
def _meet(held, thread, by_size):
    """The largest or the sum of what the threads hold, at index 0."""
    others = THREADS // 2
    while others:
        cuda.syncthreads()
        if thread < others:
            mine, other = held[thread], held[thread + others]
            if by_size:
                held[thread] = other if other > mine else mine
            else:
                held[thread] = mine + other
        others //= 2
    cuda.syncthreads()
