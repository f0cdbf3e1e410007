"""Whether a model beats the best naive rule of the validation part, or is ahead of it by chance.

For each origin, the difference is the squared error of the rule minus that of the model, as a mean over the steps
ahead. A model beats the rule if the mean difference, in parts of its standard error, is above the quantile 0.975 of
Student's t. This is the test of Diebold and Mariano (1995, Comparing Predictive Accuracy) as Harvey, Leybourne and
Newbold (1997) correct it for few forecasts. Neighbouring origins share steps ahead, so their differences are alike: the
standard error counts their covariances, with the weights of Bartlett (Newey and West 1987), which keep it positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from numlstm.tasks.forecast.fitted import Forecasts
from numlstm.tasks.forecast.rules import WORDS

__all__ = ["against_naive", "verdict"]

_FEWEST = 4
"""Forecasts that the test needs."""
_NORMAL = 1.959964
"""The quantile 0.975 of the normal distribution."""


def against_naive(forecasts: Sequence[Forecasts]) -> dict[str, Any]:
    """Compare the model with the best naive rule.

    Args:
        forecasts: those of one series, or of several in the same unit. Their last origins are taken as one moment:
            what moves all series at once is no independent evidence for each. Each has its own rule.

    Returns:
        "beats_naive": whether it does. "naive_t": the mean difference in parts of its standard error, and
        "naive_t_needed": what it must be above. Both are None where there are fewer than four forecasts, or where
        their errors do not differ, or overflow.
    """
    count, horizon = max(len(each.true) for each in forecasts), forecasts[0].true.shape[1]
    sums = np.zeros(count)
    with np.errstate(over="ignore", invalid="ignore"):
        for each in forecasts:
            squares = (each.rivals[each.best] - each.true) ** 2 - (each.predicted - each.true) ** 2
            sums[count - len(squares) :] += squares.mean(axis=1)
        mean, error = sums.mean(), _standard_error(sums, 2 * (horizon - 1))
    # Zero where the forecasts are too few for the horizon.
    corrected = max(0.0, (count + 1 - 2 * horizon + horizon * (horizon - 1) / count) / count)
    if count < _FEWEST or not np.isfinite([mean, error]).all() or error == 0:
        return {"beats_naive": False, "naive_t": None, "naive_t_needed": None}
    t, needed = float(mean / error) * sqrt(corrected), _quantile(count - 1)
    return {"beats_naive": t > needed, "naive_t": t, "naive_t_needed": needed}


def verdict(metrics: dict[str, Any]) -> str:
    """Say whether the model beats the best naive rule.

    Args:
        metrics: the result of `numlstm.tasks.forecast.measure.measure`.
    """
    rule = WORDS[metrics["rival"]]
    if metrics["beats_naive"]:
        return f"the model beats {rule}"
    if metrics["rmse"] < metrics[f"{metrics['rival']}_rmse"]:
        return f"the model's error is lower than that of {rule}, but chance can explain the difference"
    return f"the model does not beat {rule}"


def _standard_error(values: np.ndarray, lags: int) -> float:
    """The standard error of the mean of values [N] that are alike over some lags."""
    count = len(values)
    centred = values - values.mean()
    variance = np.dot(centred, centred)
    for lag in range(1, min(lags, count - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * np.dot(centred[lag:], centred[:-lag])
    return sqrt(max(variance, 0.0)) / count


def _quantile(freedom: int) -> float:
    """The quantile 0.975 of Student's t, to 0.1 from three degrees of freedom on (Abramowitz and Stegun 26.7.5)."""
    z = _NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
