"""Input: the shape of a model's samples, said before its first layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from numlstm.layers.layer import Shape, sizes

__all__ = ["Input"]


class Input:
    """Says what goes into a model: `Sequential([Input((10, 1)), LSTM(5)])`. It is no layer.

    Args:
        shape: Of one sample, None where any size will do.
        batch_size: Any: a model takes batches of every size.
        dtype: What the samples consist of; the layers decide it, ids for an Embedding and else numbers.
        name: Any: it is not kept.
        batch_shape: In place of `shape`, with the batch in front.

    Raises:
        ValueError: If there is no shape, or two.
        TypeError: If the shape is none.
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        name: str | None = None,
        *,
        batch_shape: Sequence[int | None] | None = None,
    ) -> None:
        if (shape is None) == (batch_shape is None):
            raise ValueError("Input takes a shape such as (10, 1), or a batch_shape such as (None, 10, 1)")
        given = sizes(shape if batch_shape is None else batch_shape, "shape")
        self.shape: Shape = (None, *given) if batch_shape is None else (None, *given[1:])

    def __array__(self, *_dtype_and_copy: Any, **_named: Any) -> NoReturn:
        """No array: TypeError, for in Keras a layer may be called with an Input."""
        raise TypeError("an Input holds no numbers: chain layers as in Sequential([Input((10, 1)), LSTM(5)])")
