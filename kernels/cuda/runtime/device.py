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

__all__ = ["SIMULATED", "Device", "GPUError", "availability", "call", "compiling_obstacle", "device"]

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")
"""Whether kernels run in numba's simulator, as Python threads on NumPy arrays."""

_INSTALL = 'pip install "numlstm[cuda13]"'
_AFTER_FORK = (
    "a process that was forked after the GPU had been used cannot use it: start processes by multiprocessing's"
    ' "spawn", or compute on the CPU in them'
)
_NO_CONTEXT, _CONTEXT_IS_GONE = 201, 709
"""The driver's CUDA_ERROR_INVALID_CONTEXT and CUDA_ERROR_CONTEXT_IS_DESTROYED."""


class GPUError(DeviceError):
    """A call of the CUDA driver failed. The message names the call and gives the driver's reason."""


def availability() -> str | None:
    """Return why no GPU can be used here, in one sentence; None if one can be used, or if the simulator runs."""
    if SIMULATED or package_obstacle() is not None:
        return package_obstacle()
    if _forked:
        return _AFTER_FORK
    return _driver_obstacle()


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
        driver = _driver()
        (status,) = driver.cuInit(0)
        counted, count = driver.cuDeviceGetCount() if status == 0 else (status, 0)
    except Exception:  # The exception of the bindings without a driver differs between versions.
        return "no NVIDIA driver was found on this machine"
    if count == 0 or counted != 0:
        return "the NVIDIA driver found no GPU" + (f" ({counted.name})" if counted != 0 else "")
    return _compiler_obstacle() or _gpu_obstacle()


def compiling_obstacle():
    """Return why no kernel can be compiled here, be there a GPU or not; None if kernels can be."""
    if SIMULATED:
        return "numba's CUDA simulator is on, which compiles nothing: unset NUMBA_ENABLE_CUDASIM"
    return _compiler_obstacle()


def _compiler_obstacle():
    from cuda import pathfinder

    for library, name in (("nvvm", "libNVVM"), ("nvrtc", "NVRTC"), ("nvJitLink", "nvJitLink")):
        try:
            pathfinder.load_nvidia_dynamic_lib(library)
        except pathfinder.DynamicLibNotFoundError:
            return f"NVIDIA's {name}, which compiles the kernels, was not found: run `{_INSTALL}`"
    return None


def _gpu_obstacle():
    """Return why the first GPU cannot run what the compiler makes, or does not do what the kernels need."""
    from cuda.bindings import nvjitlink, nvrtc

    (driver, minor), (compiler, _) = driver_version(), nvjitlink.version()
    if driver < compiler:
        return (
            f"the NVIDIA driver supports CUDA {driver}.{minor}, but the compiler that is installed makes code for CUDA"
            f" {compiler}: update the driver, or install the compiler of that version, as by"
            ' `pip install "numlstm[cuda12]"`'
        )
    handle = call("cuDeviceGet", 0)
    name = _name_of(handle)
    capability = 10 * _attribute(handle, "COMPUTE_CAPABILITY_MAJOR") + _attribute(handle, "COMPUTE_CAPABILITY_MINOR")
    least = min(nvrtc.nvrtcGetSupportedArchs()[1])
    if capability < least:
        return (
            f"the GPU {name} has compute capability {capability / 10}, but the compiler of CUDA {compiler} begins with"
            f' {least / 10}: run `pip install "numlstm[cuda12]"`, or compute on the CPU'
        )
    if not _attribute(handle, "MEMORY_POOLS_SUPPORTED"):
        return f"the GPU {name} has no memory pools, as some virtual GPUs have none: compute on the CPU"
    return None


def driver_version():
    """The version of CUDA that the driver supports, (major, minor)."""
    version = call("cuDriverGetVersion")
    return version // 1000, version % 1000 // 10


def _new_stream():
    from cuda.bindings import driver

    return call("cuStreamCreate", driver.CUstream_flags.CU_STREAM_NON_BLOCKING)


def _name_of(handle):
    return call("cuDeviceGetName", 256, handle).split(b"\0")[0].decode()


