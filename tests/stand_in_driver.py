"""A small stand-in for NVIDIA's driver: it answers from a table, and refuses in a capture what CUDA refuses."""

from __future__ import annotations

import ctypes
import itertools

GOOD = {
    "cuInit": (),
    "cuDeviceGetCount": (1,),
    "cuDriverGetVersion": (13000,),
    "cuDeviceGet": (0,),
    "cuDeviceGetName": (b"Some GPU\0\0",),
    "cuDevicePrimaryCtxRetain": (1,),
    "cuDeviceGetDefaultMemPool": (1,),
    "cuMemGetInfo": (2**34, 2**35),
    "cuMemPoolGetAttribute": (0,),
    "cuModuleLoadData": (1,),
    "cuModuleGetFunction": (1,),
    "cuGetErrorString": (b"a reason",),
    "COMPUTE_CAPABILITY_MAJOR": 9,
    "COMPUTE_CAPABILITY_MINOR": 0,
    "MULTIPROCESSOR_COUNT": 132,
    "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN": 227 * 1024,
    "MEMORY_POOLS_SUPPORTED": 1,
}
_REFUSED_IN_CAPTURE = 900  # CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED


class StandIn:
    """A driver that answers from a table: a tuple of results, or the number of an error.

    calls: the names of all calls, in order
    captured: the names of the calls that the last capture holds
    memory: what copies from the host have brought, by its address. The host's memory is read as late as a driver may
        read it: when the host waits
    """

    def __init__(self, **answers):
        self.answers, self.calls, self.captured = GOOD | answers, [], []
        self.memory, self._waiting, self._marks, self._locked = {}, [], {}, []
        self._capturing, self._numbers = None, itertools.count(1)

    def __getattr__(self, name):
        def answer(*arguments):
            self.calls.append(name)
            found = self.answers.get(name)
            if isinstance(found, int):
                return (found, None)
            if found is not None:
                return (0, *found)
            own = getattr(type(self), f"_{name}", None)
            return self._queue(name, *arguments) if own is None else own(self, *arguments)

        return answer

    def cuDeviceGetAttribute(self, attribute, handle):  # noqa: N802
        return 0, self.answers[attribute.name.removeprefix("CU_DEVICE_ATTRIBUTE_")]

    def _queue(self, name, *arguments):
        """What all other functions do: they queue work on a stream, or change something."""
        if self._capturing is not None and self._capturing in arguments:
            if name == "cuMemcpyDtoHAsync":
                return (_REFUSED_IN_CAPTURE,)
            self.captured.append(name)
        return (0,)

    def _cuMemHostAlloc(self, size, flags):  # noqa: N802
        self._locked.append(ctypes.create_string_buffer(size))
        return 0, ctypes.addressof(self._locked[-1])

    def _cuEventCreate(self, flags):  # noqa: N802
        return 0, f"event {next(self._numbers)}"

    def _cuMemcpyHtoDAsync(self, target, source, nbytes, stream):  # noqa: N802
        if stream == self._capturing:
            return (_REFUSED_IN_CAPTURE,)
        self._waiting.append((target, source, nbytes))
        return (0,)

    def _cuEventRecord(self, event, stream):  # noqa: N802
        self._marks[event] = len(self._waiting)
        return (0,)

    def _cuEventSynchronize(self, event):  # noqa: N802
        return self._read(self._marks[event])

    def _cuStreamSynchronize(self, stream):  # noqa: N802
        return (_REFUSED_IN_CAPTURE,) if stream == self._capturing else self._read(len(self._waiting))

    def _read(self, count):
        for target, source, nbytes in self._waiting[:count]:
            self.memory[target] = ctypes.string_at(source, nbytes)
        self._waiting[:count] = []
        self._marks = {event: max(0, mark - count) for event, mark in self._marks.items()}
        return (0,)

    def _cuStreamCreate(self, flags):  # noqa: N802
        return 0, f"stream {next(self._numbers)}"

    def _cuMemAllocAsync(self, size, stream):  # noqa: N802
        return (_REFUSED_IN_CAPTURE, None) if stream == self._capturing else (0, next(self._numbers) << 30)

    def _cuStreamBeginCapture(self, stream, mode):  # noqa: N802
        self._capturing, self.captured = stream, []
        return (0,)

    def _cuStreamEndCapture(self, stream):  # noqa: N802
        assert stream == self._capturing
        self._capturing = None
        return 0, "a graph"

    def _cuGraphInstantiate(self, graph, flags):  # noqa: N802
        return 0, "an executable graph"


def driven(monkeypatch, **answers):
    """Put a driver of these answers in place of NVIDIA's, as if none had been used before.

    Skips the test without NVIDIA's compiler, for which a GPU is asked too, and in the simulator, which asks no driver.
    """
    from cuda_code import require_compiler

    from numlstm.kernels.cuda.runtime import device

    require_compiler()
    driver = StandIn(**answers)
    monkeypatch.setattr(device, "_driver", lambda: driver)
    monkeypatch.setattr(device, "_opened", None)
    return driver
