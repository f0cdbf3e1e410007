"""Activations of single elements, and softmax over rows."""

import math

from numba import cuda

from numlstm.kernels import ACTIVATIONS
from numlstm.kernels.cuda.cells.activation import TANH, any_activation, any_slope
from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, device_function, kernel, runs, template
from numlstm.kernels.cuda.runtime.ptx import exp, shared_array

__all__ = ["activate", "activate_backward", "softmax", "softmax_backward"]


@kernel("real* real* int int")
def _activate(x, y, activation, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        y[k] = _activation(x[k], activation)


@device_function
def _activation(x, activation):
    """φ(x).

    For tanh, CUDA's library takes no more instructions than the cells' formula, which tanh and σ share. Its relative
    error is at most 3.3 eps in float32, where the cells' is 29 eps, if `ex2` and `rcp` are off by 2 units in the last
    place.
    """
    real = type(x)
    return real(math.tanh(x)) if activation == TANH else any_activation(x, activation)


@kernel("real* real* real* int int")
def _activate_backward(y, dy, dx, activation, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        dx[k] = dy[k] * any_slope(y[k], activation)


# One block for each row. Each thread takes every `THREADS`th number, and a tree combines the threads' results.


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
    """The largest or the sum of the threads' numbers, at index 0."""
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


@runs(_activate)
def activate(x, y, activation):
    """y = φ(x)."""
    _activate.launch(x.dtype, blocks_for(x.size), x, y, ACTIVATIONS.index(activation), x.size)


@runs(_activate_backward)
def activate_backward(y, dy, dx, activation):
    """dx = dy ⊙ φ'(x)."""
    _activate_backward.launch(y.dtype, blocks_for(y.size), y, dy, dx, ACTIVATIONS.index(activation), y.size)


@runs(_softmax[()])
def softmax(x, y):
    """y = exp(x - max x) / Σ exp(x - max x)."""
    if x.size:
        _softmax[()].launch(x.dtype, len(x), x, y, x.shape[1])


@runs(_softmax_backward[()])
def softmax_backward(y, dy, dx):
    """dx = y ⊙ (dy - Σ dy ⊙ y)."""
    if y.size:
        _softmax_backward[()].launch(y.dtype, len(y), y, dy, dx, y.shape[1])
