"""How kernels are declared, compiled and launched.

numba compiles a kernel for a given compute capability, NVIDIA's linker makes machine code of it, and the driver
launches the machine code. These steps are the same with a GPU and without, so a machine without one can check what will
run. All parameters of a kernel are eight bytes wide, an address or a number, so a launch is one packing and one call.
Only this file takes apart the groups that parameters have in Python (see `signature.py`).
"""

import contextlib
import ctypes
import inspect
import re
import struct
import sys

import numpy as np

from numlstm.kernels import forks, replay
from numlstm.kernels.cuda.runtime import cache
from numlstm.kernels.cuda.runtime.cache import Binary
from numlstm.kernels.cuda.runtime.device import SIMULATED, GPUError, call, device
from numlstm.kernels.cuda.runtime.signature import numba_type, parameters_of, words_of

__all__ = [
    "THREADS", "Kernel", "Template", "blocks_for", "device_function", "kernel", "link", "on_compile",
    "runs", "template",
]  # fmt: skip

THREADS = 4 if SIMULATED else 256
"""Threads in a block of the element-wise kernels."""

_MOST_BLOCKS = 3 if SIMULATED else 1024  # Threads of element-wise kernels stride over further elements.
_FORMATS = {"int": "q", "float": "d"}  # All other words are addresses.


class Kernel:
    """A function on the GPU, compiled when a dtype is first asked for."""

    def __init__(self, name, signature, build):
        self.name = name
        self._parameters = parameters_of(signature)
        self._signature = [word for parameter in self._parameters for word in words_of(parameter)]
        self._build = build
        self._ready = {}

    def launch(self, dtype, grid, *arguments):
        """Queue the kernel on our stream.

        grid: the number of blocks, or a pair of numbers
        arguments: for each word of the signature an int, a float or a `DeviceArray`, which passes the address of its
            first element; for each group a tuple of them

        Raises:
            GPUError: If the driver refuses.
        """
        ready = self.prepare(dtype)
        replay.call(ready, grid, ready.arguments(arguments))

    def prepare(self, dtype):
        """Return the kernel ready to be launched: compiled, or loaded from the cache."""
        # The dtype of an array is an object. Its name is slow to get, so the object is a key too.
        ready = self._ready.get(dtype)
        if ready is None:
            # A kernel without numbers of the dtype is the same for all dtypes.
            name = np.dtype(dtype).name if any(word.startswith("real") for word in self._signature) else "float64"
            with _lock:
                ready = self._ready.get(name) or self._make(name)
                self._ready[name] = self._ready[dtype] = ready
        return ready

    def _make(self, dtype):
        if SIMULATED:
            return _Simulated(*self._build(numba_type("real", dtype)))
        binary = self.binary(dtype, device().compute_capability)
        return _Loaded(binary, "".join(_FORMATS.get(word, "Q") for word in self._signature))

    def binary(self, dtype, compute_capability):
        """Return the machine code for this compute capability, from the cache if it is there. No GPU is needed."""
        function, *sizes = self._build(numba_type("real", dtype))
        key = f"{self.name} {self._signature} {dtype} {compute_capability} {sizes} {_constants_of(function)}"
        binary = cache.read(key)
        if binary is not None:
            return binary
        with _announced(re.sub(r"(\w+\.)+", "", self.name)):
            code, threads, shared_bytes = self.code(dtype, compute_capability)
            cubin, report = link(code, compute_capability)
        binary = Binary(re.search(r"entry function '(\w+)'", report).group(1), cubin, threads, shared_bytes)
        cache.write(key, binary)
        return binary

    def code(self, dtype, compute_capability):
        """Return (LTO-IR, threads, dynamic shared memory), as numba compiles the kernel. No GPU is needed."""
        from numba import cuda
        from numba.cuda import types

        function, threads, shared_bytes = self._build(numba_type("real", dtype))
        signature = types.void(*(numba_type(parameter, dtype) for parameter in self._parameters))
        with _lock, _compiling_for(compute_capability):
            code, _ = cuda.compile(
                function, signature, device=False, abi="numba", cc=compute_capability, output="ltoir",
                launch_bounds=(threads, 1),
            )  # fmt: skip
        return bytes(code), threads, shared_bytes


def kernel(*signature, threads=THREADS):
    """Make a function a `Kernel`.

    signature: the types of its parameters in order: groups, and strings of words (see `signature.py`)
    threads: the number of threads of a block
    """
    return lambda function: Kernel(_name(function), signature, lambda real: (function, threads, 0))


def runs(*kernels):
    """Declare the kernels that a function runs, as its `kernels_used`. `prepare` compiles them ahead."""

    def declare(function):
        function.kernels_used = kernels
        return function

    return declare


class Template:
    """Kernels that differ by constants, which the compiler knows: `template[constants]` is a `Kernel`.

    A constant may be a device function that the kernel calls.
    """

    def __init__(self, function, signature):
        self.name = _name(function)
        self._function, self._signature = function, signature
        self._kernels = {}

    def __getitem__(self, constants):
        made = self._kernels.get(constants)
        if made is None:
            name = f"{self.name} ({', '.join(map(_describe, constants))})"
            made = Kernel(name, self._signature, lambda real: self._function(real, *constants))
            made = self._kernels.setdefault(constants, made)
        return made


