"""Losses of numbers: each adds its value to `loss` and writes the gradient of its mean to `dy`.

All losses, the cross-entropies too, share the loop over rows, `_add_losses`. Each has its own function for a row. Most
losses of numbers take the mean of a row's elements, and have their own function for an element.
"""

import math

import numpy as np
from numba import njit

from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.replay import call

__all__ = ["gaussian_nll", "huber", "log_cosh", "mae", "mse", "quantile"]

BLOCK_ROWS = 64
"""Rows whose losses are summed together. Threads share whole blocks, so that no sum depends on their number."""

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_LEAST_LOG_VARIANCE = math.log(1e-6)


# Elements: functions of (y, target, options, column) that return value and slope. The gradient is computed in the
# slope's type. They select values rather than branch, because the sign of an error is unpredictable.


@njit(inline="always")
def _squared_error(y, target, options, column):
    error = y - target
    return error * error, error + error


@njit(inline="always")
def _absolute_error(y, target, options, column):
    error = y - target
    # The sign of 0 is 0, and that of NaN is NaN.
    return abs(error), math.copysign(1.0, error) if error < 0.0 or error > 0.0 else error


@njit(inline="always")
def _huber_error(y, target, options, column):
    error, delta = np.float64(y - target), options[0]
    value, slope = 0.5 * error * error, error
    if abs(error) > delta:
        value, slope = delta * (abs(error) - 0.5 * delta), math.copysign(delta, error)
    return value, slope


@njit(inline="always")
def _log_cosh_error(y, target, options, column):
    error = np.float64(y - target)
    tangent = math.tanh(error)
    # The second form loses all digits of a small error, the first form those of a large one.
    if abs(error) < 1.0:
        return -0.5 * math.log1p(-tangent * tangent), tangent
    return abs(error) + math.log1p(math.exp(-2.0 * abs(error))) - math.log(2.0), tangent


@njit(inline="always")
def _pinball_error(y, target, options, column):
    error, level = np.float64(target - y), np.float64(options[0][column])
    # The rate is the level for a positive error, level - 1 for a negative one, and the error itself for 0 or NaN.
    rate = level - (0.5 - math.copysign(0.5, error)) if error < 0.0 or error > 0.0 else error
    return rate * error, -rate


# Rows: functions of (y, target, row, weight, dy, options) that write the row's gradient and return its weighted value.


def _mean_of(value_and_slope):
    """Make the function for a row that takes the mean of its elements. One target column serves all columns of y."""

    @njit(inline="always")
    def row_loss(y, target, row, weight, dy, options):
        rows, columns = y.shape
        mean = 1.0 / columns
        scale = weight * mean / rows
        total = 0.0
        for column in range(columns):
            at = column if target.shape[1] > 1 else 0
            value, slope = value_and_slope(y[row, column], target[row, at], options, column)
            total += value
            dy[row, column] = type(slope)(scale) * slope
        return weight * mean * total

    return row_loss


@njit(inline="always")
def _gaussian_nll_row(y, target, row, weight, dy, options):
    rows, columns = target.shape
    mean = 1.0 / columns
    scale = weight * mean / rows
    total = 0.0
    for column in range(columns):
        error = np.float64(y[row, column] - target[row, column])
        log_variance = np.float64(y[row, columns + column])
        if log_variance < _LEAST_LOG_VARIANCE:
            log_variance = _LEAST_LOG_VARIANCE
        precision = math.exp(-log_variance)
        square = error * error * precision
        total += _HALF_LOG_2PI + 0.5 * (log_variance + square)
        dy[row, column] = scale * error * precision
        dy[row, columns + column] = scale * 0.5 * (1.0 - square)
    return weight * mean * total


row_loss = None
"""The function that `_add_losses` calls for a row. `loss_kernel` binds it for each kernel."""


def _add_losses(y, target, weights, sums, dy, options, chunk, chunks):
    """Add each row's loss to the sum of its block of rows. A row of weight 0 is not read."""
    begin, end = part_of(sums.size, chunk, chunks)
    for row in range(begin * BLOCK_ROWS, min(end * BLOCK_ROWS, len(y))):
        weight = np.float64(weights[row]) if weights.size else 1.0
        if weight != 0.0:
            sums[row // BLOCK_ROWS] += row_loss(y, target, row, weight, dy, options)
        else:
            for column in range(dy.shape[1]):
                dy[row, column] = 0.0


def loss_kernel(name, row_loss, options="none", target="real2C"):
    """Make the kernel of a loss.

    row_loss: the row's function
    options: the type of the options, a tuple or None, as for `kernel`
    target: the type of the target, as for `kernel`
    """
    signature = f"real2C {target} real1C float1C real2C {options} int int"
    return kernel(signature)(_add_losses).specialize(name, row_loss=row_loss)


_mse = loss_kernel("mse", _mean_of(_squared_error))
_mae = loss_kernel("mae", _mean_of(_absolute_error))
_huber = loss_kernel("huber", _mean_of(_huber_error), options="(float)")
_log_cosh = loss_kernel("log_cosh", _mean_of(_log_cosh_error))
_quantile = loss_kernel("quantile", _mean_of(_pinball_error), options="(real1C)")
_gaussian_nll = loss_kernel("gaussian_nll", _gaussian_nll_row)


def add_rows(kernel, operations, y, target, weights, loss, dy, *options):
    """Run a loss's kernel over all rows and add the sums of its blocks to the loss.

    operations: the operations for each element, for `threads_for`
    """
    blocks = -(-len(y) // BLOCK_ROWS)
    sums = loss
    if blocks > 1:
        sums = np.empty(blocks)
        call(sums.fill, 0.0)
    weights = np.empty(0, y.dtype) if weights is None else weights
    chunks = threads_for(operations * y.size, blocks)
    kernel.share(y.dtype, chunks, y, target, weights, sums, dy, options or None)
    if sums is not loss:
        call(add_sum, sums, loss)


def add_sum(sums, loss):
    """Add the sum of an array to the loss."""
    loss[0] += np.add.reduce(sums)


@runs(_mse)
def mse(y, target, weights, loss, dy):
    """(y - t)²."""
    add_rows(_mse, 2, y, target, weights, loss, dy)


@runs(_mae)
def mae(y, target, weights, loss, dy):
    """|y - t|."""
    add_rows(_mae, 2, y, target, weights, loss, dy)


@runs(_huber)
def huber(y, target, weights, loss, dy, delta):
    """e²/2 where |e| <= δ, else δ (|e| - δ/2)."""
    add_rows(_huber, 4, y, target, weights, loss, dy, delta)


@runs(_log_cosh)
def log_cosh(y, target, weights, loss, dy):
    """Log cosh(y - t)."""
    add_rows(_log_cosh, 60, y, target, weights, loss, dy)


@runs(_quantile)
def quantile(y, target, weights, loss, dy, levels):
    """max(q e, (q - 1) e) with e = t - y."""
    add_rows(_quantile, 4, y, target, weights, loss, dy, levels)


@runs(_gaussian_nll)
def gaussian_nll(y, target, weights, loss, dy):
    """(log 2π + s + (t - μ)² exp(-s)) / 2."""
    add_rows(_gaussian_nll, 30, y, target, weights, loss, dy)
