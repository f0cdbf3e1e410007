"""TimeDistributed: one layer on every step of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from numlstm.kernels import Array, RecurrentUse
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.passes import Pass
from numlstm.layers.wrapper import Wrapper
from numlstm.plan import Recurrence

__all__ = ["TimeDistributed"]


class TimeDistributed(Wrapper):
    """The same layer, with the same weights, on each step: (B, T, ...) is (BT, ...) to it.

    Args:
        layer: Any layer with one output; it is used, not copied.
        dtype: None, or that of the layer.
        name: Unique in a model; None for an automatic one.
        input_shape: The shape of one sample.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
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
            raise TypeError(f"layer must be a layer, not {layer!r}")
        if layer.outputs > 1:
            raise ValueError(f"layer {layer.name!r} has {layer.outputs} outputs, but TimeDistributed takes one only")
        if getattr(layer, "stateful", False):
            raise ValueError(f"layer {layer.name!r} is stateful, but its rows here are steps: use stateful=False")
        super().__init__((layer,), name, dtype, input_shape, others)

    @property
    def layer(self) -> Layer:
        """The layer on each step."""
        return self.wrapped[0]

    @property
    def input_dtype(self) -> str:
        """That of the layer."""
        return self.layer.input_dtype

    def check_input(self, values: Any, name: str) -> np.ndarray:
        """See `Layer.check_input`."""
        return self.layer.check_input(values, name)

    def open_shape(self, shape: Shape) -> Shape:
        """The number of steps is open, and what the layer leaves open."""
        return (None, None, *self.layer.open_shape((None, *shape[2:]))[1:])

    def wrapped_shape(self, input_shape: Shape) -> Shape:
        """(B, T, ...) to (BT, ...)."""
        if len(input_shape) < 3:
            raise ValueError(f"layer {self.name!r} takes (batch, time, ...), not shape {tuple(input_shape)}")
        return (None, *input_shape[2:])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, ...) to (B, T, ...), what follows T as the layer changes it."""
        return (*input_shape[:2], *self.layer.compute_output_shape(self.wrapped_shape(input_shape))[1:])

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        layer = {"class_name": type(self.layer).__name__, "config": self.layer.get_config()}
        return {"layer": layer, "dtype": self.dtype, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], make: Callable[[Any], Layer] | None = None) -> Self:
        """See `Layer.from_config`."""
        return cls(**{**config, "layer": cls.make_wrapped(config["layer"], make)})

    def cells(self, input_shape: Shape) -> list[Recurrence]:
        """See `Layer.cells`."""
        batch, steps, *rest = input_shape
        return self.layer.cells(((batch or 0) * (steps or 0), *rest))

    def functions(self, with_dx: bool) -> Sequence[str | RecurrentUse]:
        """See `Layer.functions`."""
        return self.layer.functions(with_dx)

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> TimeDistributedPass:
        """See `Layer.new_pass`."""
        return TimeDistributedPass(self, x, dx, mask, training)

    def new_step(self, x: Array) -> Any:
        """See `Layer.new_step`."""
        if self.input_shape is not None and len(self.input_shape) > 3:
            raise ValueError(f"layer {self.name!r} has sequences for steps: it cannot be streamed")
        return self.layer.new_step(x)


class TimeDistributedPass(Pass):
    """The layer's pass over all steps of all rows.

    x: [B, T, ...]
    y, dy: [B, T, ...]
    """

    def __init__(self, layer: TimeDistributed, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        self._shape = (x.shape[0] * x.shape[1], *x.shape[2:])
        inner_dx = None if dx is None else dx.reshape(self._shape)
        self._inner = layer.layer.new_pass(x.reshape(self._shape), inner_dx, None, training)
        shape = (*x.shape[:2], *self._inner.y.shape[1:])
        self.y = self._inner.y.reshape(shape)
        if self.returns:
            self.dy = self._inner.dy.reshape(shape)

    def read(self, x: Array) -> None:
        """Let `x` be the input from now on."""
        self.x = x
        self._inner.read(x.reshape(self._shape))
        self.y = self._inner.y.reshape(self.y.shape)

    def forward(self) -> None:
        """Write y."""
        self._inner.forward()

    def backward(self) -> None:
        """The gradients of the layer's weights and, where wanted, of x."""
        self._inner.backward()