def template(*signature):
    """Make a function a `Template`.

    The function takes numba's type of the dtype and the constants. It returns the kernel's function, the threads of a
    block and the bytes of dynamic shared memory.
    """
    return lambda function: Template(function, signature)


def _constants_of(function, seen=None):
    """The numbers, texts and tuples that a kernel takes from around itself, and so do the functions that it calls.

    The sources, which are a part of the cache's key too, do not tell of values that were replaced.
    """
    seen = set() if seen is None else seen
    function = getattr(function, "py_func", function)
    if not inspect.isfunction(function) or function in seen:
        return []
    seen.add(function)
    around = inspect.getclosurevars(function)
    found = []
    for name, value in sorted((around.nonlocals | around.globals).items()):
        if value is None or isinstance(value, int | float | str | tuple):
            found.append((name, value))
        else:
            found += _constants_of(value, seen)
    return found


def _describe(constant):
    return _name(constant) if callable(constant) else repr(constant)


def _name(function):
    return f"{function.__module__}.{function.__qualname__}"


def device_function(function):
    """Make a function callable from kernels, which inline it."""
    if SIMULATED:
        return function
    from numba import cuda

    return cuda.jit(device=True, forceinline=True)(function)


def blocks_for(elements):
    """The number of blocks of `THREADS` threads for an element-wise kernel."""
    return max(1, min(-(-elements // THREADS), _MOST_BLOCKS))


# Compiling

_lock = forks.lock()
_listener = None


def on_compile(listener):
    """Set the listener that is called when a kernel is compiled."""
    global _listener
    _listener = listener


@contextlib.contextmanager
def _announced(name):
    listener = _listener
    if listener is not None:
        listener(name, True)
    try:
        yield
    finally:
        if listener is not None:
            listener(name, False)


@contextlib.contextmanager
def _compiling_for(compute_capability):
    """Let numba compile the device functions that a kernel calls for this compute capability, also without a GPU."""
    from numba.cuda import dispatcher

    class Wanted:
        pass

    Wanted.compute_capability = compute_capability
    before, dispatcher.get_current_device = dispatcher.get_current_device, lambda: Wanted
    try:
        yield
    finally:
        dispatcher.get_current_device = before


def link(code, compute_capability, target="cubin"):
    """Return (machine code, the linker's report on registers and spills) of LTO-IR; with `target` "ptx", PTX.

    From PTX the linker makes relocatable code, which takes half as many registers again on older GPUs.
    """
    from cuda.core import Linker, LinkerOptions, ObjectCode

    options = LinkerOptions(
        arch="sm_{}{}".format(*compute_capability),
        link_time_optimization=True,
        ptx=target == "ptx",
        verbose=True,
    )
    linker = Linker(ObjectCode.from_ltoir(code), options=options)
    return bytes(linker.link(target).code), linker.get_info_log()


# Launching


class _Loaded:
    """A kernel that is loaded on the GPU."""

    def __init__(self, binary, formats):
        self._function = call("cuModuleGetFunction", call("cuModuleLoadData", binary.cubin), binary.entry.encode())
        self._threads, self._shared_bytes = binary.threads, binary.shared_bytes
        if binary.shared_bytes:
            from cuda.bindings import driver

            attribute = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            call("cuFuncSetAttribute", self._function, attribute, binary.shared_bytes)
        self._packer = struct.Struct(f"={formats}")
        self._values = ctypes.create_string_buffer(max(1, self._packer.size))
        first = ctypes.addressof(self._values)
        self._addresses = (ctypes.c_void_p * max(1, len(formats)))(*(first + 8 * i for i in range(len(formats))))

    def arguments(self, given):
        """The words of all groups in order."""
        words = []
        for each in given:
            words += self.arguments(each) if isinstance(each, tuple) else [each]
        return words

    def __call__(self, grid, arguments):
        columns, rows = (grid, 1) if isinstance(grid, int) else grid
        stream = device().stream
        values = [getattr(argument, "address", argument) for argument in arguments]
        with _lock:  # The driver copies the values before it returns.
            self._packer.pack_into(self._values, 0, *values)
            call(
                "cuLaunchKernel", self._function, columns, rows, 1, self._threads, 1, 1, self._shared_bytes, stream,
                ctypes.addressof(self._addresses), 0,
            )  # fmt: skip


class _Simulated:
    """A kernel in numba's simulator, which runs one at a time."""

    def __init__(self, function, threads, shared_bytes):
        from numba import cuda

        self._function, self._threads = cuda.jit(function), threads

    def arguments(self, given):
        """The arguments with pointers instead of arrays."""
        made = [
            self.arguments(each) if isinstance(each, tuple) else each.pointer() if hasattr(each, "pointer") else each
            for each in given
        ]
        return given._make(made) if hasattr(given, "_make") else tuple(made)

    def __call__(self, grid, values):
        with _lock:
            before = sys.getswitchinterval()
            # Otherwise the simulator's polling loop would hold the interpreter for 5 ms at a time.
            sys.setswitchinterval(1e-5)
            try:
                self._function[grid, self._threads](*values)
            except Exception as error:
                raise GPUError(f"the simulated GPU failed: {error}") from error
            finally:
                sys.setswitchinterval(before)
