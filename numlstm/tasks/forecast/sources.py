"""What models learn from the series of a panel, and their errors on the parts that they had not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from numlstm.data.series import Series
from numlstm.model import Model
from numlstm.tasks.forecast.fitted import FittedForecaster, Paths, forecast_paths
from numlstm.tasks.forecast.folds import Fold, contiguous
from numlstm.tasks.forecast.inputs import Inputs
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split

__all__ = ["Source", "Trained", "trained"]

_MOST_BLOCKS = 52
"""Forecasts that are made one from the other to measure the widths of intervals: of a year of weeks, for instance."""
_MOST_ROLLED = 300
"""Origins, over all members, from which they are made."""


@dataclass(frozen=True)
class Trained:
    """The forecaster of a series.

    forecaster: the forecaster, whose model is that of all series
    out_of_fold: its root mean square error on what each model had not learned from; None if there is none
    origins: the number of errors in it
    """

    forecaster: FittedForecaster
    out_of_fold: float | None = None
    origins: int = 0


@dataclass(frozen=True)
class Source:
    """What models learn from a series, before the held-out part.

    inputs: what they see of it, and what their outputs mean
    values: [N, C]
    coming: [N] the axis one step after each value
    origins: [K]
    x, y: the windows [K, W, F] and the outputs that would be right [K, H]
    """

    inputs: Inputs
    values: np.ndarray
    coming: np.ndarray
    origins: np.ndarray
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, series: Series, split: Split, inputs: Inputs) -> Source:
        """The source of a series. ValueError as for `Inputs.windows`."""
        values = series.values[: split.test]
        origins = np.arange(inputs.reach - 1, split.test - inputs.horizon)
        coming = np.append(series.clock[1 : split.test], series.clock[-1])
        x, y = inputs.windows(values, coming, origins), inputs.targets(values, origins)
        return cls(inputs, values, coming, origins, x, y)

    def folds(self, settings: Settings, split: Split) -> list[Fold]:
        """What each member learns from and stops by."""
        if settings.ensemble > 1:
            return contiguous(len(self.origins), settings.ensemble, settings.horizon)
        index = np.arange(len(self.origins))
        first = self.origins + 1
        return [Fold(index[first + settings.outputs <= split.validation], index[first >= split.validation])]

    def held(self, fold: Fold, horizon: int) -> np.ndarray:
        """The origins that a fold holds from its model, and whose `horizon` next values are known."""
        origins = self.origins[fold.validation]
        return origins[origins + horizon < len(self.values)]

    def errors(self, forecast: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """The errors of transformed forecasts [K, H], in parts of the spread at their origins."""
        true = np.lib.stride_tricks.sliding_window_view(self.values[:, 0], forecast.shape[1])[origins + 1]
        return (self.inputs.transform(true) - forecast) / self.inputs.spread(self.values, origins)[:, None]

    def paths(self, forecaster: FittedForecaster, origins: np.ndarray, steps: int) -> Paths:
        """The ways in which the series went on from some origins, as far as they are known in advance."""
        rows = origins[:, None] + np.arange(1 - forecaster.reach, steps + 1)
        values = self.values[rows]
        values[:, forecaster.reach :, : len(forecaster.columns) - forecaster.inputs.future] = np.nan
        return Paths(forecaster, values, self.coming[rows])


def trained(
    sources: Sequence[Source],
    forecasters: Sequence[FittedForecaster],
    settings: Settings,
    models: Sequence[Model],
    folds: Sequence[Sequence[Fold]],
    series: int,
) -> list[Trained]:
    """Add intervals to the forecasters of one table's targets, from errors on what each model had not learned from.

    Args:
        sources: of each target.
        forecasters: of each target.
        settings: of the training.
        models: the members.
        folds: of each target, one for each member.
        series: the number of all series, which share the time for `_MOST_BLOCKS`.
    """
    horizon = forecasters[0].horizon
    held = [
        [source.held(fold, horizon) for fold in own[: len(models)]] for source, own in zip(sources, folds, strict=True)
    ]
    if settings.ensemble == 1 and not settings.levels:
        return [Trained(each) for each in forecasters]
    rolled = _rolled(sources, forecasters, models, held, _MOST_BLOCKS // series) if settings.levels else None
    return [
        _measured(source, forecaster, settings, models, held[index], None if rolled is None else rolled[index])
        for index, (source, forecaster) in enumerate(zip(sources, forecasters, strict=True))
    ]


def _measured(
    source: Source,
    forecaster: FittedForecaster,
    settings: Settings,
    models: Sequence[Model],
    held: Sequence[np.ndarray],
    rolled: np.ndarray | None,
) -> Trained:
    """Fit the intervals of a forecaster. held: the origins of each model; rolled: the errors beyond the horizon."""
    values, found, squares = source.values, [], []
    if not any(map(len, held)):
        return Trained(forecaster)
    true = np.lib.stride_tricks.sliding_window_view(values[:, 0], forecaster.horizon)
    for model, origins in zip(models, held, strict=True):
        if len(origins):
            forecast = forecaster.with_model(model).transformed(values, source.coming, origins)
            found.append(source.errors(forecast, origins))
            with np.errstate(over="ignore", invalid="ignore"):
                squares.append((forecaster.restore(forecast) - true[origins + 1]) ** 2)
    rmse = float(np.sqrt(np.mean(np.concatenate(squares))))
    intervals = Intervals.fit(np.concatenate(found), settings.levels, rolled)
    return Trained(replace(forecaster, intervals=intervals), rmse if np.isfinite(rmse) else None, sum(map(len, held)))


def _rolled(
    sources: Sequence[Source],
    forecasters: Sequence[FittedForecaster],
    models: Sequence[Model],
    held: Sequence[Sequence[np.ndarray]],
    blocks: int,
) -> list[np.ndarray] | None:
    """The errors [m, R] of forecasts of each target that are made from forecasts of all of them, for R steps.

    None if no forecast goes beyond the horizon, as there are columns whose future nobody knows, or if the parts are too
    short to measure such forecasts: R is at most half of the shortest part.

    Args:
        sources: of each target.
        forecasters: of each target.
        models: the members.
        held: of each target, the origins of each model.
        blocks: the most forecasts that are made one from the other.
    """
    first, targets = forecasters[0], {each.columns[0] for each in forecasters}
    if not targets.issuperset(first.columns[: len(first.columns) - len(first.future)]):
        return None
    common = [reduce(np.intersect1d, parts) for parts in zip(*held, strict=True)]
    horizon, shortest = first.horizon, min(map(len, common))
    steps = horizon * min(blocks // first.blocks, (shortest + horizon - 1) // 2 // horizon)
    if steps <= horizon:
        return None
    found: list[list[np.ndarray]] = [[] for _ in sources]
    for model, origins in zip(models, common, strict=True):
        begin = origins[: len(origins) - (steps - horizon)]  # Their paths end in the part, too.
        begin = begin[np.linspace(0, len(begin) - 1, min(len(begin), _MOST_ROLLED // len(models))).astype(int)]
        paths = [
            source.paths(replace(each, model=model), begin, steps)
            for source, each in zip(sources, forecasters, strict=True)
        ]
        for parts, source, forecast in zip(found, sources, forecast_paths(paths), strict=True):
            parts.append(source.errors(forecast, begin))
    return [np.concatenate(parts) for parts in found]
