"""Arrays of the GPU, and all copies between it and the host."""

import math
from dataclasses import dataclass

import numpy as np
from numba import cuda

from numlstm.kernels import replay
from numlstm.kernels.cuda.runtime import cache
from numlstm.kernels.cuda.runtime import device as gpu
from numlstm.kernels.cuda.runtime.device import SIMULATED, GPUError, Memory
from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel, runs
from numlstm.kernels.cuda.runtime.upload import upload

__all__ = [
    "DeviceArray", "asarray", "copy", "describe", "empty", "fill", "filled", "require", "synchronize", "to_host",
    "transfers", "zeros",
]  # fmt: skip


@dataclass
class Transfers:
    """The number of copies between host and GPU since the process began."""

    uploads: int = 0
    downloads: int = 0


transfers = Transfers()
"""Counts every copy. The difference of two readings is the number of copies between them."""


class DeviceArray:
    """A view of the GPU's memory, with up to three axes and any strides.

    `geometry` is a NumPy array over the same addresses, for shape and strides only: its elements are never read.
    """

    __slots__ = ("_address", "geometry")

    def __init__(self, geometry):
        self.geometry, self._address = geometry, None

    @property
    def address(self):
        """The address of the first element, computed when asked for: NumPy is slow, and many views never need it."""
        if self._address is None:
            self._address = self.geometry.__array_interface__["data"][0]
        return self._address

    @property
    def strides(self):
        """The strides of all axes, in elements."""
        size = self.geometry.itemsize
        return tuple([stride // size for stride in self.geometry.strides])

    shape = property(lambda self: self.geometry.shape)
    dtype = property(lambda self: self.geometry.dtype)
    ndim = property(lambda self: self.geometry.ndim)
    size = property(lambda self: self.geometry.size)
    nbytes = property(lambda self: self.geometry.nbytes)
    T = property(lambda self: self.transpose())

    def __len__(self):
        return len(self.geometry)

    def __repr__(self):
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype})"

    def __array__(self, *args, **kwargs):
        raise TypeError("an array of the GPU is no array of the host: bring it there with to_host")

    def __getitem__(self, index):
        """Return a view. The index has integers, slices, None and Ellipsis."""
        if type(index) in (int, slice):
            return DeviceArray(self.geometry[index, ...])
        parts = index if isinstance(index, tuple) else (index,)
        if not all(part in (None, Ellipsis) or isinstance(part, (int, np.integer, slice)) for part in parts):
            raise TypeError(f"an array of the GPU takes integers and slices as an index, not {index!r}")
        return DeviceArray(self.geometry[parts if Ellipsis in parts else (*parts, Ellipsis)])

    def transpose(self, *axes):
        """Return a view with its axes in another order, reversed by default."""
        return DeviceArray(self.geometry.transpose(*axes))

    def swapaxes(self, first, second):
        """Return a view with two axes exchanged."""
        return DeviceArray(self.geometry.swapaxes(first, second))

    def reshape(self, *shape):
        """Return a view of another shape.

        Raises:
            ValueError: If the array is not contiguous.
        """
        if not self.contiguous():
            raise ValueError(f"an array of the GPU with shape {self.shape} is not contiguous and cannot be reshaped")
        return DeviceArray(self.geometry.reshape(*shape))

    def view(self, dtype):
        """Return the same memory as numbers of another dtype."""
        return DeviceArray(self.geometry.view(dtype))

    def contiguous(self):
        """Whether the elements lie one after the other, the last axis fastest."""
        return self.geometry.flags.c_contiguous

    def pointer(self):
        """Return what a simulated kernel takes instead of the address."""
        return Pointer(self.geometry)


class Pointer:
    """A pointer in the simulator. It counts elements from the first one of a view and stays within the memory."""

    def __init__(self, geometry):
        root = geometry
        while root.base is not None:
            root = root.base
        self._memory = root.view(np.uint8 if geometry.dtype == bool else geometry.dtype)
        self._at = (geometry.__array_interface__["data"][0] - root.__array_interface__["data"][0]) // geometry.itemsize

    def _index(self, index):
        index += self._at
        if not 0 <= index < len(self._memory):
            raise IndexError(f"element {index} of memory that holds {len(self._memory)}")
        return index

    def __getitem__(self, index):
        return self._memory[self._index(index)]

    def __setitem__(self, index, value):
        self._memory[self._index(index)] = value


def asarray(values, dtype):
    """Return values as a contiguous array of the GPU."""
    if isinstance(values, DeviceArray):
        if values.dtype == dtype and values.contiguous():
            return values
        values = values if values.dtype == dtype else to_host(values)
    array = empty(values.shape if isinstance(values, DeviceArray) else np.shape(values), dtype)
    copy(array, values)
    return array


