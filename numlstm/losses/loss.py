"""The base of all losses: check targets, and run a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from numlstm import checks
from numlstm.attributes import CheckedAttributes
from numlstm.kernels import Array, Backend, SampledClasses
from numlstm.messages import quoted

__all__ = ["ClassSampler", "Loss", "OpenShape", "first_where"]

Shape = tuple[int, ...]

OpenShape = tuple[int | None, ...]
"""A shape with None for each size that the data choose."""

_AT_ONCE = 1 << 20


class ClassSampler:
    """Chooses the classes of which a training step computes the logits, and runs the loss of these.

    classes: the classes of the step. The Dense layer before the loss reads them
    """

    classes: SampledClasses

    def draw(self, step: int) -> None:
        """Sample the classes of a step of the optimizer, counted from 0."""
        raise NotImplementedError

    def run(self, y: Array, weights: Array | None, total: Array, dy: Array) -> None:
        """As `Loss.run`, for the outputs of these classes: [R, S + 1], with that of the row's own class at the end."""
        raise NotImplementedError


class Loss(CheckedAttributes):
    """The base of all losses. A loss of one's own is not possible, because kernels compute the losses.

    Args:
        reduction: "sum_over_batch_size" or "mean", both of which mean the mean over samples and steps.
        name: Name of the loss; None: the name of the class.
        dtype: None: a loss has the dtype of its model.

    Raises:
        ValueError: If `reduction` or `dtype` has another value.
    """

    never_called: ClassVar = dict.fromkeys(
        ("call", "__call__"), "a loss of your own is not possible, give compile one of numlstm.losses"
    )

    name: str
    kernel: str
    """The contract's function that computes the loss."""
    from_logits = False
    """Whether the outputs are logits instead of probabilities."""
    samples_classes = False
    """Whether a training step may compute the outputs of sampled classes only, see `sampler`."""
    row_axes = 1
    """How many last axes of the outputs make a row. 1: a row is a step, and masked steps do not count. 2: a row is a
    sequence, which has one loss and one weight, and masked steps are no part of it."""

    def __init__(self, reduction: str = "sum_over_batch_size", name: str | None = None, dtype: None = None) -> None:
        if reduction not in ("sum_over_batch_size", "mean"):
            raise ValueError(
                f"reduction must be 'sum_over_batch_size', not {quoted(reduction)}: "
                "scale a loss with sample weights instead"
            )
        if dtype is not None:
            raise ValueError(
                f"dtype must be None, not {quoted(dtype)}: a loss has the dtype of its model, set it there"
            )
        if name is not None or not hasattr(self, "name"):
            self.name = str(name or checks.snake_case(type(self).__name__))

    def target_dtype(self, dtype: str) -> str:
        """The dtype of the targets, for outputs of a dtype."""
        return dtype

    def target_shape(self, y_shape: Shape) -> OpenShape:
        """The shape of the targets, for outputs (B, …, N).

        Raises:
            ValueError: If the loss cannot take N outputs.
        """
        return y_shape

    def check(self, targets: np.ndarray, y_shape: Shape, name: str = "y") -> np.ndarray:
        """Check targets, and return a view of them in `target_shape`. The dtype is not changed.

        A last axis of size 1 may be missing.

        Args:
            targets: The targets, an array or a memory map.
            y_shape: The shape of the outputs, (B, …, N).
            name: Name of the targets in error messages.

        Raises:
            TypeError: If the targets are not real numbers.
            ValueError: If the shape or a value does not fit. The message contains the value.
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
        """The rows that count: those of the mask, without rows that the loss ignores; None: all rows.

        target: [R, …] as for `run`
        mask: [R] bool; None: all rows count
        """
        return mask

    def kernel_target(self, target: Array, mask: Array | None) -> Any:
        """The target as `run` takes it.

        target: [R, …] of `target_shape`, checked
        mask: [B, T] bool, True where a step counts; None: all steps count
        """
        return target

    @property
    def kernels_used(self) -> list[str]:
        """The contract's functions that training and evaluation call."""
        return [self.kernel]

    def sampler(self, backend: Backend, target: Array, classes: int, dtype: str) -> ClassSampler | None:
        """What samples the classes in training; None: training computes all outputs.

        Args:
            backend: The backend of the arrays.
            target: [R] the labels of the loaded samples, checked.
            classes: N, the number of outputs.
            dtype: The dtype of the outputs.
        """
        return None

    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        """Add the loss to `total` and write its gradient.

        y: [R, N] outputs; [R, T, N] if `row_axes` is 2
        target: the result of `kernel_target`
        weights: [R]; None: ones. Rows of weight 0 are not read
        total: [1] float64, the weighted sum over R is added to it
        dy: of the shape of y, overwritten with the gradient of the weighted sum divided by R
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this loss."""
        return {"name": self.name}


def first_where(array: np.ndarray, test: Callable[[np.ndarray], np.ndarray]) -> tuple[int, ...] | None:
    """The index of the first element that passes a test; None if there is none. Reads large arrays in blocks.

    Args:
        array: An array with at least one axis, possibly larger than memory.
        test: Returns a boolean for each element of a block.
    """
    rows = max(1, _AT_ONCE // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        found = test(array[start : start + rows])
        if found.any():
            row, *rest = (int(at) for at in np.unravel_index(int(found.argmax()), found.shape))
            return start + row, *rest
    return None
