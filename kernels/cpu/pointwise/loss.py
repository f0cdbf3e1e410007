"""Losses of numbers: each adds its value to the scalar of the pass and writes the gradient of its mean."""

import math

import numpy as np
from numba import njit

from numlstm.kernels.cpu.runtime.launch import kernel, part_of, threads_for
from numlstm.kernels.tape import call

BLOCK_ROWS = 64
"""Rows whose losses are summed together. Threads share whole blocks, so that no sum depends on their number."""

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_LEAST_LOG_VARIANCE = math.log(1e-6)


def mse(y, target, weights, loss, dy):
    """(y - t)²."""
    add_rows(_mse, 2, y, target, weights, loss, dy)


def mae(y, target, weights, loss, dy):
    """|y - t|."""
    add_rows(_mae, 2, y, target, weights, loss, dy)


def huber(y, target, weights, loss, dy, delta):
    """e²/2 where |e| <= δ, else δ (|e| - δ/2)."""
    add_rows(_huber, 4, y, target, weights, loss, dy, delta)


def log_cosh(y, target, weights, loss, dy):
    """Log cosh(y - t)."""
    add_rows(_log_cosh, 60, y, target, weights, loss, dy)


def quantile(y, target, weights, loss, dy, levels):
    """max(q e, (q - 1) e) with e = t - y."""
    add_rows(_quantile, 4, y, target, weights, loss, dy, levels)


def gaussian_nll(y, target, weights, loss, dy):
    """(log 2π + s + (t - μ)² exp(-s)) / 2."""
    add_rows(_gaussian_nll, 30, y, target, weights, loss, dy)


def add_rows(kernel, operations, y, target, weights, loss, dy, *options):
    """Run a loss's kernel over all rows and sum up what it finds.

    kernel: takes (y, target, weights, sums, dy, *options), adds each row's loss to the sum of its block of rows
    operations: what an element costs, when threads are counted
    """
    blocks = -(-len(y) // BLOCK_ROWS)
    sums = loss
    if blocks > 1:
        sums = np.empty(blocks)
        call(sums.fill, 0.0)
    weights = np.empty(0, y.dtype) if weights is None else weights
    chunks = threads_for(operations * y.size, blocks)
    kernel.share(y.dtype, chunks, y, target, weights, sums, dy, *options)
    if sums is not loss:
        call(_add_sum, sums, loss)


def _add_sum(sums, loss):
    loss[0] += np.add.reduce(sums)


@njit(inline="always")
def rows_of(rows, blocks, chunk, chunks):
    """The range [begin, end) of rows that belongs to a chunk."""
    begin, end = part_of(blocks, chunk, chunks)
    return begin * BLOCK_ROWS, min(end * BLOCK_ROWS, rows)


@njit(inline="always")
def weight_of(weights, row, dy):
    """The row's weight; where it is 0 this clears the gradient, and nothing is left to do."""
    weight = np.float64(weights[row]) if weights.size else 1.0
    if weight == 0.0:
        for column in range(dy.shape[1]):
            dy[row, column] = 0.0
    return weight


@kernel("real2C real2C real1C float1C real2C int int")
def _mse(y, target, weights, sums, dy, chunk, chunks):
    rows, columns = y.shape
    mean = 1.0 / columns
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = dy.dtype.type(2.0 * weight * mean / rows)
        total = 0.0
        for column in range(columns):
            error = y[row, column] - target[row, column]
            total += error * error
            dy[row, column] = slope * error
        sums[row // BLOCK_ROWS] += weight * mean * total


@kernel("real2C real2C real1C float1C real2C int int")
def _mae(y, target, weights, sums, dy, chunk, chunks):
    rows, columns = y.shape
    mean = 1.0 / columns
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = weight * mean / rows
        total = 0.0
        for column in range(columns):
            error = y[row, column] - target[row, column]
            total += abs(error)
            # NaN, which no comparison holds for, must stay NaN.
            dy[row, column] = slope if error > 0.0 else -slope if error < 0.0 else 0.0 * error
        sums[row // BLOCK_ROWS] += weight * mean * total


@kernel("real2C real2C real1C float1C real2C float int int")
def _huber(y, target, weights, sums, dy, delta, chunk, chunks):
    rows, columns = y.shape
    mean = 1.0 / columns
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = weight * mean / rows
        total = 0.0
        for column in range(columns):
            error = np.float64(y[row, column] - target[row, column])
            if abs(error) > delta:
                total += delta * (abs(error) - 0.5 * delta)
                error = math.copysign(delta, error)
            else:
                total += 0.5 * error * error
            dy[row, column] = slope * error
        sums[row // BLOCK_ROWS] += weight * mean * total


@kernel("real2C real2C real1C float1C real2C int int")
def _log_cosh(y, target, weights, sums, dy, chunk, chunks):
    rows, columns = y.shape
    mean = 1.0 / columns
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = weight * mean / rows
        total = 0.0
        for column in range(columns):
            error = np.float64(y[row, column] - target[row, column])
            tangent = math.tanh(error)
            # The second form loses all digits of a small error, the first all of a large one.
            if abs(error) < 1.0:
                total -= 0.5 * math.log1p(-tangent * tangent)
            else:
                total += abs(error) + math.log1p(math.exp(-2.0 * abs(error))) - math.log(2.0)
            dy[row, column] = slope * tangent
        sums[row // BLOCK_ROWS] += weight * mean * total


@kernel("real2C real2C real1C float1C real2C real1C int int")
def _quantile(y, target, weights, sums, dy, levels, chunk, chunks):
    rows, columns = y.shape
    mean = 1.0 / columns
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = weight * mean / rows
        total = 0.0
        for column in range(columns):
            error = np.float64(target[row, 0] - y[row, column])
            level = np.float64(levels[column])
            rate = level if error > 0.0 else level - 1.0 if error < 0.0 else 0.0 * error
            total += rate * error
            dy[row, column] = -slope * rate
        sums[row // BLOCK_ROWS] += weight * mean * total


@kernel("real2C real2C real1C float1C real2C int int")
def _gaussian_nll(y, target, weights, sums, dy, chunk, chunks):
    rows, columns = target.shape
    mean = 1.0 / columns
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = weight * mean / rows
        total = 0.0
        for column in range(columns):
            error = np.float64(y[row, column] - target[row, column])
            log_variance = np.float64(y[row, columns + column])
            if log_variance < _LEAST_LOG_VARIANCE:
                log_variance = _LEAST_LOG_VARIANCE
            precision = math.exp(-log_variance)
            square = error * error * precision
            total += _HALF_LOG_2PI + 0.5 * (log_variance + square)
            dy[row, column] = slope * error * precision
            dy[row, columns + column] = slope * 0.5 * (1.0 - square)
        sums[row // BLOCK_ROWS] += weight * mean * total
