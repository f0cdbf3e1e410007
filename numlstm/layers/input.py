"""Input: the shape of a model's samples, given before the first layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from numlstm import checks
from numlstm.layers.layer import Shape, sizes

__all__ = ["Input"]


class Input:
    """The input shape of a model: `Sequential([Input((10, 1)), LSTM(5)])`. An `Input` is not a layer.

    Args:
        shape: Shape of one sample, with None for an axis of any size.
        batch_size: The number of rows of each batch, for stateful layers. Other layers take batches of any size.
        dtype: Ignored: the first layer determines the dtype of the samples.
        name: Ignored.
        batch_shape: Replaces `shape`; the batch is the first axis.

    Raises:
        ValueError: If not exactly one of `shape` and `batch_shape` is given, `batch_size` is given with `batch_shape`,
            or a size is below 1.
        TypeError: If the shape is not a sequence of integers and None.
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
        if batch_size is not None and batch_shape is not None:
            raise ValueError("Input takes a batch_size or a batch_shape, not both: the batch_shape begins with it")
        given = sizes(shape if batch_shape is None else batch_shape, "shape")
        self.shape: Shape = (None, *given) if batch_shape is None else (None, *given[1:])
        self.batch_size = checks.optional_integer(batch_size, "batch_size") if batch_shape is None else given[0]

    def __array__(self, *_dtype_and_copy: Any, **_named: Any) -> NoReturn:
        """Raise TypeError. In Keras a layer may be called with an Input; here it may not."""
        raise TypeError("an Input holds no numbers: chain layers as in Sequential([Input((10, 1)), LSTM(5)])")
