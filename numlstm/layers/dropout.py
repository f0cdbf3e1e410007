"""Dropout: in training a part of the input is set to zero (Srivastava et al. 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.layer import Layer, Shape, sizes
from numlstm.layers.passes import Pass, Unchanged, View

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training, y = x ⊙ m with m 0 with probability `rate`, else 1 / (1 - rate); else y = x.

    What falls out depends on the seed, on how many passes in training the layer has seen, and on the place in the
    batch alone: it is the same on every device, for any number of threads.

    Args:
        rate: From 0 to below 1.
        noise_shape: The shape of m, batch first, with 1 where all of an axis share it: (None, 1, 8) drops features of a
            whole sequence of 8. None: that of the input. The axes that share must stand side by side.
        seed: An integer from 0; None: one that `numlstm.set_seed` decides.
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: The shape of one sample.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.rate = checks.fraction(rate, "rate")
        self.noise_shape = None if noise_shape is None else tuple(sizes(noise_shape, "noise_shape"))
        self._draw_seed(seed, self.rate)
        super().__init__(name, dtype, input_shape, others)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Any shape that goes with the noise's, unchanged."""
        self._shared(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        noise_shape = None if self.noise_shape is None else list(self.noise_shape)
        return {
            "rate": self.rate,
            "noise_shape": noise_shape,
            "seed": self.seed,
            "dtype": self.dtype,
            "name": self.name,
        }

    def functions(self, with_dx: bool) -> list[str]:
        """See `Layer.functions`."""
        return ["dropout"] if self.rate else []

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> Pass:
        """See `Layer.new_pass`."""
        if training and self.rate:
            return DropoutPass(self, x, dx, mask, training)
        return View(self, x, dx, mask, training, x.shape)

    def new_step(self, x: Array) -> Unchanged:
        """See `Layer.new_step`."""
        return Unchanged(x)

    def rows_of(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(R, S, N): the rows, how many places share a number of m, the columns."""
        begin, end = self._shared(shape)
        return prod(shape[:begin]), prod(shape[begin:end]), prod(shape[end:])

    def _shared(self, shape: Shape) -> tuple[int, int]:
        """Where the axes that share m begin and end."""
        noise = self.noise_shape or (None,) * len(shape)
        if len(noise) != len(shape) or any(
            size is not None and n not in (None, 1, size) for n, size in zip(noise, shape, strict=True)
        ):
            raise ValueError(f"noise_shape {noise} of layer {self.name!r} does not go with shape {tuple(shape)}")
        shared = [axis for axis, n in enumerate(noise) if n == 1 and shape[axis] != 1]
        if not shared:
            return 1, 1
        if shared[-1] - shared[0] >= len(shared):
            raise ValueError(f"noise_shape {noise} must have its ones side by side")
        return shared[0], shared[-1] + 1


class DropoutPass(Pass):
    """Dropout on one batch in training.

    x, y, dy: any shape
    """

    def __init__(self, layer: Dropout, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.y = self.backend.empty(x.shape, layer.dtype)
        self.dy = self.backend.empty(x.shape, layer.dtype)
        self._rows = layer.rows_of(x.shape)
        self._step = 0

    def forward(self) -> None:
        """Write y = x ⊙ m."""
        self._step = self.layer.next_step()
        self._drop(self.x, self.y)

    def backward(self) -> None:
        """dx = dy ⊙ m, where it is wanted."""
        if self.dx is not None:
            self._drop(self.dy, self.dx)

    def _drop(self, source: Array, target: Array) -> None:
        if source.size:
            source, target = source.reshape(self._rows), target.reshape(self._rows)
            self.backend.dropout(source, target, self.layer.rate, self.layer.seed, 0, self._step)
