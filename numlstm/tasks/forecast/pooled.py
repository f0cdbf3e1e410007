"""The errors of the forecasts of several series: of each, and of all together.

Together, values and errors are in parts of each series' naive error, the root mean square of its changes from step to
step in the fitted part, as in the errors of the M5 competition: a large series does not drown the others. Each origin
counts once. The rival of a series is its own best rule of the validation part, and the rival of all is "best_rule",
each one's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from numlstm.data.series import Series
from numlstm.tasks.forecast.fitted import Forecasts
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.verdict import against_naive

__all__ = ["BEST_RULE", "measure_all", "naive_scale", "pooled"]

BEST_RULE = "best_rule"
"""The rival of all series."""


def naive_scale(series: Series, split: Split) -> float:
    """The root mean square of the target's changes in the fitted part; 1 if it is constant."""
    changes = np.diff(series.values[: split.test, 0])
    with np.errstate(over="ignore"):
        scale = float(np.sqrt(np.mean(changes**2))) if len(changes) else 0.0
    return scale if np.isfinite(scale) and scale > 0 else 1.0


def measure_all(names: Sequence[str], forecasts: Sequence[Forecasts], scales: Sequence[float]) -> dict[str, Any]:
    """The result of `measure` for all series together, and for each under "series", by its name.

    Raises:
        ValueError: the squares of the errors of a series overflow.
    """
    found = {}
    for name, each in zip(names, forecasts, strict=True):
        try:
            found[name] = measure(each)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    parts = [_scaled(each, scale) for each, scale in zip(forecasts, scales, strict=True)]
    return measure(pooled(forecasts, scales)) | against_naive(parts) | {"series": found}


def pooled(forecasts: Sequence[Forecasts], scales: Sequence[float]) -> Forecasts:
    """The forecasts of several series as those of one, in parts of their scales, around their means."""
    parts = [_scaled(each, scale) for each, scale in zip(forecasts, scales, strict=True)]

    def joined(arrays: Iterable[np.ndarray]) -> np.ndarray:
        return np.concatenate(list(arrays))

    def shared(tables: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        names = [name for name in tables[0] if all(name in table for table in tables)]
        return {name: joined(table[name] for table in tables) for name in names}

    return Forecasts(
        parts[0].first,
        joined(part.true for part in parts),
        joined(part.predicted for part in parts),
        shared([part.rivals for part in parts]),
        BEST_RULE,
        joined(part.last for part in parts),
        shared([part.bounds for part in parts]),
    )


def _scaled(forecasts: Forecasts, scale: float) -> Forecasts:
    """Forecasts in parts of a scale, around the mean of the true values."""
    level = np.mean(forecasts.true / scale)
    rivals = forecasts.rivals | {BEST_RULE: forecasts.rivals[forecasts.best]}
    return replace(
        forecasts,
        true=forecasts.true / scale - level,
        predicted=forecasts.predicted / scale - level,
        rivals={name: rival / scale - level for name, rival in rivals.items()},
        last=forecasts.last / scale - level,
        bounds={name: bound / scale - level for name, bound in forecasts.bounds.items()},
    )
