"""How often a class is guessed right. A row with an output that is NaN is wrong, and so is a label that is no class."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks
from numlstm.metrics.metric import MeanMetric, labels_of, numbers_of, outputs_of

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
]


class BinaryAccuracy(MeanMetric):
    """How often an output is on its target's side of a threshold.

    Args:
        name: As for `Metric`; so for the next.
        dtype: None.
        threshold: Outputs above it count as 1, the others as 0: for logits it should be 0.

    Raises:
        TypeError: If the threshold is no number.
        ValueError: If a dtype is given.
    """

    name = "binary_accuracy"

    def __init__(self, name: str | None = None, dtype: None = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self.threshold = checks.number(threshold, "threshold")

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_on_its_side(y_true, y_pred, self.threshold)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        return super().get_config() | {"threshold": self.threshold}


class CategoricalAccuracy(MeanMetric):
    """How often the largest output is where the largest target is. Arguments as for `Metric`."""

    name = "categorical_accuracy"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_largest(_largest(y_true, y_pred), y_pred)


class SparseCategoricalAccuracy(MeanMetric):
    """How often the largest output is that of the class which the target names. Arguments as for `Metric`."""

    name = "sparse_categorical_accuracy"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_largest(labels_of(y_true, y_pred), y_pred)


class TopKCategoricalAccuracy(MeanMetric):
    """How often fewer than k outputs exceed the one where the largest target is.

    Args:
        k: Positive.
        name: As for `Metric`; so for the next.
        dtype: None.

    Raises:
        TypeError: If k is no integer.
        ValueError: If it is not positive, or a dtype is given.
    """

    name = "top_k_categorical_accuracy"

    def __init__(self, k: int = 5, name: str | None = None, dtype: None = None) -> None:
        super().__init__(name, dtype)
        self.k = checks.integer(k, "k")

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_in_top(_largest(y_true, y_pred), y_pred, self.k)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this metric again."""
        return super().get_config() | {"k": self.k}


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """How often fewer than k outputs exceed that of the class which the target names.

    Arguments and errors as for `TopKCategoricalAccuracy`.
    """

    name = "sparse_top_k_categorical_accuracy"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_in_top(labels_of(y_true, y_pred), y_pred, self.k)


class _Accuracy(MeanMetric):
    """The accuracy that the shapes call for, as Keras reads the name "accuracy"."""

    name = "accuracy"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        if y_pred.shape[-1:] == (1,):
            return _is_on_its_side(y_true, y_pred, 0.5)
        if y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1:
            return _is_largest(labels_of(y_true, y_pred), y_pred)
        return _is_largest(_largest(y_true, y_pred), y_pred)


def _is_on_its_side(y_true: np.ndarray, y_pred: np.ndarray, threshold: float) -> np.ndarray:
    t, p = numbers_of(y_true, y_pred)
    return (t == (p > threshold)) & ~np.isnan(p)


def _largest(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """The labels of one-hot targets."""
    if y_true.shape != outputs_of(y_pred).shape:
        raise ValueError(f"y_true and y_pred must have one shape, not {y_true.shape} and {y_pred.shape}")
    return y_true.argmax(axis=-1)


def _is_largest(labels: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    return (y_pred.argmax(axis=-1) == labels) & ~np.isnan(y_pred).any(axis=-1)


def _is_in_top(labels: np.ndarray, y_pred: np.ndarray, k: int) -> np.ndarray:
    classes = y_pred.shape[-1]
    at = np.clip(labels, 0, classes - 1).astype(np.int64)
    given = np.take_along_axis(y_pred, at[..., np.newaxis], axis=-1)
    return ((y_pred > given).sum(axis=-1) < k) & (at == labels) & ~np.isnan(y_pred).any(axis=-1)
