"""The speed of the micro-kernel alone, with which all that is built on it is compared."""

from __future__ import annotations

import time

import numba
import numpy as np

from numlstm.kernels.cpu.products.matmul import MATMUL, WIDE, add_product
from numlstm.kernels.cpu.runtime.launch import kernel
from numlstm.kernels.cpu.runtime.vector import TILE_ROWS, lanes

__all__ = ["measure_peak"]

_SIZES = ((8 * TILE_ROWS, 64), (8 * TILE_ROWS, 128), (16 * TILE_ROWS, 256))  # Rows and depth: cache-sized products.
_SECONDS = 0.02
_TRIALS = 5


@kernel("real2C real2C real3C int int int", uses=MATMUL)
def _repeat_product(a, panel, c, times, chunk, chunks):
    """C += A B, `times` times for each chunk's own C."""
    rows, depth, width = a.shape[0], a.shape[1], panel.shape[1]
    for _ in range(times):
        add_product(a, 0, depth, 0, 1, panel, 0, c, chunk * rows * width, width, 1, depth, rows, True)


def measure_peak() -> float:
    """Return the operations per second of the float32 micro-kernel on all threads: the best of some trials."""
    threads = numba.get_num_threads()
    return max(_rate(rows, depth, threads) for rows, depth in _SIZES)


def _rate(rows: int, depth: int, threads: int) -> float:
    width = WIDE * lanes(4)
    a, panel = np.ones((rows, depth), "float32"), np.ones((depth, width), "float32")
    c = np.zeros((threads, rows, width), "float32")
    work = 2.0 * rows * depth * width * threads
    times, best = 16, 0.0
    for _ in range(_TRIALS):
        begun = time.perf_counter()
        _repeat_product.share("float32", threads, a, panel, c, times)
        rate = work * times / (time.perf_counter() - begun)
        best = max(best, rate)
        times = max(1, int(rate * _SECONDS / work))
    return best
