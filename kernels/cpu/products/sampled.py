"""The Dense layer before a softmax of sampled classes: their columns make a small product."""

import numpy as np

from numlstm.kernels.cpu.products.dense import multiply, multiply_panels, pack, pack_matrix
from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.cpu.runtime.memory import workspace
from numlstm.kernels.replay import call

__all__ = ["sampled_dense_backward", "sampled_dense_forward"]

_SIDE = 16
"""Rows, or features, that are computed side by side: a cache line of each row stays in the L1 cache meanwhile."""
_ACCESS = 8  # Operations in the time of one access to a number of a label's column, for `threads_for`.


@kernel("real2C int1C real2C int int")
def _gather(matrix, classes, columns, chunk, chunks):
    """Copy the columns of the classes."""
    begin, end = part_of(len(matrix), chunk, chunks)
    for feature in range(begin, end):
        for k in range(len(classes)):
            columns[feature, k] = matrix[feature, classes[k]]


@kernel("real2R real2C real1R int1C real2C int int")
def _label_logits(x, matrix, bias, labels, y, chunk, chunks):
    """Write x K_t + b_t of each row to its last number."""
    begin, end = part_of(len(x), chunk, chunks)
    last = y.shape[1] - 1
    for first in range(begin, end, _SIDE):
        stop = min(first + _SIDE, end)
        for row in range(first, stop):
            y[row, last] = bias[labels[row]]
        for feature in range(x.shape[1]):
            for row in range(first, stop):
                y[row, last] += x[row, feature] * matrix[feature, labels[row]]


@kernel("real2R real2C int1C int1C real2R real2C int int")
def _spread(x, dy, labels, classes, part, gradient, chunk, chunks):
    """Write dK for a chunk of the features: zeros, the part of the sampled classes, and dy_t x of each row's own class.

    The rows are added in their order, whatever the chunks.
    """
    begin, end = part_of(len(gradient), chunk, chunks)
    last = dy.shape[1] - 1
    for first in range(begin, end, _SIDE):
        stop = min(first + _SIDE, end)
        for feature in range(first, stop):
            for k in range(gradient.shape[1]):
                gradient[feature, k] = 0.0
            for k in range(len(classes)):
                gradient[feature, classes[k]] = part[feature, k]
        for row in range(len(labels)):
            slope, label = dy[row, last], labels[row]
            for feature in range(first, stop):
                gradient[feature, label] += slope * x[row, feature]


@kernel("real2C real2C int1C real2A int int")
def _add_label_columns(dy, matrix, labels, dx, chunk, chunks):
    """Add dy_t K_t to dx of each row."""
    begin, end = part_of(len(dx), chunk, chunks)
    last = dy.shape[1] - 1
    for first in range(begin, end, _SIDE):
        stop = min(first + _SIDE, end)
        for feature in range(dx.shape[1]):
            for row in range(first, stop):
                dx[row, feature] += dy[row, last] * matrix[feature, labels[row]]


def _columns_of(weights, classes, dtype):
    """The columns of the sampled classes, [F, S]."""
    features, samples = weights.kernel.shape[0], len(classes)
    columns = np.empty((features, samples), dtype)
    chunks = threads_for(_ACCESS * columns.size, features)
    _gather.share(dtype, chunks, weights.kernel, classes, columns)
    return columns


@runs(_gather, pack_matrix, multiply_panels, _label_logits)
def sampled_dense_forward(weights, x, classes, y):
    """y_rs = x_r K_c + b_c, and y_rS = x_r K_t + b_t."""
    rows, features = x.shape
    samples, dtype = len(classes.classes), y.dtype
    bias = np.zeros(weights.kernel.shape[1], dtype) if weights.bias is None else weights.bias
    chosen = np.empty(samples, dtype)
    call(np.take, bias, classes.classes, 0, chosen, "clip")
    multiply(x, pack(_columns_of(weights, classes.classes, dtype), dtype), chosen, y[:, :samples])
    chunks = threads_for(_ACCESS * rows * features, rows)
    _label_logits.share(dtype, chunks, x, weights.kernel, bias, classes.labels, y)


@runs(_gather, pack_matrix, multiply_panels, _spread, _add_label_columns)
def sampled_dense_backward(weights, x, classes, dy, gradients):
    """dK = xᵀ dy, db = Σ dy, dx = dy Kᵀ, with the columns of the classes."""
    rows, features = x.shape
    samples, dtype = len(classes.classes), dy.dtype
    sampled = dy[:, :samples]
    part = workspace((features, samples), dtype)
    multiply(x.T, pack(sampled, dtype), np.zeros(samples, dtype), part)
    _spread_to(x, dy, classes, part, gradients.kernel)
    if gradients.bias is not None:
        part = np.empty((1, samples), dtype)
        call(np.add.reduce, sampled, 0, None, part[0])
        _spread_to(np.ones((rows, 1), dtype), dy, classes, part, gradients.bias.reshape(1, -1))
    if gradients.x is not None:
        columns = _columns_of(weights, classes.classes, dtype)
        multiply(sampled, pack(columns.T, dtype), np.zeros(features, dtype), gradients.x)
        chunks = threads_for(_ACCESS * rows * features, rows)
        _add_label_columns.share(dtype, chunks, dy, weights.kernel, classes.labels, gradients.x)


def _spread_to(x, dy, classes, part, gradient):
    chunks = threads_for(_ACCESS * x.size + gradient.size, len(gradient))
    _spread.share(gradient.dtype, chunks, x, dy, classes.labels, classes.classes, part, gradient)
