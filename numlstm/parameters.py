"""Where parameters live: one flat buffer for all values, one for all gradients, named views into both."""

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
    """Where a variable lies in the flat buffers: [start, stop)."""

    name: str
    start: int
    stop: int


@dataclass(eq=False)
class Buffers:
    """The parameters of a layer or of a whole model, flat.

    Every variable starts on a multiple of 64 bytes. The zeros between them change nothing: their gradient is zero.

    backend: whose arrays these are
    values: [n] the parameters
    gradients: [n] their gradients
    segments: where the variables lie
    version: advanced with every change of the values
    """

    backend: Backend
    values: Array
    gradients: Array
    segments: tuple[Segment, ...]
    version: Version = field(default_factory=Version)


class Parameters:
    """The named variables of one layer: views into `Buffers` of its own, or into its share of a model's."""

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
        """The variables that begin with `prefix`, which stand side by side, under the rest of their names."""
        whole, names = self.buffers, [name for name in self.shapes if name.startswith(prefix)]
        part = Parameters(whole.backend, self.dtype, {name.removeprefix(prefix): self.shapes[name] for name in names})
        start = self._segments[names[0]].start if names else 0
        stop = start + part.size
        values, gradients = whole.values[start:stop], whole.gradients[start:stop]
        part.buffers = Buffers(whole.backend, values, gradients, part.buffers.segments, whole.version)
        return part

    def value(self, name: str) -> Array:
        """The variable, as a view."""
        return self._view(self.buffers.values, name)

    def gradient(self, name: str) -> Array:
        """The variable's gradient, as a view."""
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
        """Overwrite all variables. Shapes have been checked."""
        for name, value in zip(self.shapes, values, strict=True):
            self.buffers.backend.copy(self.value(name), value)
        self.buffers.version.advance()

    def clear_gradients(self) -> None:
        """Set all gradients to zero."""
        self.buffers.backend.copy(self.buffers.gradients, np.zeros(self.size, self.dtype))


def join(backend: Backend, parts: Sequence[Parameters]) -> Buffers:
    """Move several layers' parameters into one pair of buffers, of which each part keeps a view.

    Args:
        backend: Where the joint buffers are made; the parts may come from another.
        parts: At least one; all of one dtype.
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
