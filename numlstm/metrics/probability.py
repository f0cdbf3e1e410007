"""Metrics of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks
from numlstm.messages import quoted
from numlstm.metrics.metric import MeanMetric, Metric, labels_of, numbers_of, spread
from numlstm.override import override

__all__ = ["AUC", "Perplexity"]

_EPSILON = 1e-7


class AUC(Metric):
    """The area under the ROC curve of a binary classifier, by trapezoids between thresholds as in Keras.

    It is 0 without positives or without negatives, as in Keras. It is NaN after a NaN output.

    Args:
        num_thresholds: The number of equidistant thresholds from 0 to 1, at least 2.
        curve: "ROC".
        summation_method: "interpolation".
        name: As for `Metric`.
        dtype: As for `Metric`.
        from_logits: Whether outputs are logits z, with p = 1 / (1 + exp(-z)), instead of probabilities.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument has another value.
    """

    name = "auc"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: None = None,
        from_logits: bool = False,
    ) -> None:
        self.num_thresholds = checks.integer(num_thresholds, "num_thresholds", least=2)
        if curve != "ROC":
            raise ValueError(f"curve must be 'ROC', not {quoted(curve)}: others are not supported")
        if summation_method != "interpolation":
            raise ValueError(
                f"summation_method must be 'interpolation', not {quoted(summation_method)}: "
                "for closer bounds raise num_thresholds"
            )
        self.from_logits = checks.boolean(from_logits, "from_logits")
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        """Forget all batches."""
        # The weight of the outputs between each threshold and the next.
        self._positives, self._negatives = np.zeros((2, self.num_thresholds))
        self._is_nan = False

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch, with arguments as for `Metric.update_state`. Targets other than 0 are positives."""
        outputs = checks.array(y_pred, "y_pred")
        if outputs.dtype.kind != "f":
            outputs = checks.numbers(outputs, "y_pred", "float64")
        is_positive, _ = numbers_of(checks.array(y_true, "y_true"), outputs)
        is_positive = is_positive.reshape(-1) != 0
        weights = np.ones(outputs.shape[:1]) if sample_weight is None else spread(sample_weight, outputs.shape)
        weights = weights.reshape(weights.shape + (1,) * (outputs.ndim - weights.ndim))
        weights = np.broadcast_to(weights, outputs.shape).reshape(-1)
        counts = weights != 0
        outputs, is_positive, weights = outputs.reshape(-1)[counts], is_positive[counts], weights[counts]
        if np.isnan(outputs).any():
            self._is_nan = True
            return
        if self.from_logits:
            outputs = 0.5 * (1 + np.tanh(0.5 * outputs))
        # As in Keras: in the precision of the outputs, and an output equal to a threshold counts as below it.
        buckets = np.ceil(np.clip(outputs, 0, 1) * (self.num_thresholds - 1)).astype(np.int64) - 1
        buckets = np.maximum(buckets, 0)
        for total, which in ((self._positives, is_positive), (self._negatives, ~is_positive)):
            total += np.bincount(buckets[which], weights[which], minlength=self.num_thresholds)

    @override
    def result(self) -> float:
        if self._is_nan:
            return float("nan")
        # The weight above each threshold: the sum of its bucket and all higher buckets.
        true, false = (np.cumsum(total[::-1])[::-1] for total in (self._positives, self._negatives))
        if not true[0] or not false[0]:
            return 0.0
        recall, fallout = true / true[0], false / false[0]
        return float((-np.diff(fallout) * (recall[:-1] + recall[1:]) / 2).sum())

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this metric."""
        return super().get_config() | {"num_thresholds": self.num_thresholds, "from_logits": self.from_logits}


class Perplexity(MeanMetric):
    """exp of the mean of -log p, where p is the probability of the label.

    Probabilities are divided by their sum and clipped to [10⁻⁷, 1 - 10⁻⁷], as in the loss. Logits are not.

    Args:
        from_logits: Whether outputs are logits instead of probabilities.
        name: As for `Metric`.
        dtype: As for `Metric`.

    Raises:
        TypeError: If `from_logits` is not a boolean.
        ValueError: If `dtype` is given.
    """

    name = "perplexity"

    def __init__(self, from_logits: bool = False, name: str | None = None, dtype: None = None) -> None:
        super().__init__(name, dtype)
        self.from_logits = checks.boolean(from_logits, "from_logits")

    @override
    def result(self) -> float:
        with np.errstate(over="ignore"):
            return float(np.exp(super().result())) if self._weight else 0.0

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        labels, y = labels_of(y_true, y_pred), y_pred.astype(np.float64, copy=False)
        at = np.clip(labels, 0, y.shape[-1] - 1).astype(np.int64)
        given = np.take_along_axis(y, at[..., np.newaxis], axis=-1)[..., 0]
        with np.errstate(all="ignore"):
            if self.from_logits:
                shift = y.max(axis=-1)
                values = np.log(np.exp(y - shift[..., np.newaxis]).sum(axis=-1)) + shift - given
            else:
                values = -np.log(np.clip(given / y.sum(axis=-1), _EPSILON, 1 - _EPSILON))
        return np.where(at == labels, values, np.nan)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this metric."""
        return super().get_config() | {"from_logits": self.from_logits}