def _attribute(handle, name):
    from cuda.bindings import driver

    attribute = getattr(driver.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
    return int(call("cuDeviceGetAttribute", attribute, handle))


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
    if status == _NO_CONTEXT and _opened is not None and not _forked:
        # Another library has taken our context from this thread.
        driver.cuCtxSetCurrent(_opened.context)
        status, *results = getattr(driver, name)(*arguments)
    if status != 0:
        if _forked:
            raise GPUError(_AFTER_FORK)
        if status == _CONTEXT_IS_GONE:
            raise GPUError("another library has reset the GPU, and what lay in its memory is lost: start Python anew")
        reason = driver.cuGetErrorString(status)[1]
        raise GPUError(f"the GPU failed in {name}: {reason.decode() if reason else status}")
    return results[0] if len(results) == 1 else tuple(results)


class Device:
    """The first GPU: its primary context, which other libraries share, and the stream of all our work."""

    def __init__(self):
        from cuda.bindings import driver

        call("cuInit", 0)
        self.handle = call("cuDeviceGet", 0)
        self.context = call("cuDevicePrimaryCtxRetain", self.handle)
        self._entered = threading.local()
        self.enter()
        self.main_stream = _new_stream()
        self._captured = threading.local()
        self._pool = call("cuDeviceGetDefaultMemPool", self.handle)
        # Freed memory stays in our pool: giving it back at every wait would cost more than a training step.
        threshold = driver.CUmemPool_attribute.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
        call("cuMemPoolSetAttribute", self._pool, threshold, driver.cuuint64_t(2**64 - 1))
        self.name = _name_of(self.handle)
        major, minor, self.multiprocessors, self.shared_bytes = (
            _attribute(self.handle, name)
            for name in (
                "COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT",
                "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
            )
        )  # fmt: skip
        self.compute_capability = major, minor

    def enter(self):
        """Make the context current in this thread."""
        if not getattr(self._entered, "done", False):
            call("cuCtxSetCurrent", self.context)
            self._entered.done = True

    @property
    def stream(self):
        """The stream of all our work; a thread that captures has one of its own."""
        return getattr(self._captured, "stream", self.main_stream)

    @contextlib.contextmanager
    def another_stream(self):
        """Give this thread a stream of its own, so that what other threads queue is not captured."""
        self._captured.stream = _new_stream()
        try:
            yield self._captured.stream
        finally:
            call("cuStreamDestroy", self._captured.__dict__.pop("stream"))

    def memory(self):
        """The bytes of its memory: (free, total). Memory that freed arrays have left in our pool is free."""
        free, total = call("cuMemGetInfo")
        reserved, used = self.pool()
        return free + reserved - used, total

    def pool(self):
        """The bytes of our memory pool: (reserved, used)."""
        from cuda.bindings import driver

        return tuple(
            int(call("cuMemPoolGetAttribute", self._pool, getattr(driver.CUmemPool_attribute, name)))
            for name in ("CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT", "CU_MEMPOOL_ATTR_USED_MEM_CURRENT")
        )


_lock = forks.lock()
_opened = None
_forked = False
"""Whether this process was forked from one that had used the GPU."""


def _mark_fork():
    global _forked
    _forked = _opened is not None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_fork)


def device():
    """The GPU, with its context current in the calling thread.

    Raises:
        GPUError: If no GPU can be used; the message says why.
    """
    global _opened
    if _forked:
        raise GPUError(_AFTER_FORK)
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
    """Some bytes of the GPU, freed when nothing refers to them any more, also while their thread captures.

    NumPy makes an array over their addresses for shape and strides only: the host cannot read it.
    """

    def __init__(self, nbytes, shape, dtype):
        self.address = 0
        self._device = device()
        if nbytes:
            self.address = int(call("cuMemAllocAsync", nbytes, self._device.main_stream))
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": dtype.str, "data": (self.address, False)}

    def __del__(self):
        if getattr(self, "address", 0):
            with contextlib.suppress(Exception):  # No error can be reported at the end of the process.
                self._device.enter()
                call("cuMemFreeAsync", self.address, self._device.main_stream)
