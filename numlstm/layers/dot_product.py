"""Dot: the products of two arrays, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.executor import Bound
from numlstm.layers.layer import Shape
from numlstm.layers.several import Arrays, Masks, Several, SeveralExecutor, Shapes
from numlstm.messages import quoted
from numlstm.override import override

__all__ = ["Dot"]


class Dot(Several["DotExecutor"]):
    """The products of two arrays, summed over one axis of each: y = Σ_k x_0[..., k, ...] x_1[..., k, ...].

    The arrays are (B, F) or (B, T, F). The output has the other axes of the first input, then those of the second:
    (B, M, N), (B, N), or (B, 1) if none is left. It has no mask.

    Args:
        axes: The axis of both arrays, or a pair with an axis for each. No axis is 0, the batch.
        normalize: False. Normalize the inputs before, if the output is to be the cosine.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(
        self,
        axes: int | Sequence[int],
        normalize: bool = False,
        dtype: Any = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        pair = list(axes) if isinstance(axes, list | tuple) else [axes, axes]
        if len(pair) != 2:
            raise ValueError(f"axes must be one axis, or a pair with an axis for each array, not {quoted(axes)}")
        self.axes = [checks.integer(axis, "axes", least=-(2**31)) for axis in pair]
        if checks.boolean(normalize, "normalize"):
            raise ValueError("Dot does not support normalize=True: divide the inputs by their norms before")
        super().__init__(name, dtype, others)

    def axes_of(self, input_shape: Shapes) -> tuple[int, int]:
        """The axis of each array, counted from 0; ValueError if one is not an axis after the batch."""
        first, second = (
            axis + len(shape) if axis < 0 else axis for axis, shape in zip(self.axes, input_shape, strict=True)
        )
        if not (0 < first < len(input_shape[0]) and 0 < second < len(input_shape[1])):
            raise self._unfit(input_shape)
        return first, second

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        """The other axes of both inputs."""
        self._check_shapes(input_shape)
        if len(input_shape) != 2 or any(len(shape) not in (2, 3) for shape in input_shape):
            raise self._unfit(input_shape)
        (first, second), (a, b) = self.axes_of(input_shape), input_shape
        for one, other in ((a[0], b[0]), (a[first], b[second])):
            if one != other and None not in (one, other):
                raise self._unfit(input_shape)
        rest = [size for axis, size in enumerate(a) if axis not in (0, first)]
        rest += [size for axis, size in enumerate(b) if axis not in (0, second)]
        return (b[0] if a[0] is None else a[0], *(rest or [1]))

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {"axes": self.axes, "dtype": self.dtype, "name": self.name}

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return ["batch_multiply"]

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> DotExecutor:
        return DotExecutor(self, x, dx, mask, training)

    def _unfit(self, input_shape: Shapes) -> ValueError:
        shapes = ", ".join(str(tuple(shape)) for shape in input_shape)
        return ValueError(
            f"layer {self.name!r} sums the products of two arrays, (batch, features) or (batch, time, features), over "
            f"axes {self.axes} of equal size, but their shapes are {quoted(shapes)}"
        )


class Summing(Bound, Protocol):
    """The attributes of a built Dot layer that its executor reads."""

    def axes_of(self, input_shape: Shapes) -> tuple[int, int]:
        """The axis of each array."""

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        """The shape of the output."""


class DotExecutor(SeveralExecutor):
    """Dot on one batch, as a product of matrices: C = A B with A [B, M, K] and B [B, K, N], views of the inputs."""

    def __init__(self, layer: Summing, x: Arrays, dx: Masks, mask: Masks, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        shapes = tuple(each.shape for each in x)
        shape = tuple(int(size or 0) for size in layer.compute_output_shape(shapes))
        # An input with one axis beside the batch has M = 1 or N = 1. Is k its last axis?
        self._last = [axis == len(each) - 1 for axis, each in zip(layer.axes_of(shapes), shapes, strict=True)]
        a, b = self._rows(x[0], 0), self._rows(x[1], 1)
        self._product = a.shape[:2] + b.shape[1:2]
        self._empty = 0 in (*self._product, a.shape[2])
        allocate = self.backend.zeros if self._empty else self.backend.empty
        self.y = allocate(shape, layer.dtype)
        if self.has_backward:
            self.dy = allocate(shape, layer.dtype)

    @property
    @override
    def recordable(self) -> bool:
        return not self._empty

    def forward(self) -> None:
        """Write y."""
        if not self._empty:
            a, b = self._rows(self.x[0], 0), self._rows(self.x[1], 1)
            self.backend.batch_multiply(a, b.transpose(0, 2, 1), self.y.reshape(self._product), False)

    def backward(self) -> None:
        """Write each dx that is not None: dA = dC Bᵀ and dBᵀ = dCᵀ A."""
        dc = self.dy.reshape(self._product)
        for number, (dx, way) in enumerate(zip(self.dx, (dc, dc.transpose(0, 2, 1)), strict=True)):
            if dx is None:
                continue
            if self._empty:
                self.backend.copy(dx, np.zeros(dx.shape, self.dtype))
                continue
            other = self._rows(self.x[1 - number], 1 - number)
            if self._last[number]:
                self.backend.batch_multiply(way, other, self._rows(dx, number), True)
            else:
                # dx has k before the other axis: it takes the transposed product.
                self.backend.batch_multiply(other.transpose(0, 2, 1), way.transpose(0, 2, 1), dx, True)

    def _rows(self, array: Array, number: int) -> Array:
        """View an input as [B, its other axis, K]."""
        if len(array.shape) == 2:
            return array.reshape(array.shape[0], 1, array.shape[1])
        return array if self._last[number] else array.transpose(0, 2, 1)
