"""Parameters: a flat buffer for all values, a flat buffer for all gradients, and named views of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np

from numlstm.kernels import Array, Backend, Version

__all__ = ["Buffers", "Parameters", "Segment", "join"]

_ALIGNMENT = 64


class Segment(NamedTuple):
    """The range of a variable in the flat buffers: [start, stop)."""

    name: str
    start: int
    stop: int


@dataclass(eq=False)
class Buffers:
    """The flat buffers of the parameters of a layer or a model.

    Each variable starts at a multiple of 64 bytes. The padding is zero and stays zero, because its gradient is zero.

    backend: the backend of the arrays
    values: [n] the parameters
    gradients: [n] the gradients of the parameters
    segments: the ranges of the variables
    version: is advanced with every change of the values
    """

    backend: Backend
    values: Array
    gradients: Array
    segments: tuple[Segment, ...]
    version: Version = field(default_factory=Version)


class Parameters:
    """The named variables of a layer: views of the layer's own `Buffers`, or of the layer's part of a model's."""

    def __init__(self, backend: Backend, dtype: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.dtype = dtype
        self.shapes = dict(shapes)
        self._segments: dict[str, Segment] = {}
        step = _ALIGNMENT // np.dtype(dtype).itemsize
        size = 0
        for name, shape in self.shapes.items():
            self._segments[name] = Segment(name, size, size + prod(shape))
            size += -(-prod(shape) // step) * step
        self.size = size
        values, gradients = backend.zeros((size,), dtype), backend.zeros((size,), dtype)
        self.buffers = Buffers(backend, values, gradients, tuple(self._segments.values()))

    def part(self, prefix: str) -> Parameters:
        """The variables whose names begin with `prefix`, named without the prefix. They must be adjacent."""
        whole, names = self.buffers, [name for name in self.shapes if name.startswith(prefix)]
        part = Parameters(whole.backend, self.dtype, {name.removeprefix(prefix): self.shapes[name] for name in names})
        start = self._segments[names[0]].start if names else 0
        stop = start + part.size
        values, gradients = whole.values[start:stop], whole.gradients[start:stop]
        part.buffers = Buffers(whole.backend, values, gradients, part.buffers.segments, whole.version)
        return part

    def value(self, name: str) -> Array:
        """A view of a variable."""
        return self._view(self.buffers.values, name)

    def gradient(self, name: str) -> Array:
        """A view of a variable's gradient."""
        return self._view(self.buffers.gradients, name)

    def _view(self, buffer: Array, name: str) -> Array:
        _, start, stop = self._segments[name]
        return buffer[start:stop].reshape(self.shapes[name])

    def values(self) -> list[np.ndarray]:
        """Copies of all variables, on the host."""
        return [np.array(self.buffers.backend.to_host(self.value(name))) for name in self.shapes]

    def gradients(self) -> list[np.ndarray]:
        """Copies of all gradients, on the host."""
        return [np.array(self.buffers.backend.to_host(self.gradient(name))) for name in self.shapes]

    def set_values(self, values: Sequence[np.ndarray]) -> None:
        """Overwrite all variables with values of the right shapes."""
        for name, value in zip(self.shapes, values, strict=True):
            self.buffers.backend.copy(self.value(name), value)
        self.buffers.version.advance()

    def clear_gradients(self) -> None:
        """Set all gradients to zero."""
        self.buffers.backend.copy(self.buffers.gradients, np.zeros(self.size, self.dtype))


def join(backend: Backend, parts: Sequence[Parameters]) -> Buffers:
    """Move the parameters of several layers to common buffers. Each part then has views of its range.

    Args:
        backend: The backend of the common buffers. The parts may be on another backend.
        parts: The parameters of the layers, at least one, all of one dtype.
    """
    size, dtype = sum(part.size for part in parts), parts[0].dtype
    segments: list[Segment] = []
    at = 0
    for part in parts:
        segments += [Segment(name, at + start, at + stop) for name, start, stop in part.buffers.segments]
        at += part.size
    whole = Buffers(backend, backend.zeros((size,), dtype), backend.zeros((size,), dtype), tuple(segments))
    start = 0
    for part in parts:
        stop = start + part.size
        values, gradients = whole.values[start:stop], whole.gradients[start:stop]
        share = Buffers(backend, values, gradients, part.buffers.segments, whole.version)
        backend.copy(share.values, part.buffers.backend.to_host(part.buffers.values))
        part.buffers = share
        start = stop
    return whole
