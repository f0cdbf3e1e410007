"""Layers that change the shape of their input: Flatten and RepeatVector."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.executor import Executor, Unchanged, View
from numlstm.layers.layer import Layer, Shape
from numlstm.override import override

__all__ = ["Flatten", "RepeatVector"]


class Flatten(Layer):
    """Merges all axes after the batch axis: (B, T, F) to (B, TF), and (B,) to (B, 1).

    Args:
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: Shape of one sample.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(
        self,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(name, dtype, input_shape, others)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, ...) to (B, product of the other sizes). The product is None if one of the sizes is None."""
        if not input_shape:
            raise ValueError(f"layer {self.name!r} takes (batch, ...), not shape ()")
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else prod(size or 0 for size in rest))

    def open_shape(self, shape: Shape) -> Shape:
        """All sizes stay open. A model in which a later layer needs them is built with the sizes of the data."""
        return (None,) * len(shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {"dtype": self.dtype, "name": self.name}

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> View:
        return View(self, x, dx, None, training, (x.shape[0], prod(x.shape[1:])))

    @override
    def new_step(self, x: Array) -> Unchanged:
        if self.input_shape is not None and len(self.input_shape) > 2:
            raise ValueError(f"layer {self.name!r} flattens whole sequences: it cannot be streamed")
        return Unchanged(x)


class RepeatVector(Layer):
    """Repeats the input n times, as the steps of a sequence: (B, F) to (B, n, F).

    Args:
        n: Number of steps.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: (F,), the shape of one sample.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(
        self,
        n: int,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.n = checks.integer(n, "n")
        super().__init__(name, dtype, input_shape, others)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, F) to (B, n, F)."""
        if len(input_shape) != 2:
            raise ValueError(f"layer {self.name!r} takes (batch, features), not shape {tuple(input_shape)}")
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {"n": self.n, "dtype": self.dtype, "name": self.name}

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return ["repeat", "sum_repeated"] if with_dx else ["repeat"]

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> RepeatVectorExecutor:
        return RepeatVectorExecutor(self, x, dx, None, training)


class RepeatVectorExecutor(Executor):
    """RepeatVector on one batch.

    x: [B, F]
    y, dy: [B, n, F]
    """

    def __init__(self, layer: RepeatVector, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        shape = (x.shape[0], layer.n, x.shape[1])
        self.y = self.backend.empty(shape, layer.dtype)
        if self.has_backward:
            self.dy = self.backend.empty(shape, layer.dtype)

    def forward(self) -> None:
        """Write x n times."""
        self.backend.repeat(self.x, self.y)

    def backward(self) -> None:
        """Sum dy over the steps to dx, if dx is not None."""
        if self.dx is not None:
            self.backend.sum_repeated(self.dy, self.dx)
