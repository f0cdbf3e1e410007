"""Errors of numbers."""

from __future__ import annotations

import numpy as np

from numlstm.metrics.metric import MeanMetric, numbers_of
from numlstm.override import override

__all__ = ["SMAPE", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "RootMeanSquaredError"]


class MeanAbsoluteError(MeanMetric):
    """mean |p - t|. Arguments as for `Metric`."""

    name = "mean_absolute_error"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        t, p = numbers_of(y_true, y_pred)
        return np.abs(p - t)


class MeanSquaredError(MeanMetric):
    """mean (p - t)². Arguments as for `Metric`."""

    name = "mean_squared_error"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        t, p = numbers_of(y_true, y_pred)
        return (p - t) ** 2


class RootMeanSquaredError(MeanSquaredError):
    """sqrt mean (p - t)². Arguments as for `Metric`."""

    name = "root_mean_squared_error"

    @override
    def result(self) -> float:
        return float(np.sqrt(super().result()))


class MeanAbsolutePercentageError(MeanMetric):
    """100 mean |p - t| / max(|t|, 10⁻⁷). Arguments as for `Metric`."""

    name = "mean_absolute_percentage_error"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        t, p = numbers_of(y_true, y_pred)
        return 100 * np.abs(p - t) / np.maximum(np.abs(t), 1e-7)


class SMAPE(MeanMetric):
    """200 mean |p - t| / (|p| + |t|), from 0 to 200 as in the M4 competition. If p = t = 0, the error is 0.

    Arguments as for `Metric`.
    """

    name = "smape"

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        t, p = numbers_of(y_true, y_pred)
        sizes = np.abs(p) + np.abs(t)
        return 200 * np.divide(np.abs(p - t), sizes, out=np.zeros_like(sizes), where=sizes != 0)
