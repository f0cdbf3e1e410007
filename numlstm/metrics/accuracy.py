"""Accuracies. A row with a NaN output, or with a label that is not a class, counts as wrong."""

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
    """The fraction of outputs that are on the same side of a threshold as their targets.

    Args:
        name: As for `Metric`.
        dtype: As for `Metric`.
        threshold: Outputs above it count as 1, other outputs as 0. For logits use 0.

    Raises:
        TypeError: If `threshold` is not a number.
        ValueError: If `dtype` is given.
    """

    name = "binary_accuracy"

    def __init__(self, name: str | None = None, dtype: None = None, threshold: float = 0.5) -> None:
        super().__init__(name, dtype)
        self.threshold = checks.number(threshold, "threshold")

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_on_its_side(y_true, y_pred, self.threshold)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this metric."""
        return super().get_config() | {"threshold": self.threshold}


class CategoricalAccuracy(MeanMetric):
    """The fraction of rows whose largest output is at the index of the largest target. Arguments as for `Metric`."""

    name = "categorical_accuracy"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_largest(_largest(y_true, y_pred), y_pred)


class SparseCategoricalAccuracy(MeanMetric):
    """The fraction of rows whose largest output is at the index of the label. Arguments as for `Metric`."""

    name = "sparse_categorical_accuracy"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_largest(labels_of(y_true, y_pred), y_pred)


class TopKCategoricalAccuracy(MeanMetric):
    """The fraction of rows in which fewer than k outputs exceed the output at the index of the largest target.

    Args:
        k: Positive.
        name: As for `Metric`.
        dtype: As for `Metric`.

    Raises:
        TypeError: If k is not an integer.
        ValueError: If k is not positive, or `dtype` is given.
    """

    name = "top_k_categorical_accuracy"

    def __init__(self, k: int = 5, name: str | None = None, dtype: None = None) -> None:
        super().__init__(name, dtype)
        self.k = checks.integer(k, "k")

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_in_top(_largest(y_true, y_pred), y_pred, self.k)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this metric."""
        return super().get_config() | {"k": self.k}


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The fraction of rows in which fewer than k outputs exceed the output at the index of the label.

    Arguments and errors as for `TopKCategoricalAccuracy`.
    """

    name = "sparse_top_k_categorical_accuracy"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return _is_in_top(labels_of(y_true, y_pred), y_pred, self.k)


class _Accuracy(MeanMetric):
    """The accuracy that fits the shapes of targets and outputs, as for Keras' name "accuracy"."""

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
