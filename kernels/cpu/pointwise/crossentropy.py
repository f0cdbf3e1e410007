"""Cross-entropies: each adds its value to `loss` and writes the gradient of its mean to `dy`."""

import math

import numpy as np
from numba import njit

from numlstm.kernels.cpu.cells.activation import exp
from numlstm.kernels.cpu.pointwise.loss import add_rows, loss_kernel
from numlstm.kernels.cpu.runtime.launch import runs
from numlstm.kernels.cpu.runtime.vector import lanes_of, load_part, spread, store_part
from numlstm.kernels.replay import call

__all__ = [
    "binary_crossentropy", "categorical_crossentropy", "sampled_softmax", "sparse_categorical_crossentropy",
]  # fmt: skip

_EPSILON = 1e-7
_OPERATIONS = 40  # Operations for each element, for `threads_for`.


@njit(inline="always")
def _smooth(target, smoothing, classes):
    return target * (1.0 - smoothing) + smoothing / classes


@njit(inline="always")
def _bounds(array):
    """[ε, 1 - ε] as numbers of the array's dtype."""
    real = array.dtype.type
    return np.float64(real(_EPSILON)), np.float64(real(1.0 - _EPSILON))


@njit(inline="always")
def _clip(p, least, most):
    """Clip p without min and max, so that NaN stays NaN."""
    return least if p < least else most if p > most else p


@njit(inline="always")
def _sum(y, row):
    total = 0.0
    for column in range(y.shape[1]):
        total += y[row, column]
    return total


@njit(inline="always")
def powers(y, row, dy):
    """Return (max y, Σ exp(y - max y)) of a row, and write the powers to dy."""
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


@njit(inline="always")
def _sum_logits(y, target, row, smoothing, largest, log_total):
    """(-Σ t log p, Σ t) of a row."""
    columns = y.shape[1]
    value, everything = 0.0, 0.0
    for column in range(columns):
        t = _smooth(target[row, column], smoothing, columns)
        everything += t
        value += t * (log_total - (y[row, column] - largest))
    return value, everything


# Functions of a row, as in loss.py: for logits, and for probabilities.


@njit(inline="always")
def _binary_logits_row(y, target, row, weight, dy, options):
    rows, columns = y.shape
    slope = weight / (rows * columns)
    total = 0.0
    for column in range(columns):
        t = _smooth(target[row, column], options[0], 2)
        z = np.float64(y[row, column])
        power = math.exp(-abs(z))
        total += max(z, 0.0) - z * t + math.log1p(power)
        dy[row, column] = slope * ((1.0 if z >= 0.0 else power) / (1.0 + power) - t)
    return weight * total / columns


@njit(inline="always")
def _binary_row(y, target, row, weight, dy, options):
    rows, columns = y.shape
    least, most = _bounds(dy)
    slope = weight / (rows * columns)
    total = 0.0
    for column in range(columns):
        t = _smooth(target[row, column], options[0], 2)
        p = np.float64(y[row, column])
        clipped = p < least or p > most
        p = _clip(p, least, most)
        total -= t * math.log(p) + (1.0 - t) * math.log(1.0 - p)
        dy[row, column] = 0.0 if clipped else slope * (p - t) / (p * (1.0 - p))
    return weight * total / columns


@njit(inline="always")
def _categorical_logits_row(y, target, row, weight, dy, options):
    rows, columns = y.shape
    slope = weight / rows
    largest, total = powers(y, row, dy)
    value, everything = _sum_logits(y, target, row, options[0], largest, math.log(total))
    for column in range(columns):
        t = _smooth(target[row, column], options[0], columns)
        dy[row, column] = slope * (dy[row, column] / total * everything - t)
    return weight * value


@njit(inline="always")
def _categorical_row(y, target, row, weight, dy, options):
    rows, columns = y.shape
    slope = weight / rows
    total = _sum(y, row)
    least, most = _bounds(dy)
    value, everything = 0.0, 0.0
    for column in range(columns):
        t = _smooth(target[row, column], options[0], columns)
        p = y[row, column] / total
        if t != 0.0:
            value -= t * math.log(_clip(p, least, most))
        if not (p < least or p > most):
            everything += t
    for column in range(columns):
        t = _smooth(target[row, column], options[0], columns)
        p = y[row, column] / total
        passed = 0.0 if p < least or p > most else t / p
        dy[row, column] = slope * (everything - passed) / total
    return weight * value


