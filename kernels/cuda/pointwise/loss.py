"""Losses of numbers: each adds its value to the scalar of the pass and writes the gradient of its mean."""

import math

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.products.matmul import partial_sums, sum_all
from numlstm.kernels.cuda.runtime.launch import blocks_for, device_function, kernel

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_LOG_2 = math.log(2.0)
_LEAST_LOG_VARIANCE = math.log(1e-6)


def mse(y, target, weights, loss, dy):
    """(y - t)²."""
    add_elements(_mse, y.shape, y, target, weights, loss, dy)


def mae(y, target, weights, loss, dy):
    """|y - t|."""
    add_elements(_mae, y.shape, y, target, weights, loss, dy)


def huber(y, target, weights, loss, dy, delta):
    """e²/2 where |e| <= δ, else δ (|e| - δ/2)."""
    add_elements(_huber, y.shape, y, target, weights, loss, dy, delta)


def log_cosh(y, target, weights, loss, dy):
    """Log cosh(y - t)."""
    add_elements(_log_cosh, y.shape, y, target, weights, loss, dy)


def quantile(y, target, weights, loss, dy, levels):
    """max(q e, (q - 1) e) with e = t - y."""
    add_elements(_quantile, y.shape, y, target, weights, loss, dy, levels)


def gaussian_nll(y, target, weights, loss, dy):
    """(log 2π + s + (t - μ)² exp(-s)) / 2."""
    add_elements(_gaussian_nll, target.shape, y, target, weights, loss, dy)


def add_elements(kernel, shape, y, target, weights, loss, dy, *options):
    """Run a loss's kernel over all elements and sum up what its threads find.

    kernel: takes (y, target, weights, weighted, partial, dy, columns, size, *options)
    shape: (R, N), which the elements have
    """
    rows, columns = shape
    partial = partial_sums(rows * columns)
    weighted, weights = weights is not None, y if weights is None else weights
    kernel.launch(
        y.dtype, blocks_for(rows * columns), y, target, weights, int(weighted), partial, dy, columns,
        rows * columns, *options,
    )  # fmt: skip
    sum_all(partial, loss, 1 / columns)


@device_function
def weight_of(y, weights, weighted, row):
    """The row's weight."""
    return weights[row] if weighted else type(y[0])(1)


@kernel("real* real* real* int float* real* int int")
def _mse(y, target, weights, weighted, partial, dy, columns, size):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        weight = weight_of(y, weights, weighted, k // columns)
        real = type(weight)
        slope = real(0)
        if weight != real(0):
            error = y[k] - target[k]
            total += float64(weight * error * error)
            slope = real(2) * weight * error / real(size)
        dy[k] = slope
    partial[cuda.grid(1)] = total


@kernel("real* real* real* int float* real* int int")
def _mae(y, target, weights, weighted, partial, dy, columns, size):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        weight = weight_of(y, weights, weighted, k // columns)
        real = type(weight)
        slope = real(0)
        if weight != real(0):
            error = y[k] - target[k]
            total += float64(weight * abs(error))
            # NaN, which no comparison holds for, must stay NaN.
            sign = real(1) if error > real(0) else real(-1) if error < real(0) else real(0) * error
            slope = weight * sign / real(size)
        dy[k] = slope
    partial[cuda.grid(1)] = total


@kernel("real* real* real* int float* real* int int float")
def _huber(y, target, weights, weighted, partial, dy, columns, size, delta):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        weight = weight_of(y, weights, weighted, k // columns)
        real = type(weight)
        slope = real(0)
        if weight != real(0):
            error, bound = y[k] - target[k], real(delta)
            if abs(error) > bound:
                total += float64(weight * bound * (abs(error) - real(0.5) * bound))
                error = bound if error > real(0) else -bound
            else:
                total += float64(weight * real(0.5) * error * error)
            slope = weight * error / real(size)
        dy[k] = slope
    partial[cuda.grid(1)] = total


@kernel("real* real* real* int float* real* int int")
def _log_cosh(y, target, weights, weighted, partial, dy, columns, size):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        weight = weight_of(y, weights, weighted, k // columns)
        real = type(weight)
        slope = real(0)
        if weight != real(0):
            error = y[k] - target[k]
            tangent = real(math.tanh(error))
            # The second form loses all digits of a small error, the first all of a large one.
            if abs(error) < real(1):
                value = real(-0.5) * real(math.log1p(-tangent * tangent))
            else:
                value = abs(error) + real(math.log1p(math.exp(real(-2) * abs(error)))) - real(_LOG_2)
            total += float64(weight * value)
            slope = weight * tangent / real(size)
        dy[k] = slope
    partial[cuda.grid(1)] = total


@kernel("real* real* real* int float* real* int int real*")
def _quantile(y, target, weights, weighted, partial, dy, columns, size, levels):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        row = k // columns
        weight = weight_of(y, weights, weighted, row)
        real = type(weight)
        slope = real(0)
        if weight != real(0):
            error, level = target[row] - y[k], levels[k % columns]
            rate = level if error > real(0) else level - real(1) if error < real(0) else real(0) * error
            total += float64(weight * rate * error)
            slope = -weight * rate / real(size)
        dy[k] = slope
    partial[cuda.grid(1)] = total


@kernel("real* real* real* int float* real* int int")
def _gaussian_nll(y, target, weights, weighted, partial, dy, columns, size):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        row = k // columns
        weight = weight_of(y, weights, weighted, row)
        real = type(weight)
        mean_at = k + row * columns
        slope, log_slope = real(0), real(0)
        if weight != real(0):
            error, log_variance = y[mean_at] - target[k], y[mean_at + columns]
            if log_variance < real(_LEAST_LOG_VARIANCE):
                log_variance = real(_LEAST_LOG_VARIANCE)
            precision = real(math.exp(-log_variance))
            square = error * error * precision
            total += float64(weight * (real(_HALF_LOG_2PI) + real(0.5) * (log_variance + square)))
            slope = weight * error * precision / real(size)
            log_slope = weight * real(0.5) * (real(1) - square) / real(size)
        dy[mean_at], dy[mean_at + columns] = slope, log_slope
    partial[cuda.grid(1)] = total
