"""Embedding: map each id to a learned vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from numlstm import checks, initializers, regularizers
from numlstm.kernels import Array
from numlstm.layers.executor import Executor
from numlstm.layers.layer import Layer, Shape
from numlstm.override import override
from numlstm.parameters import Parameters

__all__ = ["Embedding"]


class Embedding(Layer):
    """Maps ids (B, T), or of any shape, to vectors (B, T, N): rows of a learned table E, (V, N).

    Args:
        input_dim: V, the number of ids. Ids are 0 to V - 1.
        output_dim: N, the size of a vector.
        embeddings_initializer: Initializer of E; see `numlstm.initializers`.
        embeddings_regularizer: Regularizer of E; see `numlstm.regularizers`.
        mask_zero: Whether id 0 is padding. Steps with id 0 are then masked. Ids must have the shape (B, T).
        dtype: "float32" or "float64", the dtype of E.
        name: Unique in a model. None: an automatic name.
        input_shape: (T,), the shape of one sample. T may be None.
        input_length: Ignored: sequences may have any length.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    table: Array

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
        input_length: Any = None,
        **others: Any,
    ) -> None:
        self.input_dim = checks.integer(input_dim, "input_dim")
        self.output_dim = checks.integer(output_dim, "output_dim")
        self.embeddings_initializer = initializers.get(embeddings_initializer, "embeddings_initializer")
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer, "embeddings_regularizer")
        self.mask_zero = checks.boolean(mask_zero, "mask_zero")
        super().__init__(name, dtype, input_shape, others)

    @property
    def input_dtype(self) -> str:
        """The dtype of ids: "int64"."""
        return "int64"

    def check_input(self, values: Any, name: str) -> np.ndarray:
        """Convert ids of any shape to int64. The fraction of a float is dropped, as in Keras.

        Raises:
            TypeError: If the ids are not real numbers.
            ValueError: If an id is not from 0 to V - 1, or the ids do not form one array.
        """
        ids = checks.array(values, name)
        if ids.dtype == np.int64 and checks.all_below(ids, self.input_dim):
            return ids
        if ids.dtype.kind not in "fiub":
            raise TypeError(f"{name} holds {ids.dtype} values, expected ids: whole numbers")
        whole = np.trunc(ids) if ids.dtype.kind == "f" else ids
        wrong = ~((whole >= 0) & (whole < self.input_dim))  # NaN is wrong, too.
        if wrong.any():
            raise ValueError(
                f"{name} holds {ids[wrong][0]}, but the ids of layer {self.name!r} are 0 to {self.input_dim - 1}"
            )
        return ids.astype("int64", copy=False)

    def open_shape(self, shape: Shape) -> Shape:
        """All sizes stay open."""
        return (None,) * len(shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T) to (B, T, N), and any other shape with N as a further axis."""
        if not input_shape or (self.mask_zero and len(input_shape) != 2):
            raise ValueError(f"layer {self.name!r} takes ids of shape (batch, time), not {tuple(input_shape)}")
        return (*input_shape, self.output_dim)

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """The shape of E, (V, N)."""
        self.compute_output_shape(input_shape)
        return {"embeddings": (self.input_dim, self.output_dim)}

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
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
    @override
    def regularized(self) -> list[tuple[str, regularizers.Regularizer]]:
        return [("embeddings", self.embeddings_regularizer)] if self.embeddings_regularizer else []

    @property
    @override
    def masks(self) -> bool:
        return self.mask_zero

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return ["embedding_forward", "embedding_backward"] + ["id_mask"] * self.mask_zero

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> EmbeddingExecutor:
        if dx is not None:
            raise ValueError(f"layer {self.name!r} takes ids, which have no gradient")
        return EmbeddingExecutor(self, x, training)

    @override
    def new_step(self, x: Array) -> EmbeddingStep:
        if self.mask_zero:
            raise ValueError(f"layer {self.name!r} cannot be streamed: mask_zero masks steps, and a stream has no mask")
        return EmbeddingStep(self, x)

    @override
    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        return [self.embeddings_initializer(shapes["embeddings"])]

    def _attach(self, parameters: Parameters) -> None:
        self.table = parameters.value("embeddings")


class EmbeddingExecutor(Executor):
    """Embedding on one batch of ids.

    x: [B, T] int64, or any other shape without a mask
    y, dy: [B, T, N]
    """

    def __init__(self, layer: Embedding, x: Array, training: bool) -> None:
        mask = layer.backend.empty(x.shape, "bool") if layer.mask_zero else None
        super().__init__(layer, x, None, mask, training)
        shape = (*x.shape, layer.output_dim)
        self._table = layer.table
        self._ids = prod(x.shape)
        self._rows = (self._ids, layer.output_dim)
        self.y = self.backend.empty(shape, layer.dtype)
        if training:
            self.dy = self.backend.empty(shape, layer.dtype)

    @property
    @override
    def recordable(self) -> bool:
        return self.mask is None

    def forward(self) -> None:
        """Write the vectors of the ids, and the mask if there is one."""
        if not self._ids:
            return
        ids = self.x.reshape(self._ids)
        self.backend.embedding_forward(self._table, ids, self.y.reshape(self._rows))
        if self.mask is not None:
            self.backend.id_mask(ids, self.mask.reshape(self._ids))

    def backward(self) -> None:
        """Compute the gradient of E."""
        if self._ids:
            gradient = self.gradient("embeddings")
            self.backend.embedding_backward(self.x.reshape(self._ids), self.dy.reshape(self._rows), gradient)
        else:
            self.clear_gradients()


class EmbeddingStep:
    """Embedding on a stream.

    x: [B] int64
    y: [B, N]
    """

    def __init__(self, layer: Embedding, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty((*x.shape, layer.output_dim), layer.dtype)

    @override
    def make_steps(self) -> tuple[Callable[[], None], Callable[[], None]]:
        step = partial(self._layer.backend.embedding_forward, self._layer.table, self._x, self.y)
        return step, step

    def reset(self) -> None:
        """Do nothing: there is no state."""