@njit(inline="always")
def _sparse_logits_row(y, target, row, weight, dy, options):
    rows, columns = y.shape
    slope = weight / rows
    label = target[row]
    largest, total = powers(y, row, dy)
    share = dy.dtype.type(slope / total)
    for column in range(columns):
        dy[row, column] *= share
    dy[row, label] -= slope
    return weight * (math.log(total) - (y[row, label] - largest))


@njit(inline="always")
def _sparse_row(y, target, row, weight, dy, options):
    rows, columns = y.shape
    slope = weight / rows
    label = target[row]
    total = _sum(y, row)
    least, most = _bounds(dy)
    p = y[row, label] / total
    clipped = p < least or p > most
    for column in range(columns):
        dy[row, column] = 0.0 if clipped else slope / total
    dy[row, label] -= 0.0 if clipped else slope / (p * total)
    return weight * -math.log(_clip(p, least, most))


@njit(inline="always")
def _find(classes, label):
    """The number of the first class that is not below the label."""
    low, high = 0, len(classes)
    while low < high:
        middle = (low + high) // 2
        if classes[middle] < label:
            low = middle + 1
        else:
            high = middle
    return low


@njit(inline="always")
def _sampled_row(y, target, row, weight, dy, options):
    classes, corrections, log_inclusion = options
    rows, columns = y.shape
    last, label = columns - 1, target[row]
    own = y[row, last] - log_inclusion[label]
    for k in range(last):
        dy[row, k] = y[row, k] - corrections[k]
    dy[row, last] = own
    found = _find(classes, label)
    if found < last and classes[found] == label:
        dy[row, found] = -math.inf
    largest, total = powers(dy, row, dy)
    slope = weight / rows
    share = dy.dtype.type(slope / total)
    for column in range(columns):
        dy[row, column] *= share
    dy[row, last] -= slope
    return weight * (math.log(total) - (own - largest))


_binary_of_logits = loss_kernel("binary_logits", _binary_logits_row, options="(float)")
_binary = loss_kernel("binary", _binary_row, options="(float)")
_categorical_of_logits = loss_kernel("categorical_logits", _categorical_logits_row, options="(float)")
_categorical = loss_kernel("categorical", _categorical_row, options="(float)")
_sparse_of_logits = loss_kernel("sparse_logits", _sparse_logits_row, target="int1C")
_sparse = loss_kernel("sparse", _sparse_row, target="int1C")
_sampled = loss_kernel("sampled", _sampled_row, options="(int1C,real1C,real1C)", target="int1C")


@runs(_binary_of_logits, _binary)
def binary_crossentropy(y, target, weights, loss, dy, from_logits, label_smoothing):
    """-t log p - (1 - t) log(1 - p)."""
    kernel = _binary_of_logits if from_logits else _binary
    add_rows(kernel, _OPERATIONS, y, target, weights, loss, dy, label_smoothing)


@runs(_categorical_of_logits, _categorical)
def categorical_crossentropy(y, target, weights, loss, dy, from_logits, label_smoothing):
    """-Σ t log p."""
    kernel = _categorical_of_logits if from_logits else _categorical
    add_rows(kernel, _OPERATIONS, y, target, weights, loss, dy, label_smoothing)


@runs(_sparse_of_logits, _sparse)
def sparse_categorical_crossentropy(y, target, weights, loss, dy, from_logits):
    """-log p of the target's class."""
    add_rows(_sparse_of_logits if from_logits else _sparse, _OPERATIONS, y, target, weights, loss, dy)


@runs(_sampled)
def sampled_softmax(y, classes, weights, loss, dy):
    """-log p of the row's own class."""
    corrections = np.empty(len(classes.classes), y.dtype)
    call(np.take, classes.log_inclusion, classes.classes, 0, corrections, "clip")
    options = classes.classes, corrections, classes.log_inclusion
    add_rows(_sampled, _OPERATIONS, y, classes.labels, weights, loss, dy, *options)
