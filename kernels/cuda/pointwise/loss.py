"""Losses of numbers: each adds its value to `loss` and writes the gradient of its mean to `dy`.

Most losses share the loop over elements, `_add_losses`. Each has its own function for an element.
"""

import math

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.products.matmul import partial_sums, sum_all
from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, device_function, kernel, runs, template

__all__ = ["gaussian_nll", "huber", "log_cosh", "mae", "mse", "quantile"]

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_LOG_2 = math.log(2.0)
_LEAST_LOG_VARIANCE = math.log(1e-6)


# Elements: functions of (y, target, option, column) that return value and slope.


@device_function
def _squared_error(y, target, option, column):
    error = y - target
    return error * error, error + error


@device_function
def _absolute_error(y, target, option, column):
    real, error = type(y), y - target
    # All comparisons with NaN are false, and NaN must stay NaN.
    return abs(error), real(1) if error > real(0) else real(-1) if error < real(0) else real(0) * error


@device_function
def _huber_error(y, target, option, column):
    real, error = type(y), y - target
    delta = real(option)
    if abs(error) > delta:
        return delta * (abs(error) - real(0.5) * delta), delta if error > real(0) else -delta
    return real(0.5) * error * error, error


@device_function
def _log_cosh_error(y, target, option, column):
    real, error = type(y), y - target
    tangent = real(math.tanh(error))
    # The second form loses all digits of a small error, the first form those of a large one.
    if abs(error) < real(1):
        return real(-0.5) * real(math.log1p(-tangent * tangent)), tangent
    return abs(error) + real(math.log1p(math.exp(real(-2) * abs(error)))) - real(_LOG_2), tangent


@device_function
def _pinball_error(y, target, option, column):
    real, error, level = type(y), target - y, option[column]
    # All comparisons with NaN are false, and NaN must stay NaN.
    rate = level if error > real(0) else level - real(1) if error < real(0) else real(0) * error
    return rate * error, -rate


@device_function
def weight_of(y, weights, weighted, row):
    """The row's weight."""
    return weights[row] if weighted else type(y[0])(1)


def _add_losses(real, value_and_slope, one_target):
    """Sum the losses of the elements that a thread visits. Rows of weight 0 are not read.

    one_target: whether all columns of a row have one target
    """

    def add_losses(y, target, weights, weighted, partial, dy, columns, size, option):
        total = 0.0
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            row, slope = k // columns, real(0)
            weight = weight_of(y, weights, weighted, row)
            if weight != real(0):
                value, slope = value_and_slope(y[k], target[row if one_target else k], option, k % columns)
                total += float64(weight * value)
                slope = weight * slope / real(size)
            dy[k] = slope
        partial[cuda.grid(1)] = total

    return add_losses, THREADS, 0


def loss_kernel(value_and_slope, option="float", one_target=False):
    """Make the kernel of a loss.

    value_and_slope: the element's function
    option: the type of its option, as for `kernel`
    one_target: whether all columns of a row have one target
    """
    return template(f"real* real* real* int float* real* int int {option}")(_add_losses)[value_and_slope, one_target]


_mse = loss_kernel(_squared_error)
_mae = loss_kernel(_absolute_error)
_huber = loss_kernel(_huber_error)
_log_cosh = loss_kernel(_log_cosh_error)
_quantile = loss_kernel(_pinball_error, option="real*", one_target=True)


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


def add_elements(kernel, y, target, weights, loss, dy, option=0.0):
    """Run a kernel made by `loss_kernel` over all elements, and add the sums of its threads to the loss.

    option: the option of the element's function; most functions ignore it
    """
    _add(kernel, y.shape, y, target, weights, loss, dy, option)


def _add(kernel, shape, y, target, weights, loss, dy, *options):
    rows, columns = shape
    partial = partial_sums(rows * columns)
    weighted, weights = weights is not None, y if weights is None else weights
    kernel.launch(
        y.dtype, blocks_for(rows * columns), y, target, weights, int(weighted), partial, dy, columns,
        rows * columns, *options,
    )  # fmt: skip
    sum_all(partial, loss, 1 / columns)


@runs(_mse, *sum_all.kernels_used)
def mse(y, target, weights, loss, dy):
    """(y - t)²."""
    add_elements(_mse, y, target, weights, loss, dy)


@runs(_mae, *sum_all.kernels_used)
def mae(y, target, weights, loss, dy):
    """|y - t|."""
    add_elements(_mae, y, target, weights, loss, dy)


@runs(_huber, *sum_all.kernels_used)
def huber(y, target, weights, loss, dy, delta):
    """e²/2 where |e| <= δ, else δ (|e| - δ/2)."""
    add_elements(_huber, y, target, weights, loss, dy, delta)


@runs(_log_cosh, *sum_all.kernels_used)
def log_cosh(y, target, weights, loss, dy):
    """Log cosh(y - t)."""
    add_elements(_log_cosh, y, target, weights, loss, dy)


@runs(_quantile, *sum_all.kernels_used)
def quantile(y, target, weights, loss, dy, levels):
    """max(q e, (q - 1) e) with e = t - y."""
    add_elements(_quantile, y, target, weights, loss, dy, levels)


@runs(_gaussian_nll, *sum_all.kernels_used)
def gaussian_nll(y, target, weights, loss, dy):
    """(log 2π + s + (t - μ)² exp(-s)) / 2."""
    _add(_gaussian_nll, target.shape, y, target, weights, loss, dy)
