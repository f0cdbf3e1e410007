"""TimeDistributed: apply one layer to every step of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from numlstm.kernels import Array, RecurrentUse
from numlstm.layers.executor import Executor, Step
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.wrapper import Wrapper
from numlstm.messages import quoted
from numlstm.override import override
from numlstm.plan import Recurrence

__all__ = ["TimeDistributed"]


class TimeDistributed(Wrapper):
    """Applies one layer, with the same weights, to each step: the layer sees (B, T, ...) as (BT, ...).

    Args:
        layer: Any stateless layer with one output. It is not copied.
        dtype: None, or the dtype of the layer.
        name: Unique in a model. None: an automatic name.
        input_shape: Shape of one sample.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(
        self,
        layer: Layer,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"layer must be a layer, not {quoted(layer)}")
        if layer.outputs > 1:
            raise ValueError(f"layer {layer.name!r} has {layer.outputs} outputs, but TimeDistributed takes one only")
        if layer.stateful:
            raise ValueError(f"layer {layer.name!r} is stateful, but its rows here are steps: use stateful=False")
        super().__init__((layer,), name, dtype, input_shape, others)

    @property
    def layer(self) -> Layer:
        """The wrapped layer."""
        return self.wrapped[0]

    @property
    def input_dtype(self) -> str:
        """The input dtype of the wrapped layer."""
        return self.layer.input_dtype

    @override
    def check_input(self, values: Any, name: str) -> np.ndarray:
        return self.layer.check_input(values, name)

    def open_shape(self, shape: Shape) -> Shape:
        """The number of steps stays open, and the axes that the wrapped layer leaves open."""
        return (None, None, *self.layer.open_shape((None, *shape[2:]))[1:])

    def wrapped_shape(self, input_shape: Shape) -> Shape:
        """(B, T, ...) to (BT, ...)."""
        if len(input_shape) < 3:
            raise ValueError(f"layer {self.name!r} takes (batch, time, ...), not shape {tuple(input_shape)}")
        return (None, *input_shape[2:])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, ...) to (B, T, ...), where the wrapped layer determines the axes after T."""
        return (*input_shape[:2], *self.layer.compute_output_shape(self.wrapped_shape(input_shape))[1:])

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        layer = {"class_name": type(self.layer).__name__, "config": self.layer.get_config()}
        return {"layer": layer, "dtype": self.dtype, "name": self.name}

    @classmethod
    @override
    def from_config(cls, config: Mapping[str, Any], make: Callable[[Any], Layer] | None = None) -> Self:
        return cls(**{**config, "layer": cls.make_wrapped(config["layer"], make)})

    @override
    def recurrences(self, input_shape: Shape) -> list[Recurrence]:
        batch, steps, *rest = input_shape
        return self.layer.recurrences(((batch or 0) * (steps or 0), *rest))

    @override
    def kernels_used(self, with_dx: bool) -> Sequence[str | RecurrentUse]:
        return self.layer.kernels_used(with_dx)

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> TimeDistributedExecutor:
        return TimeDistributedExecutor(self, x, dx, mask, training)

    @override
    def new_step(self, x: Array) -> Step:
        if self.input_shape is not None and len(self.input_shape) > 3:
            raise ValueError(f"layer {self.name!r} has sequences for steps: it cannot be streamed")
        return self.layer.new_step(x)


class TimeDistributedExecutor(Executor):
    """Runs the wrapped layer on all steps of all rows at once.

    x: [B, T, ...]
    y, dy: [B, T, ...]
    """

    def __init__(self, layer: TimeDistributed, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        self._shape = (x.shape[0] * x.shape[1], *x.shape[2:])
        inner_dx = None if dx is None else dx.reshape(self._shape)
        self._inner: Executor = layer.layer.new_executor(x.reshape(self._shape), inner_dx, None, training)
        shape = (*x.shape[:2], *self._inner.y.shape[1:])
        self.y = self._inner.y.reshape(shape)
        if self.has_backward:
            self.dy = self._inner.dy.reshape(shape)

    @property
    def kernel_name(self) -> str | None:
        """The kernel name of the wrapped layer's executor."""
        return self._inner.kernel_name

    def read(self, x: Array) -> None:
        """Replace the input array by `x`."""
        self.x = x
        self._inner.read(x.reshape(self._shape))
        self.y = self._inner.y.reshape(self.y.shape)

    def forward(self) -> None:
        """Write y."""
        self._inner.forward()

    def backward(self) -> None:
        """Compute the gradients of the layer's weights, and dx if it is not None."""
        self._inner.backward()
