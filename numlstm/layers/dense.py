"""The dense layer: y = φ(x K + b) on the last axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from numlstm import checks, initializers, regularizers
from numlstm.kernels import Array, DenseGradients, DenseWeights, SampledClasses
from numlstm.layers.activation import activate, activate_backward, activation_kernels, activation_name
from numlstm.layers.executor import Executor
from numlstm.layers.layer import Layer, Shape
from numlstm.override import override
from numlstm.parameters import Parameters

__all__ = ["Dense"]


class Dense(Layer):
    """y = φ(x K + b), on (B, F) or (B, T, F) input.

    Args:
        units: N, the number of outputs.
        activation: Name of φ; see `numlstm.layers.Activation`. None: the identity.
        use_bias: Whether to add b.
        kernel_initializer: Initializer of K, (F, N); see `numlstm.initializers`.
        bias_initializer: Initializer of b, (N,).
        kernel_regularizer: Regularizer of K; see `numlstm.regularizers`.
        bias_regularizer: Regularizer of b.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: (F,) or (T, F), the shape of one sample.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    kernel_weights: DenseWeights

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        *,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.units = checks.integer(units, "units")
        self.activation = activation_name(activation, "activation")
        self.use_bias = checks.boolean(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        super().__init__(name, dtype, input_shape, others)

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
        """The arguments that recreate this layer."""
        return {
            "units": self.units,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "dtype": self.dtype,
            "name": self.name,
        }

    @property
    @override
    def regularized(self) -> list[tuple[str, regularizers.Regularizer]]:
        given = {"kernel": self.kernel_regularizer, "bias": self.bias_regularizer if self.use_bias else None}
        return [(name, regularizer) for name, regularizer in given.items() if regularizer is not None]

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return ["dense_forward", "dense_backward", *activation_kernels(self.activation, with_dx=True)]

    @property
    @override
    def samples_classes(self) -> bool:
        return self.activation == "linear"

    @override
    def new_executor(
        self, x: Array, dx: Array | None, mask: Array | None, training: bool, sampled: SampledClasses | None = None
    ) -> DenseExecutor:
        """As `Layer.new_executor`.

        Args:
            x, dx, mask, training: As for `Layer.new_executor`.
            sampled: The classes whose outputs are computed, and after them the output of the row's own class; None: all
                outputs. Only without activation.
        """
        if sampled is None:
            return DenseExecutor(self, x, dx, mask, training)
        return SampledDenseExecutor(self, x, dx, mask, training, sampled)

    @override
    def new_step(self, x: Array) -> DenseStep:
        return DenseStep(self, x)

    @override
    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        draw = {"kernel": self.kernel_initializer, "bias": self.bias_initializer}
        return [draw[name](shape) for name, shape in shapes.items()]

    def _attach(self, parameters: Parameters) -> None:
        kernel, bias = parameters.value("kernel"), parameters.value("bias") if self.use_bias else None
        self.kernel_weights = DenseWeights(kernel, bias, parameters.buffers.version)


class DenseExecutor(Executor):
    """A dense layer on one batch. The kernels see the leading axes as one axis of R rows.

    x: [B, F] or [B, T, F]
    y, dy: [B, N] or [B, T, N]
    """

    def __init__(self, layer: Dense, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        units = self.outputs_of(layer)
        shape, self._weights, self._activation = (*x.shape[:-1], units), layer.kernel_weights, layer.activation
        self.y = self.backend.empty(shape, layer.dtype)
        self._rows, self._features = prod(x.shape[:-1]), x.shape[-1]
        self._y = self.y.reshape(self._rows, units)
        if self.has_backward:
            self.dy = self.backend.empty(shape, layer.dtype)
            self._dy = self.dy.reshape(self._rows, units)
            self._gradients = DenseGradients(
                self.gradient("kernel"),
                self.gradient("bias") if layer.use_bias else None,
                None if dx is None else dx.reshape(self._rows, self._features),
            )
        self.read(x)

    def outputs_of(self, layer: Dense) -> int:
        """The number of outputs that are computed."""
        return layer.units

    @property
    @override
    def recordable(self) -> bool:
        return True

    def read(self, x: Array) -> None:
        """Replace the input array by `x`."""
        self.x = x
        self._x = x.reshape(self._rows, self._features)

    def forward(self) -> None:
        """Write y = φ(x K + b)."""
        if self._rows:
            self.backend.dense_forward(self._weights, self._x, self._y)
            if self._activation != "linear":
                activate(self.backend, self._activation, self._y, self._y)

    def backward(self) -> None:
        """Compute the gradients of K and b, and dx if it is not None."""
        if self._rows:
            if self._activation != "linear":
                activate_backward(self.backend, self._activation, self._y, self._dy, self._dy)
            self.backend.dense_backward(self._weights, self._x, self._dy, self._gradients)
        else:
            self.clear_gradients()


class SampledDenseExecutor(DenseExecutor):
    """A dense layer without activation that computes the outputs of sampled classes.

    y, dy: [B, S + 1] or [B, T, S + 1]
    """

    def __init__(
        self, layer: Dense, x: Array, dx: Array | None, mask: Array | None, training: bool, sampled: SampledClasses
    ) -> None:
        self._sampled = sampled
        super().__init__(layer, x, dx, mask, training)

    @override
    def outputs_of(self, layer: Dense) -> int:
        return len(self._sampled.classes) + 1

    @override
    def forward(self) -> None:
        if self._rows:
            self.backend.sampled_dense_forward(self._weights, self._x, self._sampled, self._y)

    @override
    def backward(self) -> None:
        if self._rows:
            self.backend.sampled_dense_backward(self._weights, self._x, self._sampled, self._dy, self._gradients)
        else:
            self.clear_gradients()


class DenseStep:
    """A dense layer on a stream.

    x: [B, F]
    y: [B, N]
    """

    def __init__(self, layer: Dense, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty((x.shape[0], layer.units), layer.dtype)

    @override
    def make_steps(self) -> tuple[Callable[[], None], Callable[[], None]]:
        layer = self._layer
        backend, activation, y = layer.backend, layer.activation, self.y
        step = backend.make_dense_step(layer.kernel_weights, self._x, y)
        if activation == "linear":
            return step, step

        def activated() -> None:
            step()
            activate(backend, activation, y, y)

        return activated, activated

    def reset(self) -> None:
        """Do nothing: there is no state."""
