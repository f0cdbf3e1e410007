"""The dense layer: y = x K + b on the last axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from numlstm import checks, initializers
from numlstm.kernels import Array, DenseGradients, DenseWeights
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.passes import Pass
from numlstm.parameters import Parameters

__all__ = ["Dense"]


class Dense(Layer):
    """y = x K + b, on (B, F) or (B, T, F) input.

    Args:
        units: N, the number of outputs.
        activation: None or "linear"; others are not supported yet.
        use_bias: Whether there is a b.
        kernel_initializer: For K, (F, N); see `numlstm.initializers`.
        bias_initializer: For b, (N,).
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: (F,) or (T, F), the shape of one sample.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
    """

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
    ) -> None:
        self.units = checks.integer(units, "units")
        if activation not in (None, "linear"):
            raise ValueError(f"activation must be None or 'linear', not {activation!r}: others are not supported yet")
        self.use_bias = checks.boolean(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        super().__init__(name, dtype, input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, F) to (B, N), or (B, T, F) to (B, T, N)."""
        features = None if self._parameters is None else self._parameters.shapes["kernel"][0]
        if len(input_shape) not in (2, 3) or not input_shape[-1] or features not in (None, input_shape[-1]):
            last = features or "features"
            raise ValueError(
                f"layer {self.name!r} takes (batch, {last}) or (batch, time, {last}), not shape {tuple(input_shape)}"
            )
        return (*input_shape[:-1], self.units)

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """K (F, N) and b (N,)."""
        self.compute_output_shape(input_shape)
        kernel = (int(input_shape[-1] or 0), self.units)
        return {"kernel": kernel, "bias": (self.units,)} if self.use_bias else {"kernel": kernel}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "dtype": self.dtype,
            "name": self.name,
        }

    def functions(self, with_dx: bool) -> list[str]:
        """See `Layer.functions`."""
        return ["dense_forward", "dense_backward"]

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> DensePass:
        """See `Layer.new_pass`."""
        return DensePass(self, x, dx, mask, training)

    def new_step(self, x: Array) -> DenseStep:
        """See `Layer.new_step`."""
        return DenseStep(self, x)

    def _initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        draw = {"kernel": self.kernel_initializer, "bias": self.bias_initializer}
        return [draw[name](shape) for name, shape in shapes.items()]

    def _bind(self, parameters: Parameters) -> None:
        kernel, bias = parameters.value("kernel"), parameters.value("bias") if self.use_bias else None
        self.weights = DenseWeights(kernel, bias, parameters.buffers.version)


class DensePass(Pass):
    """A dense layer on one batch, whose leading axes are rows R to the kernels.

    x: [B, F] or [B, T, F]
    y, dy: [B, N] or [B, T, N]
    """

    def __init__(self, layer: Dense, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        shape = (*x.shape[:-1], layer.units)
        self.y = self.backend.empty(shape, layer.dtype)
        self._rows, self._features = prod(x.shape[:-1]), x.shape[-1]
        self._y = self.y.reshape(self._rows, layer.units)
        if self.returns:
            self.dy = self.backend.empty(shape, layer.dtype)
            self._dy = self.dy.reshape(self._rows, layer.units)
            self._gradients = DenseGradients(
                self.gradient("kernel"),
                self.gradient("bias") if layer.use_bias else None,
                None if dx is None else dx.reshape(self._rows, self._features),
            )
        self.read(x)

    def read(self, x: Array) -> None:
        """Let `x` be the input from now on."""
        self.x = x
        self._x = x.reshape(self._rows, self._features)

    def forward(self) -> None:
        """Write y = x K + b."""
        if self._rows:
            self.backend.dense_forward(self.layer.weights, self._x, self._y)

    def backward(self) -> None:
        """The gradients of K, b and, where wanted, x."""
        if self._rows:
            self.backend.dense_backward(self.layer.weights, self._x, self._dy, self._gradients)
        elif self.training:
            self.layer.parameters.clear_gradients()


class DenseStep:
    """A dense layer on a stream.

    x: [B, F]
    y: [B, N]
    """

    def __init__(self, layer: Dense, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty((x.shape[0], layer.units), layer.dtype)

    def bind(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """See `Step.bind`."""
        step = self._layer.backend.bind_dense_step(self._layer.weights, self._x, self.y)
        return step, step

    def reset(self) -> None:
        """Nothing to forget."""
