"""Copies from the host to the GPU, by way of page-locked memory of our own.

The driver reads ordinary memory at once where it stages it, but later where a GPU reads the host's memory itself, or
where a user has page-locked an array. And a batch's buffer is filled again while the GPU works. So the numbers are
first copied to one of two slots that take turns. A slot is used until it is full, and again only after the GPU has read
it.
"""

import contextlib
import ctypes

import numpy as np

from numlstm.kernels import forks
from numlstm.kernels.cuda.runtime.device import GPUError, call, device

__all__ = ["upload"]

_NO_TIMES = 2
"""CU_EVENT_DISABLE_TIMING: the event takes no time, which would cost some."""

_SLOT = 1 << 22
"""Bytes of a slot: hundreds of batches of a small model, or a fraction of a large array."""


def upload(address, host):
    """Queue a copy of a contiguous array to the GPU's memory. The array may be changed as soon as this returns."""
    global _ring
    found = device()
    if found.stream is not found.main_stream:
        # The thread captures, in which the driver refuses this call: the error ends the capture.
        call("cuMemcpyHtoDAsync", address, host.ctypes.data, host.nbytes, found.stream)
        return
    with _lock:
        if _ring is None or _ring.device is not found:
            _ring = _Ring(found)
        _ring.upload(address, host.reshape(-1).view(np.uint8))


_lock = forks.lock()
_ring = None


class _Ring:
    """Two slots that take turns, for the GPU's main stream. Where memory cannot be locked, a copy waits instead."""

    def __init__(self, found):
        self.device, self._slots = found, []
        with contextlib.suppress(GPUError, AttributeError):  # An old driver may lack the functions.
            self._slots = [_Slot(), _Slot()]

    def upload(self, address, content):
        """Copy bytes."""
        if not self._slots:
            call("cuMemcpyHtoDAsync", address, content.ctypes.data, content.nbytes, self.device.main_stream)
            call("cuStreamSynchronize", self.device.main_stream)
            return
        done = 0
        while done < content.nbytes:
            size = min(content.nbytes - done, _SLOT)
            if not self._slots[0].has_room(size):
                self._slots[0].end(self.device.main_stream)
                self._slots.reverse()
                self._slots[0].begin()
            self._slots[0].send(address + done, content[done : done + size], self.device.main_stream)
            done += size


class _Slot:
    """Page-locked memory, filled from the front, and the event after its last copy."""

    def __init__(self):
        self._address = int(call("cuMemHostAlloc", _SLOT, 0))
        self._memory = np.frombuffer((ctypes.c_char * _SLOT).from_address(self._address), np.uint8)
        self._event = call("cuEventCreate", _NO_TIMES)
        self._used, self._ended = 0, False

    def has_room(self, size):
        """Whether so many bytes can be added."""
        return self._used + size <= _SLOT

    def send(self, address, content, stream):
        """Add bytes, and queue their copy to the GPU."""
        begin, self._used = self._used, self._used + len(content)
        self._memory[begin : self._used] = content
        call("cuMemcpyHtoDAsync", address, self._address + begin, len(content), stream)

    def end(self, stream):
        """Mark the place in the stream after which the slot has been read."""
        call("cuEventRecord", self._event, stream)
        self._ended = True

    def begin(self):
        """Wait until the slot has been read, and fill it from the front."""
        if self._ended:
            call("cuEventSynchronize", self._event)
        self._used, self._ended = 0, False
