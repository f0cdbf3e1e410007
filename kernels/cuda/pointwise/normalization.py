"""Layer normalization of rows."""

import math

from numba import cuda

from numlstm.kernels.cuda.products.gradients import sum_rows
from numlstm.kernels.cuda.runtime.launch import THREADS, device_function, runs, template
from numlstm.kernels.cuda.runtime.memory import empty
from numlstm.kernels.cuda.runtime.ptx import shared_array

__all__ = ["normalize_rows", "normalize_rows_backward"]

# One block for each row. Each thread takes every `THREADS`th number, and a tree adds the threads' sums.


@template("real* real* int real* int float real* real* int")
def _normalize_rows(real):
    def normalize_rows(x, gamma, scaled, beta, shifted, epsilon, statistics, y, columns):
        held = shared_array(THREADS, real, 16)
        thread, first = cuda.threadIdx.x, cuda.blockIdx.x * columns
        total = real(0)
        for column in range(thread, columns, THREADS):
            total += x[first + column]
        mean = _sum_of(held, thread, total) / real(columns)
        squares = real(0)
        for column in range(thread, columns, THREADS):
            difference = x[first + column] - mean
            squares += difference * difference
        variance = _sum_of(held, thread, squares) / real(columns)
        scale = real(1.0 / math.sqrt(variance + epsilon))
        for column in range(thread, columns, THREADS):
            normalized = (x[first + column] - mean) * scale
            if scaled:
                normalized *= gamma[column]
            if shifted:
                normalized += beta[column]
            y[first + column] = normalized
        if thread == 0:
            statistics[2 * cuda.blockIdx.x] = mean
            statistics[2 * cuda.blockIdx.x + 1] = scale

    return normalize_rows, THREADS, 0


@template("real* real* int real* real* real* real* int")
def _normalize_rows_backward(real):
    def normalize_rows_backward(x, gamma, scaled, statistics, dy, dx, products, columns):
        held = shared_array(THREADS, real, 16)
        thread, first = cuda.threadIdx.x, cuda.blockIdx.x * columns
        mean, scale = statistics[2 * cuda.blockIdx.x], statistics[2 * cuda.blockIdx.x + 1]
        total, total_product = real(0), real(0)
        for column in range(thread, columns, THREADS):
            normalized, g = (x[first + column] - mean) * scale, dy[first + column]
            products[first + column] = g * normalized
            if scaled:
                g *= gamma[column]
            total += g
            total_product += g * normalized
        mean_g = _sum_of(held, thread, total) / real(columns)
        mean_product = _sum_of(held, thread, total_product) / real(columns)
        for column in range(thread, columns, THREADS):
            normalized, g = (x[first + column] - mean) * scale, dy[first + column]
            if scaled:
                g *= gamma[column]
            dx[first + column] = (g - mean_g - normalized * mean_product) * scale

    return normalize_rows_backward, THREADS, 0


@device_function
def _sum_of(held, thread, number):
    """Return the sum of the threads' numbers to all of them."""
    cuda.syncthreads()  # Wait until all threads have read the previous sum.
    held[thread] = number
    others = THREADS // 2
    while others:
        cuda.syncthreads()
        if thread < others:
            held[thread] += held[thread + others]
        others //= 2
    cuda.syncthreads()
    return held[0]


@runs(_normalize_rows[()])
def normalize_rows(x, weights, epsilon, statistics, y):
    """y = γ ⊙ x̂ + β."""
    if x.size:
        gamma, beta = _factor(weights.gamma, x), _factor(weights.beta, x)
        _normalize_rows[()].launch(x.dtype, len(x), x, *gamma, *beta, epsilon, statistics, y, x.shape[1])


@runs(_normalize_rows_backward[()], *sum_rows.kernels_used)
def normalize_rows_backward(x, weights, statistics, dy, gradients):
    """dγ = Σ dy ⊙ x̂, dβ = Σ dy, dx = (g - mean(g) - x̂ mean(g ⊙ x̂)) / √(σ² + ε)."""
    dx = empty(x.shape, x.dtype) if gradients.x is None else gradients.x
    products = empty(x.shape, x.dtype)
    if x.size:
        gamma = _factor(weights.gamma, x)
        _normalize_rows_backward[()].launch(x.dtype, len(x), x, *gamma, statistics, dy, dx, products, x.shape[1])
    if gradients.gamma is not None:
        sum_rows(products, gradients.gamma)
    if gradients.beta is not None:
        sum_rows(dy, gradients.beta)


def _factor(given, x):
    """(array, whether there is one). A missing one is not read."""
    return (x, 0) if given is None else (given, 1)
