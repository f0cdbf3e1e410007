"""Layer normalization (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from numlstm import checks, initializers, regularizers
from numlstm.kernels import Array, NormalizationGradients, NormalizationWeights
from numlstm.layers.executor import Executor
from numlstm.layers.layer import Layer, Shape
from numlstm.messages import quoted
from numlstm.override import override
from numlstm.parameters import Parameters

__all__ = ["LayerNormalization"]


class LayerNormalization(Layer):
    """y = γ ⊙ (x - μ) / √(σ² + ε) + β, with mean μ and variance σ² over the last axis of each sample, or several.

    The mask passes through.

    Args:
        axis: The axis, or a list of axes. They must be the last ones.
        epsilon: ε, a number from 0.
        center: Whether to add β.
        scale: Whether to multiply by γ.
        beta_initializer: Initializer of β, in the sizes of the axes; see `numlstm.initializers`.
        gamma_initializer: Initializer of γ, in the sizes of the axes.
        beta_regularizer: Regularizer of β; see `numlstm.regularizers`.
        gamma_regularizer: Regularizer of γ.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: Shape of one sample.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    kernel_weights: NormalizationWeights
    """The weights for the kernels, set when the layer is built."""

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        several = isinstance(axis, list | tuple)
        axes = [checks.integer(each, "axis", least=-(2**31)) for each in (axis if several else [axis])]  # type: ignore
        self.axis = axes if several else axes[0]
        self.epsilon = checks.at_least_zero(epsilon, "epsilon")
        self.center = checks.boolean(center, "center")
        self.scale = checks.boolean(scale, "scale")
        self.beta_initializer = initializers.get(beta_initializer, "beta_initializer")
        self.gamma_initializer = initializers.get(gamma_initializer, "gamma_initializer")
        self.beta_regularizer = regularizers.get(beta_regularizer, "beta_regularizer")
        self.gamma_regularizer = regularizers.get(gamma_regularizer, "gamma_regularizer")
        super().__init__(name, dtype, input_shape, others)

    def normalized_shape(self, shape: Shape) -> Shape:
        """The sizes of the normalized axes; ValueError if they are not the last ones, or the batch is one of them."""
        given = self.axis if isinstance(self.axis, list) else [self.axis]
        rank = len(shape)
        axes = sorted(axis + rank if axis < 0 else axis for axis in given)
        if not axes or axes[0] < 1 or axes != list(range(rank - len(axes), rank)):
            raise ValueError(
                f"layer {self.name!r} normalizes the last axes of a sample, but axis is {quoted(self.axis)} and the "
                f"input has shape {tuple(shape)}"
            )
        return shape[axes[0] :]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        sizes = self.normalized_shape(input_shape)
        known = [] if self._parameters is None else list(self._parameters.shapes.values())
        if not all(sizes) or known[:1] not in ([], [sizes]):
            expected = known[0] if known else "known sizes above 0"
            raise ValueError(f"layer {self.name!r} normalizes axes of {expected}, not of {sizes}")
        return input_shape

    def open_shape(self, shape: Shape) -> Shape:
        """The length of sequences stays open unless it is normalized."""
        return super().open_shape(shape) if len(self.normalized_shape(shape)) == 1 else (None, *shape[1:])

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """γ and β, in the sizes of the normalized axes."""
        self.compute_output_shape(input_shape)
        shape = tuple(int(size or 0) for size in self.normalized_shape(input_shape))
        return {name: shape for name, there in (("gamma", self.scale), ("beta", self.center)) if there}

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "dtype": self.dtype,
            "name": self.name,
        }

    @property
    @override
    def regularized(self) -> list[tuple[str, regularizers.Regularizer]]:
        given = {
            "gamma": self.gamma_regularizer if self.scale else None,
            "beta": self.beta_regularizer if self.center else None,
        }
        return [(name, regularizer) for name, regularizer in given.items() if regularizer is not None]

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return ["normalize_rows", "normalize_rows_backward"]

    @override
    def new_executor(
        self, x: Array, dx: Array | None, mask: Array | None, training: bool
    ) -> LayerNormalizationExecutor:
        return LayerNormalizationExecutor(self, x, dx, mask, training)

    @override
    def new_step(self, x: Array) -> LayerNormalizationStep:
        if isinstance(self.axis, list) and len(self.axis) > 1:
            raise ValueError(f"layer {self.name!r} normalizes whole sequences: it cannot be streamed")
        return LayerNormalizationStep(self, x)

    @override
    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        draw = {"gamma": self.gamma_initializer, "beta": self.beta_initializer}
        return [draw[name](shape) for name, shape in shapes.items()]

    def _attach(self, parameters: Parameters) -> None:
        gamma = parameters.value("gamma").reshape(-1) if self.scale else None
        beta = parameters.value("beta").reshape(-1) if self.center else None
        self.kernel_weights = NormalizationWeights(gamma, beta)


class LayerNormalizationExecutor(Executor):
    """Layer normalization on one batch. The kernels see R rows of N numbers that are normalized together.

    x, y, dy: one shape
    """

    def __init__(
        self, layer: LayerNormalization, x: Array, dx: Array | None, mask: Array | None, training: bool
    ) -> None:
        super().__init__(layer, x, dx, mask, training)
        normalized = layer.normalized_shape(x.shape)
        self._weights, self._epsilon = layer.kernel_weights, layer.epsilon
        self._rows = (prod(x.shape[: len(x.shape) - len(normalized)]), prod(int(size or 0) for size in normalized))
        self.y = self.backend.empty(x.shape, layer.dtype)
        self._statistics = self.backend.empty((self._rows[0], 2), layer.dtype)
        if self.has_backward:
            self.dy = self.backend.empty(x.shape, layer.dtype)
            self._gradients = NormalizationGradients(
                self.gradient("gamma").reshape(-1) if layer.scale else None,
                self.gradient("beta").reshape(-1) if layer.center else None,
                None if dx is None else dx.reshape(self._rows),
            )

    @property
    @override
    def recordable(self) -> bool:
        return True

    def forward(self) -> None:
        """Write y, and the mean and deviation of each row."""
        self.backend.normalize_rows(
            self.x.reshape(self._rows), self._weights, self._epsilon, self._statistics, self.y.reshape(self._rows)
        )

    def backward(self) -> None:
        """Compute the gradients of γ and β, and dx if it is not None."""
        self.backend.normalize_rows_backward(
            self.x.reshape(self._rows), self._weights, self._statistics, self.dy.reshape(self._rows), self._gradients
        )


class LayerNormalizationStep:
    """Layer normalization on a stream.

    x, y: [B, F]
    """

    def __init__(self, layer: LayerNormalization, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty(x.shape, layer.dtype)
        self._statistics = layer.backend.empty((x.shape[0], 2), layer.dtype)

    @override
    def make_steps(self) -> tuple[Callable[[], None], Callable[[], None]]:
        layer, x, statistics, y = self._layer, self._x, self._statistics, self.y
        backend, weights = layer.backend, layer.kernel_weights

        def step() -> None:
            backend.normalize_rows(x, weights, layer.epsilon, statistics, y)

        return step, step

    def reset(self) -> None:
        """Do nothing: there is no state."""
