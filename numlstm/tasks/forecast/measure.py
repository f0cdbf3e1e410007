"""The errors of forecasts, beside those of the naive rules, and the coverage of their intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numlstm.tasks.forecast.fitted import Forecasts
from numlstm.tasks.forecast.verdict import against_naive

__all__ = ["is_late_copy", "measure"]


def measure(forecasts: Forecasts) -> dict[str, Any]:
    """Compute errors over all origins and steps, in the data's own units: those of the model and of each naive rule.

    `rmse_ratio` is the rmse of the model ÷ that of `rival`, the best rule of the validation part: below 1 the model is
    better. It is None if that rule is exact. Sentences, tables and backtests have it under the same name.
    `beats_naive` says whether the model is ahead of that rule by more than chance. `late_copy` says whether the
    forecasts repeat the series one step late, `coverage` which share of the values lies within the intervals of each
    level. With a horizon above 1, the errors of each step ahead are listed too.

    Raises:
        ValueError: the squares of the errors overflow.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        errors = {name: forecast - forecasts.true for name, forecast in forecasts.rivals.items()}
        model = forecasts.predicted - forecasts.true
        squares = {name: float(np.sqrt(np.mean(error**2))) for name, error in errors.items()}
        rmse = float(np.sqrt(np.mean(model**2)))
    if not all(map(math.isfinite, (rmse, *squares.values()))):
        raise ValueError("the errors are too large to be squared: give the values in a larger unit")
    metrics: dict[str, Any] = {"rmse": rmse, "mae": float(np.mean(np.abs(model)))}
    for name, error in errors.items():
        metrics[f"{name}_rmse"] = squares[name]
        metrics[f"{name}_mae"] = float(np.mean(np.abs(error)))
    rival = squares[forecasts.best]
    metrics["rival"] = forecasts.best
    metrics["rmse_ratio"] = rmse / rival if rival > 0 else None
    metrics |= against_naive([forecasts])
    metrics["late_copy"] = is_late_copy(forecasts)
    if forecasts.bounds:
        metrics["coverage"] = _coverage(forecasts)
    metrics["origins"] = len(model)
    if model.shape[1] > 1:
        for name, error in {"": model, **{f"{name}_": error for name, error in errors.items()}}.items():
            metrics[f"{name}rmse_by_step"] = np.sqrt(np.mean(error**2, axis=0)).tolist()
    return metrics


def is_late_copy(forecasts: Forecasts) -> bool:
    """Whether the forecasts one step ahead follow the last value instead of the next one.

    They do if they correlate more with the last value, and differ from it, but for a constant, by less than a quarter
    of what they differ from the true value: such a forecast foresees less than a tenth of the changes' variance.
    """
    predicted, true, last = forecasts.predicted[:, 0], forecasts.true[:, 0], forecasts.last
    if len(true) < 3:
        return False
    with np.errstate(all="ignore"):
        late, right = np.std(predicted - last), np.std(predicted - true)
        correlation = [np.corrcoef(predicted, other)[0, 1] for other in (last, true)]
    return bool(correlation[0] > correlation[1] and late < right / 4)


def _coverage(forecasts: Forecasts) -> dict[str, float]:
    """The share of the true values within the intervals of each level, over all steps ahead."""
    bounds = forecasts.bounds
    levels = [name.removeprefix("lower_") for name in bounds if name.startswith("lower_")]
    return {
        level: float(
            np.mean((bounds[f"lower_{level}"] <= forecasts.true) & (forecasts.true <= bounds[f"upper_{level}"]))
        )
        for level in levels
    }
