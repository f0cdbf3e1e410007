"""Dropout by counter-based random numbers, which are computed again wherever they are needed."""

import numpy as np
from numba import njit

from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for

__all__ = ["dropout"]

_OPERATIONS = 30  # Operations for each random number, for `threads_for`.
_WORD = 0xFFFFFFFF


@njit(inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10: four words from a counter of four and a key of two. All are below 2³², in 64 bits."""
    for _ in range(10):
        # A product may wrap around to a negative number, but its 64 bits are right.
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0 = (second >> 32 & _WORD) ^ c1 ^ k0
        c2 = (first >> 32 & _WORD) ^ c3 ^ k1
        c1, c3 = second & _WORD, first & _WORD
        k0, k1 = k0 + 0x9E3779B9 & _WORD, k1 + 0xBB67AE85 & _WORD
    return c0, c1, c2, c3


@kernel("real3K real3C real2C int float int int int int int int")
def _dropout(x, y, factors, threshold, scale, k0, k1, stream, step, chunk, chunks):
    """Compute one chunk of the rows. `factors` holds m of a row, after the last words of the row before it."""
    rows, shared, columns = x.shape
    begin, end = part_of(rows, chunk, chunks)
    m = factors[chunk]
    kept, dropped = m.dtype.type(scale), m.dtype.type(0)
    for row in range(begin, end):
        first = row * columns
        block = first // 4
        before = first - 4 * block
        for k in range((before + columns + 3) // 4):
            w0, w1, w2, w3 = philox(block + k & _WORD, block + k >> 32, stream, step, k0, k1)
            m[4 * k] = dropped if w0 < threshold else kept
            m[4 * k + 1] = dropped if w1 < threshold else kept
            m[4 * k + 2] = dropped if w2 < threshold else kept
            m[4 * k + 3] = dropped if w3 < threshold else kept
        for s in range(shared):
            for column in range(columns):
                factor = m[before + column]
                y[row, s, column] = x[row, s, column] * factor if factor != dropped else dropped


@runs(_dropout)
def dropout(x, y, rate, seed, stream, step):
    """y = x ⊙ m, m = 0 or 1 / (1 - rate)."""
    rows, _, columns = x.shape
    chunks = threads_for(_OPERATIONS * rows * columns + x.size, rows)
    # A row may begin and end within a group of four words.
    factors = np.empty((chunks, columns + 6), x.dtype)
    threshold, scale = round(rate * 2**32), 1 / (1 - rate)
    _dropout.share(x.dtype, chunks, x, y, factors, threshold, scale, seed & _WORD, seed >> 32, stream, step)
