"""Layer normalization of rows, on vectors of columns."""

import math

import numpy as np

from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.cpu.runtime.vector import fma, lanes_of, load_part, spread, store_part, sum_of, zero
from numlstm.kernels.replay import call

__all__ = ["normalize_rows", "normalize_rows_backward"]

_OPERATIONS = 10  # Operations for each number, for `threads_for`.


@kernel("real2K real1K real1K float real2C real2C int int")
def _normalize_rows(x, gamma, beta, epsilon, statistics, y, chunk, chunks):
    rows, columns = x.shape
    begin, end = part_of(rows, chunk, chunks)
    lane_count = lanes_of(x)
    for row in range(begin, end):
        first = row * columns
        total = zero(x)
        for column in range(0, columns, lane_count):
            total = total + load_part(x, first + column, min(lane_count, columns - column))
        mean = x.dtype.type(sum_of(total) / columns)
        squares = zero(x)
        for column in range(0, columns, lane_count):
            live, at = min(lane_count, columns - column), first + column
            # Stored and loaded again, the lanes beyond the row are zero.
            store_part(y, at, load_part(x, at, live) - spread(mean), live)
            difference = load_part(y, at, live)
            squares = fma(difference, difference, squares)
        scale = x.dtype.type(1.0 / math.sqrt(sum_of(squares) / columns + epsilon))
        for column in range(0, columns, lane_count):
            live, at = min(lane_count, columns - column), first + column
            normalized = load_part(y, at, live) * spread(scale)
            store_part(y, at, fma(normalized, load_part(gamma, column, live), load_part(beta, column, live)), live)
        statistics[row, 0], statistics[row, 1] = mean, scale


@kernel("real2K real1K real2K real2K real2C real2C int int")
def _normalize_rows_backward(x, gamma, statistics, dy, dx, products, chunk, chunks):
    """Compute one chunk of the rows of dx and of dy ⊙ x̂, the products."""
    rows, columns = x.shape
    begin, end = part_of(rows, chunk, chunks)
    lane_count = lanes_of(x)
    for row in range(begin, end):
        first = row * columns
        mean, scale = spread(statistics[row, 0]), spread(statistics[row, 1])
        total, total_product = zero(x), zero(x)
        for column in range(0, columns, lane_count):
            live, at = min(lane_count, columns - column), first + column
            g = load_part(dy, at, live) * load_part(gamma, column, live)
            normalized = (load_part(x, at, live) - mean) * scale
            store_part(products, at, load_part(dy, at, live) * normalized, live)
            total, total_product = total + g, fma(g, normalized, total_product)
        mean_g = spread(x.dtype.type(sum_of(total) / columns))
        mean_product = spread(x.dtype.type(sum_of(total_product) / columns))
        for column in range(0, columns, lane_count):
            live, at = min(lane_count, columns - column), first + column
            g = load_part(dy, at, live) * load_part(gamma, column, live)
            normalized = (load_part(x, at, live) - mean) * scale
            store_part(dx, at, (g - mean_g - normalized * mean_product) * scale, live)


@runs(_normalize_rows)
def normalize_rows(x, weights, epsilon, statistics, y):
    """y = γ ⊙ x̂ + β."""
    gamma = np.ones(x.shape[1], x.dtype) if weights.gamma is None else weights.gamma
    beta = np.zeros(x.shape[1], x.dtype) if weights.beta is None else weights.beta
    chunks = threads_for(_OPERATIONS * x.size, len(x))
    _normalize_rows.share(x.dtype, chunks, x, gamma, beta, epsilon, statistics, y)


@runs(_normalize_rows_backward)
def normalize_rows_backward(x, weights, statistics, dy, gradients):
    """dγ = Σ dy ⊙ x̂, dβ = Σ dy, dx = (g - mean(g) - x̂ mean(g ⊙ x̂)) / √(σ² + ε)."""
    gamma = np.ones(x.shape[1], x.dtype) if weights.gamma is None else weights.gamma
    dx = np.empty_like(x) if gradients.x is None else gradients.x
    products = np.empty_like(x)
    chunks = threads_for(2 * _OPERATIONS * x.size, len(x))
    _normalize_rows_backward.share(x.dtype, chunks, x, gamma, statistics, dy, dx, products)
    if gradients.gamma is not None:
        call(np.add.reduce, products, 0, None, gradients.gamma)
    if gradients.beta is not None:
        call(np.add.reduce, dy, 0, None, gradients.beta)
