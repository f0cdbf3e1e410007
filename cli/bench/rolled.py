"""The coverage of intervals whose widths follow the last errors that are known at each origin."""

from __future__ import annotations

import numpy as np

from numlstm.data import Series
from numlstm.tasks.forecast.fitted import FittedForecaster
from numlstm.tasks.forecast.intervals import quantiles

__all__ = ["rolled_coverage"]

_LAST = 250
"""Errors that give the widths."""


def rolled_coverage(forecaster: FittedForecaster, series: Series, start: int) -> dict[str, float]:
    """The share of the values from step `start` on within intervals that are rolled forward, by level.

    A forecast h steps ahead from an origin has the widths of the last errors h steps ahead up to this origin: first
    those of the forecaster's sample, from the fitted part, and then more and more of the held-out part's own.
    """
    if forecaster.intervals is None:
        return {}
    levels, sample = forecaster.intervals.levels, forecaster.intervals.sample
    inputs, forecasts = forecaster.inputs, forecaster.over(series, start)
    count, horizon = forecasts.true.shape
    origins = np.arange(forecasts.first - 1, forecasts.first - 1 + count)
    errors = inputs.transform(forecasts.true) - inputs.transform(forecasts.predicted)
    scores = np.abs(errors) / inputs.spread(series.values, origins)[:, None]
    inside = np.zeros((len(levels), count, horizon), bool)
    for step in range(horizon):
        all_scores = np.append(np.abs(sample[:, step]), scores[:, step])
        for index in range(count):
            # The last forecast whose value is known at this origin has been made step + 1 origins before.
            end = len(sample) + max(index - step, 0)
            widths = quantiles(all_scores[max(end - _LAST, 0) : end, None], levels)[:, 0]
            inside[:, index, step] = scores[index, step] <= widths
    return {f"{level:g}": float(share) for level, share in zip(levels, inside.mean(axis=(1, 2)), strict=True)}
