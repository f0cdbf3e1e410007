"""Activations of single elements, and softmax over rows, on vectors."""

import math

from numlstm.kernels import ACTIVATIONS
from numlstm.kernels.cpu.cells.activation import any_activation, any_slope, exp
from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.cpu.runtime.vector import (
    fma,
    lanes_of,
    largest_of,
    load,
    load_part,
    spread,
    store_part,
    sum_of,
    where_less,
    zero,
)

__all__ = ["activate", "activate_backward", "softmax", "softmax_backward"]

_OPERATIONS = 20  # Operations for each element, for `threads_for`.


@kernel("real1K real1C int int int")
def _activate(x, y, activation, chunk, chunks):
    begin, end = part_of(x.size, chunk, chunks)
    lane_count = lanes_of(x)
    for at in range(begin, end, lane_count):
        live = min(lane_count, end - at)
        store_part(y, at, any_activation(load_part(x, at, live), activation), live)


@kernel("real1C real1C real1C int int int")
def _activate_backward(y, dy, dx, activation, chunk, chunks):
    begin, end = part_of(y.size, chunk, chunks)
    lane_count = lanes_of(y)
    for at in range(begin, end, lane_count):
        live = min(lane_count, end - at)
        store_part(dx, at, load_part(dy, at, live) * any_slope(load_part(y, at, live), activation), live)


@kernel("real2K real2C int int")
def _softmax(x, y, chunk, chunks):
    rows, columns = x.shape
    begin, end = part_of(rows, chunk, chunks)
    lane_count = lanes_of(x)
    whole = columns - columns % lane_count
    for row in range(begin, end):
        first = row * columns
        largest = x.dtype.type(-math.inf)
        if whole:
            many = load(x, first)
            for column in range(lane_count, whole, lane_count):
                value = load(x, first + column)
                many = where_less(many, value, value, many)
            largest = largest_of(many)
        for column in range(whole, columns):
            largest = max(largest, x[row, column])
        shift, total = spread(largest), zero(x)
        for column in range(0, columns, lane_count):
            live = min(lane_count, columns - column)
            value = exp(load_part(x, first + column, live) - shift)
            store_part(y, first + column, value, live)
            total = total + load_part(y, first + column, live)
        divisor = spread(sum_of(total))
        for column in range(0, columns, lane_count):
            live = min(lane_count, columns - column)
            store_part(y, first + column, load_part(y, first + column, live) / divisor, live)


@kernel("real2C real2C real2C int int")
def _softmax_backward(y, dy, dx, chunk, chunks):
    rows, columns = y.shape
    begin, end = part_of(rows, chunk, chunks)
    lane_count = lanes_of(y)
    for row in range(begin, end):
        first = row * columns
        total = zero(y)
        for at in range(first, first + columns, lane_count):
            live = min(lane_count, first + columns - at)
            total = fma(load_part(y, at, live), load_part(dy, at, live), total)
        mean = spread(sum_of(total))
        for at in range(first, first + columns, lane_count):
            live = min(lane_count, first + columns - at)
            store_part(dx, at, load_part(y, at, live) * (load_part(dy, at, live) - mean), live)


@runs(_activate)
def activate(x, y, activation):
    """y = φ(x)."""
    chunks = threads_for(_OPERATIONS * x.size, x.size)
    _activate.share(x.dtype, chunks, x.reshape(-1), y.reshape(-1), ACTIVATIONS.index(activation))


@runs(_activate_backward)
def activate_backward(y, dy, dx, activation):
    """dx = dy ⊙ φ'(x)."""
    chunks = threads_for(_OPERATIONS * y.size, y.size)
    arrays = (array.reshape(-1) for array in (y, dy, dx))
    _activate_backward.share(y.dtype, chunks, *arrays, ACTIVATIONS.index(activation))


@runs(_softmax)
def softmax(x, y):
    """y = exp(x - max x) / Σ exp(x - max x)."""
    _softmax.share(x.dtype, threads_for(_OPERATIONS * x.size, len(x)), x, y)


@runs(_softmax_backward)
def softmax_backward(y, dy, dx):
    """dx = y ⊙ (dy - Σ dy ⊙ y)."""
    _softmax_backward.share(y.dtype, threads_for(4 * y.size, len(y)), y, dy, dx)
