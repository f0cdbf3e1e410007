"""Arrays of the CPU backend: NumPy's own."""

import math
import os
import sys

import llvmlite.binding as llvm
import numba
import numpy as np

from numlstm.kernels.cpu.runtime import cache
from numlstm.kernels.cpu.runtime.vector import VECTOR_BYTES


def asarray(values, dtype):
    """Values as a contiguous array."""
    return np.ascontiguousarray(values, dtype)


def empty(shape, dtype):
    """An array whose contents are arbitrary."""
    return np.empty(shape, dtype)


def zeros(shape, dtype):
    """An array of zeros."""
    return np.zeros(shape, dtype)


def workspace(shape, dtype):
    """An array of the backend's own, arbitrary contents: no vector in it lies across two lines of the cache."""
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    room = np.empty(size + VECTOR_BYTES // dtype.itemsize, dtype)
    begin = -room.__array_interface__["data"][0] % VECTOR_BYTES // dtype.itemsize
    return room[begin : begin + size].reshape(shape)


def workspaces(kept, shapes, dtype):
    """Such arrays: those that were kept, unless somebody still reads one, a stream or another thread's pass.

    kept: a tuple of arrays, or None; those of other shapes are of no use
    """
    fit = kept is not None and [array.shape for array in kept] == shapes
    return kept if fit and _holders(kept) <= _NOBODY else tuple(workspace(shape, dtype) for shape in shapes)


def _holders(arrays):
    """How many hold on to the one of them that most do, as Python counts them here."""
    return max(sys.getrefcount(array) for array in arrays)


_NOBODY = _holders((np.empty(0),))
"""That of arrays which only their tuple holds: how many count in a call depends on the version of Python."""


def copy(target, source):
    """Overwrite `target`."""
    target[...] = source


def to_host(array):
    """The array itself."""
    return array


def synchronize():
    """Nothing to wait for."""


def describe():
    """Processor, threads and where compiled kernels are kept."""
    return {
        "processor": llvm.get_host_cpu_name(),
        "vectors": f"{8 * VECTOR_BYTES} bits",
        "cores": str(os.cpu_count()),
        "threads": str(numba.get_num_threads()),
        "kernel cache": str(cache.folder() or "none: no folder can be written, kernels are compiled anew each time"),
    }
