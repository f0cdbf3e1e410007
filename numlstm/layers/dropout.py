"""Dropout: set random entries of the input to zero in training (Srivastava et al. 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.executor import Executor, Unchanged, View
from numlstm.layers.layer import Layer, Shape, sizes
from numlstm.override import override

__all__ = ["Dropout"]


class Dropout(Layer):
    """In training y = x ⊙ m, where m is 0 with probability `rate` and else 1 / (1 - rate). In inference y = x.

    m depends only on the seed, the number of the layer's training pass and the position in the batch. It is the same on
    every device and for any number of threads.

    Args:
        rate: Probability of dropping an entry, from 0 to below 1.
        noise_shape: The shape of m, batch first, with 1 for an axis along which m is constant: (None, 1, 8) drops a
            feature at all steps of a sequence with 8 features. Such axes must be adjacent. None: the input's shape.
        seed: An integer from 0. None: drawn from the generator that `numlstm.set_seed` seeds.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: Shape of one sample.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
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
        """The shape of the input; ValueError if `noise_shape` does not fit it."""
        self._shared(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        noise_shape = None if self.noise_shape is None else list(self.noise_shape)
        return {
            "rate": self.rate,
            "noise_shape": noise_shape,
            "seed": self.seed,
            "dtype": self.dtype,
            "name": self.name,
        }

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return ["dropout"] if self.rate else []

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> Executor:
        if training and self.rate:
            return DropoutExecutor(self, x, dx, mask, training)
        return View(self, x, dx, mask, training, x.shape)

    @override
    def new_step(self, x: Array) -> Unchanged:
        return Unchanged(x)

    def rows_of(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Reduce the shape to (R, S, N), where m is constant along S."""
        begin, end = self._shared(shape)
        return prod(shape[:begin]), prod(shape[begin:end]), prod(shape[end:])

    def _shared(self, shape: Shape) -> tuple[int, int]:
        """The range of axes along which m is constant: (first, last + 1)."""
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


class DropoutExecutor(Executor):
    """Dropout on one batch in training.

    x, y, dy: any shape
    """

    def __init__(self, layer: Dropout, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.y = self.backend.empty(x.shape, layer.dtype)
        self.dy = self.backend.empty(x.shape, layer.dtype)
        self._rows, self._rate, self._random = layer.rows_of(x.shape), layer.rate, layer.random
        self._step = 0

    def forward(self) -> None:
        """Write y = x ⊙ m."""
        self._step = self._random.next_step()
        self._drop(self.x, self.y)

    def backward(self) -> None:
        """Compute dx = dy ⊙ m if dx is not None."""
        if self.dx is not None:
            self._drop(self.dy, self.dx)

    def _drop(self, source: Array, target: Array) -> None:
        if source.size:
            source, target = source.reshape(self._rows), target.reshape(self._rows)
            self.backend.dropout(source, target, self._rate, self._random.seed or 0, 0, self._step)
