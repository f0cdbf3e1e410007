"""Arrays of the CPU backend. They are NumPy's own."""

import math
import os
import sys

import numba
import numpy as np

from numlstm.kernels.cpu.runtime import cache
from numlstm.kernels.cpu.runtime.target import target
from numlstm.kernels.cpu.runtime.vector import VECTOR_BYTES


def asarray(values, dtype):
    """Return values as a contiguous array."""
    return np.ascontiguousarray(values, dtype)


def empty(shape, dtype):
    """Allocate an array with arbitrary contents."""
    return np.empty(shape, dtype)


def zeros(shape, dtype):
    """Allocate an array of zeros."""
    return np.zeros(shape, dtype)


def workspace(shape, dtype):
    """Allocate an array with arbitrary contents, aligned so that no vector lies across two cache lines."""
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    room = np.empty(size + VECTOR_BYTES // dtype.itemsize, dtype)
    begin = -room.__array_interface__["data"][0] % VECTOR_BYTES // dtype.itemsize
    return room[begin : begin + size].reshape(shape)


def workspaces(kept, shapes, dtype):
    """Return the kept arrays, or new ones if a stream or another thread's pass still reads one of the kept ones.

    kept: a tuple of arrays, or None; they are used only if they have these shapes
    """
    fit = kept is not None and [array.shape for array in kept] == shapes
    return kept if fit and _holders(kept) <= _NOBODY else tuple(workspace(shape, dtype) for shape in shapes)


def _holders(arrays):
    """The largest reference count among the arrays, as Python counts in this function."""
    return max(sys.getrefcount(array) for array in arrays)


_NOBODY = _holders((np.empty(0),))
"""The count for arrays that only their tuple holds. It depends on the version of Python."""


def copy(target, source):
    """Overwrite `target`."""
    target[...] = source


def to_host(array):
    """Return the array itself."""
    return array


def synchronize():
    """Do nothing: work on the CPU is done when its function returns."""


def describe():
    """Describe the processor, the threads and the folder of compiled kernels."""
    return {
        "processor": target().name,
        "vectors": str(target()),
        "cores": str(os.cpu_count()),
        "threads": str(numba.get_num_threads()),
        "kernel cache": str(cache.folder() or "none: no folder can be written, kernels are compiled anew each time"),
    }
