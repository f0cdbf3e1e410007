"""The peak of the processor: multiply-adds on registers alone, with which the products are compared."""

from __future__ import annotations

import time

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numlstm.kernels.cpu.runtime.launch import kernel
from numlstm.kernels.cpu.runtime.target import target
from numlstm.kernels.cpu.runtime.vector import Vector, address, emit_fma, emit_spread

__all__ = ["measure_peak"]

_SECONDS = 0.02
_TRIALS = 5
_CHAINS = 24 if target().registers >= 32 else 12
"""Sums that do not wait for each other. They fill most registers."""


@intrinsic
def _multiply_add(context, numbers, at, times):
    """Run `times` multiply-adds in every chain, and write a number that depends on all of them."""
    vector = Vector(numbers.dtype, target().register_bytes)

    def emit(context, builder, sig, args):
        pointer = address(context, builder, sig.args[0], args[0], args[1])
        factor = emit_spread(builder, builder.load(pointer), vector)
        sums = [cgutils.alloca_once_value(builder, factor) for _ in range(_CHAINS)]
        with cgutils.for_range(builder, args[2]):
            for total in sums:
                builder.store(emit_fma(builder, vector, builder.load(total), factor, factor), total)
        results = [builder.load(total) for total in sums]
        while len(results) > 1:
            results = [builder.fadd(results[0], results[1]), *results[2:]]
        builder.store(builder.extract_element(results[0], ir.IntType(32)(0)), pointer)
        return context.get_dummy_value()

    return types.void(numbers, types.intp, types.intp), emit


@kernel("real1C int int int")
def _repeat(numbers, times, chunk, chunks):
    _multiply_add(numbers, chunk, times)


def measure_peak() -> float:
    """Return the operations per second of float32 multiply-adds on all threads: the best of some trials.

    A multiply-add is two operations. On a target without the instruction it is a product and an addition.
    """
    threads = numba.get_num_threads()
    numbers = np.full(threads, 0.5, "float32")
    work = 2.0 * _CHAINS * target().register_bytes / 4 * threads
    times, best = 10_000, 0.0
    for _ in range(_TRIALS):
        begun = time.perf_counter()
        _repeat.share("float32", threads, numbers, times)
        rate = work * times / (time.perf_counter() - begun)
        best = max(best, rate)
        times = max(1, int(rate * _SECONDS / work))
    return best
