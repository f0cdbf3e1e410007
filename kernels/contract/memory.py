"""Arrays, and how they travel."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Array", "DeviceError", "Memory", "Version"]

Array = Any
"""An array of the backend: `numpy.ndarray` on the CPU, a device array on a GPU."""


class DeviceError(RuntimeError):
    """A device cannot be used, or has failed: the message names the reason, or the call."""


class Version:
    """Counts the changes of a set of parameters.

    Whoever writes parameters calls `advance`; a backend keeps packed copies of weights while the number stands.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def advance(self) -> None:
        """Declare every packed copy stale."""
        self.number += 1


class Memory(Protocol):
    """Arrays of the backend."""

    def asarray(self, values: Any, dtype: str) -> Array:
        """Values as an array of the backend, contiguous; not copied where they are one already."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array whose contents are arbitrary."""

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array of zeros."""

    def copy(self, target: Array, source: Any) -> None:
        """Overwrite `target` with `source`, an array of the host or of the backend, of the same shape."""

    def to_host(self, array: Array) -> Any:
        """The array as `numpy.ndarray`; waits for the work that writes it. On the CPU the array itself."""

    def synchronize(self) -> None:
        """Wait for all work begun."""

    def describe(self) -> dict[str, str]:
        """What the backend runs on, as `numlstm info` prints it: name to value."""
