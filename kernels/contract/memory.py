"""Arrays, and the copies between host and backend."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Array", "DeviceError", "Memory", "Version"]

Array = Any
"""An array of the backend: `numpy.ndarray` on the CPU, a device array on a GPU."""


class DeviceError(RuntimeError):
    """A device cannot be used, or has failed. The message gives the reason or names the call."""


class Version:
    """Counts the changes of a set of parameters.

    Code that writes parameters calls `advance`. A backend keeps packed copies of the weights until the number changes.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def advance(self) -> None:
        """Make every packed copy stale."""
        self.number += 1


class Memory(Protocol):
    """Arrays of the backend."""

    def asarray(self, values: Any, dtype: str) -> Array:
        """Return values as a contiguous array of the backend. An array that is one of this dtype is not copied."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Allocate an array with arbitrary contents."""

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Array:
        """Allocate an array of zeros."""

    def copy(self, target: Array, source: Any) -> None:
        """Overwrite `target` with `source`, an array of the host or of the backend, of the same shape."""

    def to_host(self, array: Array) -> Any:
        """Return the array as `numpy.ndarray`, after the work that writes it. On the CPU, return the array itself."""

    def synchronize(self) -> None:
        """Wait for all work that has been started."""

    def describe(self) -> dict[str, str]:
        """Describe the machine that the backend runs on, as name and value. `numlstm info` prints it."""
