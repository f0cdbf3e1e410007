"""Activations, element by element and over rows, on vectors."""

import math

from numba import njit

from numlstm.kernels import ACTIVATIONS
from numlstm.kernels.cpu.cells.activation import LINEAR, cell_activation, cell_slope
from numlstm.kernels.cpu.runtime.launch import kernel, part_of, threads_for
from numlstm.kernels.cpu.runtime.vector import (
    exp_parts,
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

_OPERATIONS = 20  # What an element costs, when threads are counted.

_ELU, _SOFTPLUS, _SOFTSIGN, _EXPONENTIAL = range(LINEAR + 1, len(ACTIVATIONS))

_ATANH = tuple(1 / (2 * k + 1) for k in range(17, 0, -1))
"""atanh(s) = s + s³/3 + s⁵/5 + …: enough of its series for s up to 1/3 in float64."""


def activate(x, y, kind):
    """y = φ(x)."""
    chunks = threads_for(_OPERATIONS * x.size, x.size)
    _activate.share(x.dtype, chunks, x.reshape(-1), y.reshape(-1), ACTIVATIONS.index(kind))


def activate_backward(y, dy, dx, kind):
    """dx = dy ⊙ φ'(x)."""
    chunks = threads_for(_OPERATIONS * y.size, y.size)
    arrays = (array.reshape(-1) for array in (y, dy, dx))
    _activate_backward.share(y.dtype, chunks, *arrays, ACTIVATIONS.index(kind))


def softmax(x, y):
    """y = exp(x - max x) / Σ exp(x - max x)."""
    _softmax.share(x.dtype, threads_for(_OPERATIONS * x.size, len(x)), x, y)


def softmax_backward(y, dy, dx):
    """dx = y ⊙ (dy - Σ dy ⊙ y)."""
    _softmax_backward.share(y.dtype, threads_for(4 * y.size, len(y)), y, dy, dx)


@njit(inline="always")
def exp(x):
    """Its root squared: `exp_parts` itself stops before infinity and before zero."""
    scale, m = exp_parts(x * 0.5)
    root = fma(scale, m, scale)
    return root * root


@njit(inline="always")
def _expm1(x):
    scale, m = exp_parts(x)
    return fma(scale, m, scale - 1.0)


@njit(inline="always")
def _log1p(x):
    """log(1 + x) = 2 atanh(x / (2 + x)), for x from 0 to 1."""
    s = x / (x + 2.0)
    square = s * s
    p = square * 0.0
    for coefficient in _ATANH:
        p = (p + coefficient) * square
    return fma(s, p, s) * 2.0


@njit(inline="always")
def activated(x, kind):
    """φ(x) of a vector."""
    y = x
    if kind <= LINEAR:
        y = cell_activation(x, kind)
    elif kind == _ELU:
        y = where_less(x, 0.0, _expm1(x), x)
    elif kind == _SOFTPLUS:
        # No power overflows: of x and -x the one that is not positive is raised.
        tail = _log1p(exp(where_less(x, 0.0, x, 0.0 - x)))
        y = where_less(x, 0.0, tail, x + tail)
    elif kind == _SOFTSIGN:
        y = x / (where_less(x, 0.0, 0.0 - x, x) + 1.0)
    elif kind == _EXPONENTIAL:
        y = exp(x)
    return y


@njit(inline="always")
def slope(y, kind):
    """φ'(x) of a vector, from y = φ(x); NaN stays NaN."""
    d = y
    if kind <= LINEAR:
        d = cell_slope(y, kind)
    elif kind == _ELU:
        d = where_less(0.0, y, 1.0, y + 1.0)
    elif kind == _SOFTPLUS:
        d = 0.0 - _expm1(0.0 - y)
    elif kind == _SOFTSIGN:
        rest = 1.0 - where_less(y, 0.0, 0.0 - y, y)
        d = rest * rest
    return d


@kernel("real1C real1C int int int")
def _activate(x, y, kind, chunk, chunks):
    begin, end = part_of(x.size, chunk, chunks)
    lane_count = lanes_of(x)
    for at in range(begin, end, lane_count):
        live = min(lane_count, end - at)
        store_part(y, at, activated(load_part(x, at, live), kind), live)


@kernel("real1C real1C real1C int int int")
def _activate_backward(y, dy, dx, kind, chunk, chunks):
    begin, end = part_of(y.size, chunk, chunks)
    lane_count = lanes_of(y)
    for at in range(begin, end, lane_count):
        live = min(lane_count, end - at)
        store_part(dx, at, load_part(dy, at, live) * slope(load_part(y, at, live), kind), live)


@kernel("real2C real2C int int")
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
