"""Activations: the layer, and the functions for layers that end with an activation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from numlstm.kernels import ACTIVATIONS, Array, Backend
from numlstm.layers.executor import Executor
from numlstm.layers.layer import Layer, Shape
from numlstm.messages import quoted
from numlstm.override import override

__all__ = ["OUTPUT_ACTIVATIONS", "Activation", "activate", "activate_backward", "activation_kernels", "activation_name"]

OUTPUT_ACTIVATIONS = (*ACTIVATIONS, "softmax")
"""The activations of a layer's output."""


def activation_name(activation: Any, name: str, known: Sequence[str] = OUTPUT_ACTIVATIONS) -> str:
    """Check the name of an activation. None is "linear".

    Raises:
        TypeError: If the activation is not a string.
        ValueError: If no activation of `known` has that name.
    """
    if activation is None:
        return "linear"
    if not isinstance(activation, str):
        raise TypeError(f"{name} must be a name such as {known[0]!r}, not {quoted(activation)}")
    if activation not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, not {quoted(activation)}")
    return activation


def activate(backend: Backend, activation: str, x: Array, y: Array) -> None:
    """Compute y = φ(x) on rows [R, N]. y may be x."""
    if activation == "softmax":
        backend.softmax(x, y)
    else:
        backend.activate(x, y, activation)


def activate_backward(backend: Backend, activation: str, y: Array, dy: Array, dx: Array) -> None:
    """Compute dx = dy φ'(x) on rows [R, N] from y instead of x. dx may be dy."""
    if activation == "softmax":
        backend.softmax_backward(y, dy, dx)
    else:
        backend.activate_backward(y, dy, dx, activation)


def activation_kernels(activation: str, with_dx: bool) -> list[str]:
    """The contract's functions that `activate` and, with dx, `activate_backward` call."""
    if activation == "linear":
        return []
    function = "softmax" if activation == "softmax" else "activate"
    return [function, f"{function}_backward"] if with_dx else [function]


class Activation(Layer):
    """y = φ(x), element by element, or over the last axis for "softmax".

    Args:
        activation: One of "relu", "elu", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "exponential",
            "linear" and "softmax".
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: Shape of one sample.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(
        self,
        activation: str | None,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.activation = activation_name(activation, "activation")
        super().__init__(name, dtype, input_shape, others)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {"activation": self.activation, "dtype": self.dtype, "name": self.name}

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return activation_kernels(self.activation, with_dx)

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> ActivationExecutor:
        return ActivationExecutor(self, x, dx, mask, training)

    @override
    def new_step(self, x: Array) -> ActivationStep:
        return ActivationStep(self, x)


class ActivationExecutor(Executor):
    """An activation on one batch.

    x, y, dy: any shape; softmax normalizes over the last axis
    """

    def __init__(self, layer: Activation, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.y = self.backend.empty(x.shape, layer.dtype)
        self._shape, self._activation = (prod(x.shape[:-1]), x.shape[-1]), layer.activation
        if self.has_backward:
            self.dy = self.backend.empty(x.shape, layer.dtype)

    @property
    @override
    def recordable(self) -> bool:
        return True

    def forward(self) -> None:
        """Write y = φ(x)."""
        if self.y.size:
            activate(self.backend, self._activation, *self._rows(self.x, self.y))

    def backward(self) -> None:
        """Compute dx if it is not None."""
        if self.dx is not None and self.y.size:
            activate_backward(self.backend, self._activation, *self._rows(self.y, self.dy, self.dx))

    def _rows(self, *arrays: Array) -> list[Array]:
        return [array.reshape(self._shape) for array in arrays]


class ActivationStep:
    """An activation on a stream.

    x, y: [B, N]
    """

    def __init__(self, layer: Activation, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty(x.shape, layer.dtype)

    @override
    def make_steps(self) -> tuple[Callable[[], None], Callable[[], None]]:
        layer = self._layer

        def step() -> None:
            activate(layer.backend, layer.activation, self._x, self.y)

        return step, step

    def reset(self) -> None:
        """Do nothing: there is no state."""
