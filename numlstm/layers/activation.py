"""Activations, as a layer and for the layers that end with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from numlstm.kernels import ACTIVATIONS, Array, Backend
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.passes import Pass

__all__ = ["KINDS", "Activation", "activate", "activate_backward", "kind_of", "names_of"]

KINDS = (*ACTIVATIONS, "softmax")
"""The activations of whole layers."""


def kind_of(activation: Any, name: str, kinds: Sequence[str] = KINDS) -> str:
    """The activation's name, "linear" for None.

    Raises:
        TypeError: If it is no name.
        ValueError: If there is none of that name.
    """
    if activation is None:
        return "linear"
    if not isinstance(activation, str):
        raise TypeError(f"{name} must be a name such as {kinds[0]!r}, not {activation!r}")
    if activation not in kinds:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, kinds))}, not {activation!r}")
    return activation


def activate(backend: Backend, kind: str, x: Array, y: Array) -> None:
    """y = φ(x), on rows [R, N]; y may be x."""
    if kind == "softmax":
        backend.softmax(x, y)
    else:
        backend.activate(x, y, kind)


def activate_backward(backend: Backend, kind: str, y: Array, dy: Array, dx: Array) -> None:
    """dx = dy φ'(x), on rows [R, N], from y alone; dx may be dy."""
    if kind == "softmax":
        backend.softmax_backward(y, dy, dx)
    else:
        backend.activate_backward(y, dy, dx, kind)


def names_of(kind: str, with_dx: bool) -> list[str]:
    """What these two call of the contract."""
    if kind == "linear":
        return []
    function = "softmax" if kind == "softmax" else "activate"
    return [function, f"{function}_backward"] if with_dx else [function]


class Activation(Layer):
    """y = φ(x), element by element; "softmax" over the last axis.

    Args:
        activation: One of "relu", "elu", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "exponential",
            "linear" and "softmax".
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: The shape of one sample.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
    """

    def __init__(
        self,
        activation: str | None,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.activation = kind_of(activation, "activation")
        super().__init__(name, dtype, input_shape, others)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Any shape, unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {"activation": self.activation, "dtype": self.dtype, "name": self.name}

    def functions(self, with_dx: bool) -> list[str]:
        """See `Layer.functions`."""
        return names_of(self.activation, with_dx)

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> ActivationPass:
        """See `Layer.new_pass`."""
        return ActivationPass(self, x, dx, mask, training)

    def new_step(self, x: Array) -> ActivationStep:
        """See `Layer.new_step`."""
        return ActivationStep(self, x)


class ActivationPass(Pass):
    """An activation on one batch.

    x, y, dy: any shape, the last axis being N to softmax
    """

    def __init__(self, layer: Activation, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.y = self.backend.empty(x.shape, layer.dtype)
        self._shape = (prod(x.shape[:-1]), x.shape[-1])
        if self.returns:
            self.dy = self.backend.empty(x.shape, layer.dtype)

    @property
    def repeats(self) -> bool:
        """See `Pass.repeats`."""
        return True

    def forward(self) -> None:
        """Write y = φ(x)."""
        if self.y.size:
            activate(self.backend, self.layer.activation, *self._rows(self.x, self.y))

    def backward(self) -> None:
        """The gradient of x, where it is wanted."""
        if self.dx is not None and self.y.size:
            activate_backward(self.backend, self.layer.activation, *self._rows(self.y, self.dy, self.dx))

    def _rows(self, *arrays: Array) -> list[Array]:
        return [array.reshape(self._shape) for array in arrays]


class ActivationStep:
    """An activation on a stream.

    x, y: [B, N]
    """

    def __init__(self, layer: Activation, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty(x.shape, layer.dtype)

    def bind(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """See `Step.bind`."""
        layer = self._layer

        def step() -> None:
            activate(layer.backend, layer.activation, self._x, self.y)

        return step, step

    def reset(self) -> None:
        """Nothing to forget."""