def empty(shape, dtype):
    """Allocate an array with arbitrary contents."""
    dtype = np.dtype(dtype)
    shape = tuple(int(size) for size in shape)
    nbytes = math.prod(shape) * dtype.itemsize
    if not SIMULATED:
        return DeviceArray(np.asarray(Memory(nbytes, shape, dtype)))
    # Filled with bytes that are wrong everywhere: NaN in numbers.
    return DeviceArray(np.full(nbytes, 255, np.uint8).view(dtype).reshape(shape))


def zeros(shape, dtype):
    """Allocate an array of zeros."""
    return filled(shape, dtype, 0)


def filled(shape, dtype, byte):
    """Allocate an array whose bytes all have one value."""
    array = empty(shape, dtype)
    fill(array, byte)
    return array


def fill(array, byte):
    """Overwrite every byte of a contiguous array."""
    replay.call(_fill, array, byte)


def _fill(array, byte):
    if SIMULATED:
        array.geometry.view(np.uint8)[...] = byte
    elif array.nbytes:
        gpu.call("cuMemsetD8Async", array.address, byte, array.nbytes, gpu.device().stream)


@kernel("real* real* int int int int int int int int int")
def _copy(target, source, size, rows, columns, to_0, to_1, to_2, of_0, of_1, of_2):
    """Copy between arrays with three axes and any strides. Each thread takes one number."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        i, row, column = k // (rows * columns), k // columns % rows, k % columns
        target[i * to_0 + row * to_1 + column * to_2] = source[i * of_0 + row * of_1 + column * of_2]


@runs(_copy)
def copy(target, source):
    """Overwrite `target`."""
    if isinstance(source, DeviceArray):
        _copy_on_device(target, source)
        return
    host = np.ascontiguousarray(source, target.dtype)
    whole = target if target.contiguous() else empty(target.shape, target.dtype)
    transfers.uploads += 1
    if SIMULATED:
        whole.geometry[...] = host
    elif host.nbytes:
        upload(whole.address, host)
    if whole is not target:
        _copy_on_device(target, whole)


def to_host(array):
    """Wait for the work that writes the array, and return it as NumPy's."""
    if not array.contiguous():
        array, view = empty(array.shape, array.dtype), array
        _copy_on_device(array, view)
    host = np.empty(array.shape, array.dtype)
    transfers.downloads += 1
    if SIMULATED:
        host[...] = array.geometry
    elif host.nbytes:
        gpu.call("cuMemcpyDtoHAsync", host.ctypes.data, array.address, host.nbytes, gpu.device().stream)
        synchronize()
    return host


def synchronize():
    """Wait for all work that has been started."""
    if not SIMULATED:
        gpu.call("cuStreamSynchronize", gpu.device().stream)


def require(nbytes, purpose):
    """Raise an error if the GPU cannot hold this now, before anything is allocated.

    Raises:
        GPUError: If fewer than `nbytes` bytes of its memory are free.
    """
    if not SIMULATED:
        free, total = gpu.device().memory()
        if nbytes > free:
            needed, free, total = (f"{size / 2**30:.1f} GiB" for size in (nbytes, free, total))
            raise GPUError(f"{purpose} needs {needed} of the GPU's memory, where {free} of {total} are free")


def describe():
    """Describe the GPU, its driver and compiler, its memory, and the folder of compiled kernels."""
    if SIMULATED:
        return {"GPU": "none: numba's CUDA simulator", "kernel cache": "none: the simulator compiles nothing"}
    from cuda.bindings import nvjitlink

    found = gpu.device()
    free, total = found.memory()
    return {
        "GPU": found.name,
        "compute capability": "{}.{}".format(*found.compute_capability),
        "multiprocessors": str(found.multiprocessors),
        "driver": "CUDA {}.{}".format(*gpu.driver_version()),
        "compiler": "CUDA {}.{}".format(*nvjitlink.version()),
        "shared memory": f"{found.shared_bytes / 1024:.0f} KiB a block",
        "memory": f"{total / 2**30:.1f} GiB, {free / 2**30:.1f} free",
        "kernel cache": str(cache.folder() or "none: no folder can be written, kernels are compiled anew each time"),
    }


def _copy_on_device(target, source):
    if target.contiguous() and source.contiguous() and not SIMULATED:
        replay.call(_copy_bytes, target, source)
        return
    missing = 3 - target.ndim
    shape = (1,) * missing + target.shape
    strides = (*(0,) * missing, *target.strides, *(0,) * missing, *source.strides)
    dtype = "uint8" if target.dtype == bool else target.dtype
    _copy.launch(dtype, blocks_for(target.size), target, source, target.size, *shape[1:], *strides)


def _copy_bytes(target, source):
    if target.nbytes:
        gpu.call("cuMemcpyDtoDAsync", target.address, source.address, target.nbytes, gpu.device().stream)
