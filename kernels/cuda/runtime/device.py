"""The GPU: whether one can be used, its context, its one stream, and the driver's calls.

This file imports NVIDIA's packages only when they are needed, so `availability` and `GPUError` work without them.
"""

import contextlib
import functools
import importlib.util
import os
import threading
from pathlib import Path

from numlstm.kernels import DeviceError, forks

__all__ = ["SIMULATED", "Device", "GPUError", "availability", "call", "device"]

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
"""Whether kernels run in numba's simulator, as Python threads on NumPy arrays."""

_INSTALL = 'pip install "numlstm[cuda13]"'


class GPUError(DeviceError):
    """A call of the CUDA driver failed. The message names the call and gives the driver's reason."""


def availability() -> str | None:
    """Return why no GPU can be used here, in one sentence; None if one can be used, or if the simulator runs."""
    if SIMULATED or package_obstacle() is not None:
        return package_obstacle()
    return _driver_obstacle() or _compiler_obstacle()


@functools.cache
def package_obstacle():
    """Return why the kernels cannot be imported; None if they can be."""
    if importlib.util.find_spec("numba_cuda") is None:
        return f"numba-cuda is not installed: run `{_INSTALL}`"
    found = importlib.util.find_spec("numba.cuda")
    if found is None or "numba_cuda" not in Path(found.origin or "").parts:
        return f"numba-cuda is not active, because Python has not read the .pth file beside it: run `{_INSTALL}`"
    return None


def _driver_obstacle():
    try:
        from cuda.bindings import driver

        (status,) = driver.cuInit(0)
        counted, count = driver.cuDeviceGetCount() if status == 0 else (status, 0)
    except Exception:  # The exception of the bindings without a driver differs between versions.
        return "no NVIDIA driver was found on this machine"
    if count == 0 or counted != 0:
        return "the NVIDIA driver found no GPU" + (f" ({counted.name})" if counted != 0 else "")
    return None


def _compiler_obstacle():
    from cuda import pathfinder

    for library, name in (("nvvm", "libNVVM"), ("nvrtc", "NVRTC"), ("nvJitLink", "nvJitLink")):
        try:
            pathfinder.load_nvidia_dynamic_lib(library)
        except pathfinder.DynamicLibNotFoundError:
            return f"NVIDIA's {name}, which compiles the kernels, was not found: run `{_INSTALL}`"
    return None


@functools.cache
def _driver():
    from cuda.bindings import driver

    return driver


def call(name, *arguments):
    """Call a function of the CUDA driver and return its results.

    Raises:
        GPUError: If it fails.
    """
    driver = _driver()
    status, *results = getattr(driver, name)(*arguments)
    if status != 0:
        reason = driver.cuGetErrorString(status)[1]
        raise GPUError(f"the GPU failed in {name}: {reason.decode() if reason else status}")
    return results[0] if len(results) == 1 else tuple(results)


class Device:
    """The first GPU: its primary context, which other libraries share, and the stream of all our work."""

    def __init__(self):
        from cuda.bindings import driver

        call("cuInit", 0)
        self.handle = call("cuDeviceGet", 0)
        self._context = call("cuDevicePrimaryCtxRetain", self.handle)
        self._entered = threading.local()
        self.enter()
        self.stream = call("cuStreamCreate", driver.CUstream_flags.CU_STREAM_NON_BLOCKING)
        self._pool = call("cuDeviceGetDefaultMemPool", self.handle)
        # Freed memory stays in our pool: giving it back at every wait would cost more than a training step.
        threshold = driver.CUmemPool_attribute.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
        call("cuMemPoolSetAttribute", self._pool, threshold, driver.cuuint64_t(2**64 - 1))
        self.name = call("cuDeviceGetName", 256, self.handle).split(b"\0")[0].decode()
        major, minor, self.multiprocessors, self.shared_bytes = (
            call("cuDeviceGetAttribute", getattr(driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}"), self.handle)
            for name in (
                "COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT",
                "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
            )
        )  # fmt: skip
        self.compute_capability = major, minor

    def enter(self):
        """Make the context current in this thread."""
        if not getattr(self._entered, "done", False):
            call("cuCtxSetCurrent", self._context)
            self._entered.done = True

    def memory(self):
        """The bytes of its memory: (free, total). Memory that freed arrays have left in our pool is free."""
        from cuda.bindings import driver

        free, total = call("cuMemGetInfo")
        reserved, used = (
            int(call("cuMemPoolGetAttribute", self._pool, getattr(driver.CUmemPool_attribute, name)))
            for name in ("CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT", "CU_MEMPOOL_ATTR_USED_MEM_CURRENT")
        )
        return free + reserved - used, total


_lock = forks.lock()
_opened = None


def device():
    """The GPU, with its context current in the calling thread.

    Raises:
        GPUError: If no GPU can be used; the message says why.
    """
    global _opened
    if _opened is None:
        with _lock:
            if _opened is None:
                obstacle = availability()
                if obstacle is not None:
                    raise GPUError(obstacle)
                _opened = Device()
    _opened.enter()
    return _opened


def multiprocessors():
    """The number of multiprocessors that share the blocks of a launch."""
    return 2 if SIMULATED else device().multiprocessors


def shared_bytes():
    """The most shared memory that a block can have."""
    return 2**18 if SIMULATED else device().shared_bytes


class Memory:
    """Some bytes of the GPU, freed when nothing refers to them any more.

    NumPy makes an array over their addresses for shape and strides only: the host cannot read it.
    """

    def __init__(self, nbytes, shape, dtype):
        self.address = 0
        self._device = device()
        if nbytes:
            self.address = int(call("cuMemAllocAsync", nbytes, self._device.stream))
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": dtype.str, "data": (self.address, False)}

    def __del__(self):
        if getattr(self, "address", 0):
            with contextlib.suppress(Exception):  # No error can be reported at the end of the process.
                self._device.enter()
                call("cuMemFreeAsync", self.address, self._device.stream)
