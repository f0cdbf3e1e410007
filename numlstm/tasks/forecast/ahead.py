"""Forecasts after the end of a series, or of several targets whose forecasts are values of each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from numlstm import checks
from numlstm.data.series import Series
from numlstm.messages import in_python, listed, option, quoted
from numlstm.tasks.forecast.fitted import (
    UNBOUNDED,
    Bounds,
    FittedForecaster,
    Paths,
    are_counts,
    forecast_paths,
    require_dates,
)

__all__ = ["ahead", "ahead_together"]


def ahead(forecaster: FittedForecaster, series: Series, steps: int) -> tuple[np.ndarray, Bounds]:
    """Forecast the steps after the end of a series, as `ahead_together` does with the targets beside it."""
    every = (forecaster, *forecaster.beside)
    return ahead_together(every, [series.ordered(each.columns) for each in every], steps)[0]


@UNBOUNDED
def ahead_together(
    forecasters: Sequence[FittedForecaster], series: Sequence[Series], steps: int
) -> list[tuple[np.ndarray, Bounds]]:
    """Forecast the steps after the end of the targets of one table: of each [steps], and their bounds.

    Steps beyond the horizon use earlier forecasts as inputs. This requires that each column is a target or known in
    advance. The intervals there are those of such forecasts in the past, see `numlstm.tasks.forecast.intervals`.

    Args:
        forecasters: of each target.
        series: of each target, with that column first. They have the same axis and the same columns.
        steps: the number of steps.

    Raises:
        TypeError: steps is not an integer.
        ValueError: steps is below 1, a series is too short, the steps go beyond the horizon and there are further
            columns, a series has too few coming rows of the columns that are known in advance, or a value is so large
            that a forecast is not a number.
    """
    steps, horizon = checks.integer(steps, "steps"), forecasters[0].horizon
    columns = forecasters[0].columns
    checks.fits((3 + len(columns)) * 8 * steps * len(series), f"a forecast of {quoted(steps)} steps")
    targets = [each.columns[0] for each in forecasters]
    past = [name for name in columns if name not in (*targets, *forecasters[0].future)]
    if steps > horizon and past:
        raise ValueError(
            f"this run forecasts at most {horizon} steps ahead, not {steps}: beyond that it needs future values of"
            f" {listed(past)}, which it does not forecast (train with a horizon of {steps})"
        )
    forecasters = [  # What was counted in the training may be something else in other data.
        replace(each, counts=each.counts and are_counts(known.values[:, 0]))
        for each, known in zip(forecasters, series, strict=True)
    ]
    paths = [_path(*each, steps) for each in zip(forecasters, series, strict=True)]
    found = []
    for each, path, points in zip(series, paths, forecast_paths(paths), strict=True):
        forecaster, point, widths = path.forecaster, points[0], None
        if forecaster.intervals is not None:
            known = path.values[0, : forecaster.reach]
            spread = forecaster.inputs.spread(known, np.array([forecaster.reach - 1]))
            widths = forecaster.intervals.upto(path.length) * spread
        bounds = {name: bound[:steps] for name, bound in forecaster.bounds(point, widths).items()}
        found.append((_numbers(forecaster.restore(point)[:steps], each, forecaster.reach), bounds))
    return found


def _numbers(forecast: np.ndarray, series: Series, reach: int) -> np.ndarray:
    """The forecast; ValueError if a step of it is not a number."""
    if np.isnan(forecast).any():
        seen = np.abs(series.values[-reach:])
        step, column = np.unravel_index(np.nanargmax(seen), seen.shape)
        raise ValueError(
            f"{series.name}: the forecast of {quoted(series.target)} is not a number:"
            f" {quoted(series.columns[column])} is too large in {series.where(len(series) - len(seen) + int(step))};"
            " mend it, or end the data before it"
        )
    return forecast


def _path(forecaster: FittedForecaster, series: Series, steps: int) -> Paths:
    """The one way that a series goes on for at least some steps.

    Raises:
        ValueError: the series is too short, or it has too few coming rows of the columns known in advance.
    """
    reach, names = forecaster.reach, forecaster.future
    if len(series) < reach:
        raise ValueError(f"{series.name} has {len(series)} rows, but at least {reach} are needed")
    length = _length(forecaster, series, steps)
    values = np.full((1, reach + length, len(forecaster.columns)), np.nan)
    values[0, :reach] = series.values[-reach:]
    if names:
        assert series.coming is not None
        values[0, reach:, -len(names) :] = series.coming.values[:length]
    coming = None
    if forecaster.inputs.needs_calendar:
        require_dates(series)
        clock = np.append(series.clock, series.next_clock(length))[len(series) - reach + 1 :]
        coming = np.append(clock, clock[-1])[None]
    return Paths(forecaster, values, coming)


def _length(forecaster: FittedForecaster, series: Series, steps: int) -> int:
    """The steps to forecast: whole blocks; or as many as there are coming rows of what must be known of each step."""
    horizon, names = forecaster.inputs.horizon, forecaster.future
    whole, needed = math.ceil(steps / horizon) * horizon, max(steps, horizon)
    if not names:
        return whole
    given = 0 if series.coming is None else len(series.coming)
    if given < needed:
        filled = names if series.axis_name is None else (series.axis_name, *names)
        way = f"give them by {option('future')}, or " if in_python() else ""
        sees = f", as the model sees those of its whole horizon of {horizon}" if needed > steps else ""
        raise ValueError(
            f"{series.name} has {given} coming rows of {listed(names)}, but {needed} are needed{sees}: {way}append rows"
            f" with {listed(filled)} filled and {quoted(forecaster.columns[0])} empty"
        )
    return min(whole, given)
