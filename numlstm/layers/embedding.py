"""Embedding: a learned vector for each id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numlstm import checks, initializers, regularizers
from numlstm.kernels import Array
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.passes import Pass
from numlstm.parameters import Parameters

__all__ = ["Embedding"]


class Embedding(Layer):
    """(B, T) ids to (B, T, N) vectors: the rows of a table E, (V, N), that is learned.

    Args:
        input_dim: V, the number of ids, which are 0 to V - 1.
        output_dim: N.
        embeddings_initializer: For E; see `numlstm.initializers`.
        embeddings_regularizer: For E; see `numlstm.regularizers`.
        mask_zero: Whether the id 0 is padding: the steps that hold it are masked.
        dtype: "float32" or "float64", of E.
        name: Unique in a model; None for an automatic one.
        input_shape: (T,), the shape of one sample; T may be None.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        mask_zero: bool = False,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.input_dim = checks.integer(input_dim, "input_dim")
        self.output_dim = checks.integer(output_dim, "output_dim")
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.mask_zero = checks.boolean(mask_zero, "mask_zero")
        super().__init__(name, dtype, input_shape, others)

    @property
    def input_dtype(self) -> str:
        """Ids."""
        return "int64"

    def check_input(self, values: Any, name: str) -> np.ndarray:
        """Ids as int64, of any shape.

        Raises:
            TypeError: If they are not real numbers.
            ValueError: If one is not whole, or none of the layer's ids; or if they do not make one array.
        """
        ids = checks.array(values, name)
        if ids.dtype.kind not in "fiub":
            raise TypeError(f"{name} holds {ids.dtype} values, expected ids: whole numbers")
        wrong = (ids < 0) | (ids >= self.input_dim)
        if ids.dtype.kind == "f":
            wrong |= ids != np.floor(ids)
        if wrong.any():
            raise ValueError(
                f"{name} holds {ids[wrong][0]}, but the ids of layer {self.name!r} are 0 to {self.input_dim - 1}"
            )
        return ids.astype("int64", copy=False)

    def open_shape(self, shape: Shape) -> Shape:
        """The length is open."""
        return (None,) * len(shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T) to (B, T, N)."""
        if len(input_shape) != 2:
            raise ValueError(f"layer {self.name!r} takes ids of shape (batch, time), not {tuple(input_shape)}")
        return (*input_shape, self.output_dim)

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """E (V, N)."""
        self.compute_output_shape(input_shape)
        return {"embeddings": (self.input_dim, self.output_dim)}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "mask_zero": self.mask_zero,
            "dtype": self.dtype,
            "name": self.name,
        }

    @property
    def regularized(self) -> list[tuple[str, regularizers.Regularizer]]:
        """See `Layer.regularized`."""
        return [("embeddings", self.embeddings_regularizer)] if self.embeddings_regularizer else []

    @property
    def masks(self) -> bool:
        """See `Layer.masks`."""
        return self.mask_zero

    def functions(self, with_dx: bool) -> list[str]:
        """See `Layer.functions`."""
        return ["embedding_forward", "embedding_backward"] + ["id_mask"] * self.mask_zero

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> EmbeddingPass:
        """See `Layer.new_pass`."""
        if dx is not None:
            raise ValueError(f"layer {self.name!r} takes ids, which have no gradient")
        return EmbeddingPass(self, x, training)

    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        """See `Layer.initial_values`."""
        return [self.embeddings_initializer(shapes["embeddings"])]

    def _bind(self, parameters: Parameters) -> None:
        self.table = parameters.value("embeddings")


class EmbeddingPass(Pass):
    """The vectors of one batch of ids.

    x: [B, T] int64
    y, dy: [B, T, N]
    """

    def __init__(self, layer: Embedding, x: Array, training: bool) -> None:
        mask = layer.backend.empty(x.shape, "bool") if layer.mask_zero else None
        super().__init__(layer, x, None, mask, training)
        shape = (*x.shape, layer.output_dim)
        self._ids, self._rows = x.shape[0] * x.shape[1], (x.shape[0] * x.shape[1], layer.output_dim)
        self.y = self.backend.empty(shape, layer.dtype)
        if training:
            self.dy = self.backend.empty(shape, layer.dtype)

    @property
    def repeats(self) -> bool:
        """See `Pass.repeats`."""
        return self.mask is None

    def forward(self) -> None:
        """Write the ids' vectors, and the mask."""
        if not self._ids:
            return
        ids = self.x.reshape(self._ids)
        self.backend.embedding_forward(self.layer.table, ids, self.y.reshape(self._rows))
        if self.mask is not None:
            self.backend.id_mask(ids, self.mask.reshape(self._ids))

    def backward(self) -> None:
        """The gradient of E."""
        if self._ids:
            gradient = self.gradient("embeddings")
            self.backend.embedding_backward(self.x.reshape(self._ids), self.dy.reshape(self._rows), gradient)
        else:
            self.layer.parameters.clear_gradients()
