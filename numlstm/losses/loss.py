"""What all losses share: how targets are checked, and how a kernel is run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numlstm.kernels import Array, Backend

__all__ = ["Loss", "first_where"]

Shape = tuple[int, ...]

_AT_ONCE = 1 << 20


class Loss:
    """What all losses share.

    Args:
        reduction: "sum_over_batch_size", which is the mean over samples and steps, or "mean", its other name.
        name: None: the class' own.
        dtype: None: a loss has the dtype of its model.

    Raises:
        ValueError: If the reduction or the dtype is another.
    """

    name: str
    function: str
    """What it calls of the contract."""

    def __init__(self, reduction: str = "sum_over_batch_size", name: str | None = None, dtype: None = None) -> None:
        if reduction not in ("sum_over_batch_size", "mean"):
            raise ValueError(
                f"reduction must be 'sum_over_batch_size', not {reduction!r}: scale a loss with sample weights instead"
            )
        if dtype is not None:
            raise ValueError(f"dtype must be None, not {dtype!r}: a loss has the dtype of its model, set it there")
        if name is not None:
            self.name = str(name)

    def target_dtype(self, dtype: str) -> str:
        """What targets are cast to, for outputs of a dtype."""
        return dtype

    def target_shape(self, y_shape: Shape) -> Shape:
        """The shape of the targets, for outputs (B, …, N).

        Raises:
            ValueError: If the loss cannot be had of so many outputs.
        """
        return y_shape

    def check(self, targets: np.ndarray, y_shape: Shape, name: str = "y") -> np.ndarray:
        """Targets that kernels can take, once cast to `target_dtype`: a view of these, which are copied nowhere.

        A last axis of one may be missing.

        Args:
            targets: Numbers; a memory map will do.
            y_shape: The shape of the outputs, (B, …, N).
            name: What they are called, for messages.

        Raises:
            TypeError: If they are not real numbers.
            ValueError: If their shape does not fit, or a value: it is named.
        """
        if targets.dtype.kind not in "fiub":
            raise TypeError(f"{name} holds {targets.dtype} values, expected real numbers")
        expected = self.target_shape(y_shape)
        if expected[-1] == 1 and targets.shape == expected[:-1]:
            targets = targets[..., np.newaxis]
        if targets.shape != expected:
            raise ValueError(f"{name} must have shape {expected}, not {targets.shape}")
        return targets

    def mask(self, backend: Backend, target: Array, mask: Array | None) -> Array | None:
        """Which rows count: those of a mask, but for rows that the loss itself leaves out; None: all.

        target: [R, …] as for `run`
        mask: [R] bool, or None
        """
        return mask

    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        """Add the loss to `total` and write its gradient.

        y: [R, N] outputs
        target: [R, …] of `target_shape`, checked
        weights: [R], or None for ones; a row of weight 0 is not there
        total: [1] float64, to which the weighted sum over R is added
        dy: [R, N] overwritten with the gradient of that sum divided by R
        """
        getattr(backend, self.function)(y, target, weights, total, dy)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this loss again."""
        return {"name": self.name}


def first_where(array: np.ndarray, test: Callable[[np.ndarray], np.ndarray]) -> tuple[int, ...] | None:
    """The index of the first element for which a test holds, or None; in pieces, as arrays may be larger than memory.

    Args:
        array: At least one axis.
        test: What it says of a piece, element by element.
    """
    rows = max(1, _AT_ONCE // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        found = test(array[start : start + rows])
        if found.any():
            row, *rest = (int(at) for at in np.unravel_index(int(found.argmax()), found.shape))
            return start + row, *rest
    return None
