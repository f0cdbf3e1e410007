"""Cross-entropies: each adds its value to the scalar of the pass and writes the gradient of its mean."""

import math

import numpy as np
from numba import njit

from numlstm.kernels.cpu.pointwise.activation import exp
from numlstm.kernels.cpu.pointwise.loss import BLOCK_ROWS, add_rows, rows_of, weight_of
from numlstm.kernels.cpu.runtime.launch import kernel
from numlstm.kernels.cpu.runtime.vector import lanes_of, load_part, spread, store_part

_EPSILON = 1e-7
_OPERATIONS = 40  # What an element costs, when threads are counted.


def binary_crossentropy(y, target, weights, loss, dy, from_logits, label_smoothing):
    """-t log p - (1 - t) log(1 - p)."""
    add_rows(_binary, _OPERATIONS, y, target, weights, loss, dy, from_logits, label_smoothing)


def categorical_crossentropy(y, target, weights, loss, dy, from_logits, label_smoothing):
    """-Σ t log p."""
    add_rows(_categorical, _OPERATIONS, y, target, weights, loss, dy, from_logits, label_smoothing)


def sparse_categorical_crossentropy(y, target, weights, loss, dy, from_logits):
    """-log p of the target's class."""
    add_rows(_sparse, _OPERATIONS, y, target, weights, loss, dy, from_logits)


@njit(inline="always")
def _bounds(array):
    """[ε, 1 - ε] as numbers of the array's dtype."""
    kind = array.dtype.type
    return np.float64(kind(_EPSILON)), np.float64(kind(1.0 - _EPSILON))


@njit(inline="always")
def _sum(y, row):
    total = 0.0
    for column in range(y.shape[1]):
        total += y[row, column]
    return total


@njit(inline="always")
def _powers(y, row, dy):
    """(max y, Σ exp(y - max y)) of a row, the powers themselves in dy."""
    columns = y.shape[1]
    largest = y[row, 0]
    for column in range(1, columns):
        largest = max(largest, y[row, column])
    shift, lane_count = spread(largest), lanes_of(y)
    for column in range(0, columns, lane_count):
        count = min(lane_count, columns - column)
        power = exp(load_part(y, row * columns + column, count) - shift)
        store_part(dy, row * columns + column, power, count)
    return largest, _sum(dy, row)


@kernel("real2C real2C real1C float1C real2C bool float int int")
def _binary(y, target, weights, sums, dy, from_logits, smoothing, chunk, chunks):
    rows, columns = y.shape
    least, most = _bounds(dy)
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = weight / (rows * columns)
        total = 0.0
        for column in range(columns):
            t = target[row, column] * (1.0 - smoothing) + 0.5 * smoothing
            if from_logits:
                z = np.float64(y[row, column])
                power = math.exp(-abs(z))
                total += max(z, 0.0) - z * t + math.log1p(power)
                dy[row, column] = slope * ((1.0 if z >= 0.0 else power) / (1.0 + power) - t)
            else:
                p = np.float64(y[row, column])
                clipped = p < least or p > most
                # Not min and max: NaN must stay NaN.
                p = least if p < least else most if p > most else p
                total -= t * math.log(p) + (1.0 - t) * math.log(1.0 - p)
                dy[row, column] = 0.0 if clipped else slope * (p - t) / (p * (1.0 - p))
        sums[row // BLOCK_ROWS] += weight * total / columns


@kernel("real2C real2C real1C float1C real2C bool float int int")
def _categorical(y, target, weights, sums, dy, from_logits, smoothing, chunk, chunks):
    rows, columns = y.shape
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = weight / rows
        value, everything = 0.0, 0.0
        if from_logits:
            largest, total = _powers(y, row, dy)
            log_total = math.log(total)
            for column in range(columns):
                t = target[row, column] * (1.0 - smoothing) + smoothing / columns
                everything += t
                value += t * (log_total - (y[row, column] - largest))
            for column in range(columns):
                t = target[row, column] * (1.0 - smoothing) + smoothing / columns
                dy[row, column] = slope * (dy[row, column] / total * everything - t)
        else:
            total = _sum(y, row)
            least, most = _bounds(dy)
            for column in range(columns):
                t = target[row, column] * (1.0 - smoothing) + smoothing / columns
                p = y[row, column] / total
                if t != 0.0:
                    value -= t * math.log(least if p < least else most if p > most else p)
                if not (p < least or p > most):
                    everything += t
            for column in range(columns):
                t = target[row, column] * (1.0 - smoothing) + smoothing / columns
                p = y[row, column] / total
                passed = 0.0 if p < least or p > most else t / p
                dy[row, column] = slope * (everything - passed) / total
        sums[row // BLOCK_ROWS] += weight * value


@kernel("real2C int1C real1C float1C real2C bool int int")
def _sparse(y, target, weights, sums, dy, from_logits, chunk, chunks):
    rows, columns = y.shape
    begin, end = rows_of(rows, sums.size, chunk, chunks)
    for row in range(begin, end):
        weight = weight_of(weights, row, dy)
        if weight == 0.0:
            continue
        slope = weight / rows
        label = target[row]
        if from_logits:
            largest, total = _powers(y, row, dy)
            value = math.log(total) - (y[row, label] - largest)
            share = dy.dtype.type(slope / total)
            for column in range(columns):
                dy[row, column] *= share
            dy[row, label] -= slope
        else:
            total = _sum(y, row)
            least, most = _bounds(dy)
            p = y[row, label] / total
            clipped = p < least or p > most
            value = -math.log(least if p < least else most if p > most else p)
            for column in range(columns):
                dy[row, column] = 0.0 if clipped else slope / total
            dy[row, label] -= 0.0 if clipped else slope / (p * total)
        sums[row // BLOCK_ROWS] += weight * value
