"""Cross-entropies of probabilities or logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array, Backend
from numlstm.losses.loss import Loss, Shape, first_where
from numlstm.override import override

__all__ = ["BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"]


class _Smoothed(Loss):
    """The base of cross-entropies whose targets are probabilities, with label smoothing."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        self.from_logits = checks.boolean(from_logits, "from_logits")
        self.label_smoothing = checks.number(label_smoothing, "label_smoothing")
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(f"label_smoothing must be from 0 to 1, not {label_smoothing}")
        _check_axis(axis)
        super().__init__(reduction, name, dtype)

    def check(self, targets: np.ndarray, y_shape: Shape, name: str = "y") -> np.ndarray:
        """Check targets as `Loss.check` does; ValueError also if a target is not from 0 to 1."""
        targets = super().check(targets, y_shape, name)
        if targets.dtype.kind != "b":
            wrong = first_where(targets, lambda t: (t < 0) | (t > 1))
            if wrong is not None:
                raise ValueError(f"{name} holds {targets[wrong]} at {wrong}, expected probabilities from 0 to 1")
        return targets

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this loss."""
        return super().get_config() | {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing}


class BinaryCrossentropy(_Smoothed):
    """mean -t log p - (1 - t) log(1 - p), where each output is an independent probability.

    Args:
        from_logits: Whether outputs are logits z, with p = 1 / (1 + exp(-z)). Logits need no clipping; probabilities
            are clipped to [10⁻⁷, 1 - 10⁻⁷].
        label_smoothing: s from 0 to 1, replaces t by t (1 - s) + s/2.
        axis: -1.
        reduction: As for `Loss`.
        name: As for `Loss`; None: "binary_crossentropy".
        dtype: As for `Loss`.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    name = kernel = "binary_crossentropy"

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        backend.binary_crossentropy(y, target, weights, total, dy, self.from_logits, self.label_smoothing)


class CategoricalCrossentropy(_Smoothed):
    """-Σ t log p over the classes. Targets are one-hot vectors or probabilities.

    Args:
        from_logits: Whether outputs are logits z, with p = exp(z) / Σ exp(z). Logits need no clipping; probabilities
            are clipped to [10⁻⁷, 1 - 10⁻⁷].
        label_smoothing: s from 0 to 1, replaces t by t (1 - s) + s/N.
        axis: -1.
        reduction: As for `Loss`.
        name: As for `Loss`; None: "categorical_crossentropy".
        dtype: As for `Loss`.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    name = kernel = "categorical_crossentropy"

    def target_shape(self, y_shape: Shape) -> Shape:
        """The shape of the outputs; ValueError if N is 1."""
        _check_classes(self.name, y_shape)
        return y_shape

    def check(self, targets: np.ndarray, y_shape: Shape, name: str = "y") -> np.ndarray:
        """Check targets as `_Smoothed.check` does, with a hint if their shape is that of labels."""
        if targets.shape in (y_shape[:-1], (*y_shape[:-1], 1)):
            raise ValueError(
                f"{name} must have shape {self.target_shape(y_shape)}, not {targets.shape}: "
                "for labels use sparse_categorical_crossentropy"
            )
        return super().check(targets, y_shape, name)

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        backend.categorical_crossentropy(y, target, weights, total, dy, self.from_logits, self.label_smoothing)


class SparseCategoricalCrossentropy(Loss):
    """-log p of the target class. Targets are labels from 0 to N - 1.

    Args:
        from_logits: As for `CategoricalCrossentropy`.
        ignore_class: A label whose rows do not count. It need not be a class. None: all rows count.
        reduction: As for `Loss`.
        axis: -1.
        name: As for `Loss`; None: "sparse_categorical_crossentropy".
        dtype: As for `Loss`.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    name = kernel = "sparse_categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        self.from_logits = checks.boolean(from_logits, "from_logits")
        limits = np.iinfo(np.int64)
        self.ignore_class = (
            None if ignore_class is None else checks.integer(ignore_class, "ignore_class", least=limits.min)
        )
        _check_axis(axis)
        super().__init__(reduction, name, dtype)

    def target_dtype(self, dtype: str) -> str:
        """The dtype of labels: "int64"."""
        return "int64"

    def target_shape(self, y_shape: Shape) -> Shape:
        """(B, …) for outputs (B, …, N); ValueError if N is 1."""
        _check_classes(self.name, y_shape)
        return y_shape[:-1]

    def check(self, targets: np.ndarray, y_shape: Shape, name: str = "y") -> np.ndarray:
        """Check labels as `Loss.check` does, and drop a last axis of size 1. ValueError also for an invalid label."""
        if targets.shape == y_shape:
            raise ValueError(
                f"{name} must have shape {self.target_shape(y_shape)}, not {targets.shape}: "
                "for one-hot targets use categorical_crossentropy"
            )
        if targets.shape == (*y_shape[:-1], 1):
            targets = targets[..., 0]
        targets = super().check(targets, y_shape, name)
        classes, ignored = y_shape[-1], self.ignore_class
        if targets.dtype == np.int64 and checks.all_below(targets, classes):
            return targets

        def is_wrong(labels: np.ndarray) -> np.ndarray:
            fits = (labels >= 0) & (labels < classes)
            if labels.dtype.kind == "f":
                fits &= labels == np.floor(labels)
            return ~fits if ignored is None else ~(fits | (labels == ignored))

        wrong = first_where(targets, is_wrong)
        if wrong is not None:
            also = "" if ignored is None else f", or {ignored}"
            raise ValueError(
                f"{name} holds the label {targets[wrong]} at {wrong}, expected integers from 0 to {classes - 1}{also}"
            )
        return targets

    def mask(self, backend: Backend, target: Array, mask: Array | None) -> Array | None:
        """The mask without the rows of the ignored class."""
        if self.ignore_class is None:
            return mask
        out = backend.empty((len(target),), "bool")
        backend.mask_class(target, mask, self.ignore_class, out)
        return out

    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        """Run the kernel. Rows of an ignored class must have weight 0, by the mask of `mask`."""
        if self.ignore_class is not None and weights is None:
            raise ValueError("a loss with an ignored class needs weights, 0 for each row that its mask leaves out")
        backend.sparse_categorical_crossentropy(y, target, weights, total, dy, self.from_logits)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this loss."""
        return super().get_config() | {"from_logits": self.from_logits, "ignore_class": self.ignore_class}


def _check_axis(axis: int) -> None:
    if axis != -1:
        raise ValueError(f"axis must be -1, not {axis}: the classes are the last axis")


def _check_classes(loss: str, y_shape: Shape) -> None:
    if y_shape[-1] < 2:
        raise ValueError(f"{loss} needs at least 2 outputs, not {y_shape[-1]}: for one use binary_crossentropy")
