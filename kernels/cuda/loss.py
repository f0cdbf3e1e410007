"""Losses: each adds its value to the scalar of the pass and writes the gradient of its mean."""

import math

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.launch import blocks_for, kernel
from numlstm.kernels.cuda.matmul import partial_sums, sum_all


def mse(y, target, loss, dy):
    """(y - t)²."""
    _launch(_mse, y, target, loss, dy)


def mae(y, target, loss, dy):
    """|y - t|."""
    _launch(_mae, y, target, loss, dy)


def huber(y, target, loss, dy, delta):
    """e²/2 where |e| <= δ, else δ (|e| - δ/2)."""
    _launch(_huber, y, target, loss, dy, delta)


def _launch(kernel, y, target, loss, dy, *parameters):
    partial = partial_sums(y.size)
    kernel.launch(y.dtype.name, blocks_for(y.size), y, target, partial, dy, y.size, *parameters)
    sum_all(partial, loss, 1 / y.shape[1])


@kernel("real* real* float* real* int")
def _mse(y, target, partial, dy, size):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        error = y[k] - target[k]
        total += float64(error) * float64(error)
        dy[k] = 2.0 * error / size
    partial[cuda.grid(1)] = total


@kernel("real* real* float* real* int")
def _mae(y, target, partial, dy, size):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        error = float64(y[k] - target[k])
        total += abs(error)
        # NaN, which no comparison holds for, must stay NaN.
        sign = 1.0 if error > 0.0 else -1.0 if error < 0.0 else 0.0 * error
        dy[k] = sign / size
    partial[cuda.grid(1)] = total


@kernel("real* real* float* real* int float")
def _huber(y, target, partial, dy, size, delta):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        error = float64(y[k] - target[k])
        if abs(error) > delta:
            total += delta * (abs(error) - 0.5 * delta)
            slope = math.copysign(delta, error)
        else:
            total += 0.5 * error * error
            slope = error
        dy[k] = slope / size
    partial[cuda.grid(1)] = total
