"""Layers that lay their input out anew: Flatten and RepeatVector."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.passes import Pass, Unchanged, View

__all__ = ["Flatten", "RepeatVector"]


class Flatten(Layer):
    """All axes but the batch's in one: (B, T, F) to (B, TF).

    Args:
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: The shape of one sample.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
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
        """(B, ...) to (B, their product), None if one of them is."""
        if not input_shape:
            raise ValueError(f"layer {self.name!r} takes (batch, ...), not shape ()")
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else prod(size or 0 for size in rest))

    def open_shape(self, shape: Shape) -> Shape:
        """All sizes are fixed."""
        return (None, *shape[1:])

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {"dtype": self.dtype, "name": self.name}

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> View:
        """See `Layer.new_pass`."""
        return View(self, x, dx, None, training, (x.shape[0], prod(x.shape[1:])))

    def new_step(self, x: Array) -> Unchanged:
        """See `Layer.new_step`."""
        if self.input_shape is not None and len(self.input_shape) > 2:
            raise ValueError(f"layer {self.name!r} flattens whole sequences: it cannot be streamed")
        return Unchanged(x)


class RepeatVector(Layer):
    """The input n times, as the steps of a sequence: (B, F) to (B, n, F).

    Args:
        n: How often.
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: (F,), the shape of one sample.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
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
        """The arguments that make this layer again."""
        return {"n": self.n, "dtype": self.dtype, "name": self.name}

    def functions(self, with_dx: bool) -> list[str]:
        """See `Layer.functions`."""
        return ["repeat", "sum_repeated"] if with_dx else ["repeat"]

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> RepeatVectorPass:
        """See `Layer.new_pass`."""
        return RepeatVectorPass(self, x, dx, None, training)


class RepeatVectorPass(Pass):
    """A vector repeated, on one batch.

    x: [B, F]
    y, dy: [B, n, F]
    """

    def __init__(self, layer: RepeatVector, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        shape = (x.shape[0], layer.n, x.shape[1])
        self.y = self.backend.empty(shape, layer.dtype)
        if self.returns:
            self.dy = self.backend.empty(shape, layer.dtype)

    def forward(self) -> None:
        """Write x n times."""
        self.backend.repeat(self.x, self.y)

    def backward(self) -> None:
        """The gradient of x, where it is wanted: the sum over all steps."""
        if self.dx is not None:
            self.backend.sum_repeated(self.dy, self.dx)
