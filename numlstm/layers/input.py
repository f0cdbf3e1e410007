"""Input: the shape of a model's samples. It begins a `Sequential`, or a graph of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.layers.base import automatic_name
from numlstm.layers.layer import sizes
from numlstm.layers.symbol import Symbol
from numlstm.messages import quoted

__all__ = ["Input"]


class Input(Symbol):
    """The input of a model: `Sequential([Input((10, 1)), LSTM(5)])`, or `y = LSTM(5)(x)` where `x = Input((10, 1))`.

    Args:
        shape: Shape of one sample, with None for an axis of any size.
        batch_size: The number of rows of each batch, for stateful layers. Other layers take batches of any size.
        dtype: Ignored: the layers that read the input determine its dtype.
        name: The name of the input in dicts of data. None: an automatic name.
        batch_shape: Replaces `shape`; the batch is the first axis.

    Raises:
        ValueError: If not exactly one of `shape` and `batch_shape` is given, `batch_size` is given with `batch_shape`,
            or a size is below 1.
        TypeError: If the shape is not a sequence of integers and None, or `dtype` is not a dtype.
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
        rows = checks.optional_integer(batch_size, "batch_size") if batch_shape is None else given[0]
        shape = (None, *given) if batch_shape is None else (None, *given[1:])
        super().__init__(shape, None, batch_size=rows)
        if dtype is not None:
            _check_dtype(dtype)
        self.name = checks.printable_name(automatic_name("input") if name is None else name, "an Input's name")


def _check_dtype(dtype: Any) -> None:
    try:
        np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype of an Input must be that of numbers or ids, not {quoted(dtype)}") from None
