"""A trained forecaster, and its forecasts with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from numlstm.data.series import Series
from numlstm.model import Model
from numlstm.tasks.forecast.inputs import Inputs
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.rules import Rivals

__all__ = [
    "UNBOUNDED", "Bounds", "FittedForecaster", "Forecasts", "Paths", "are_counts", "beside_each_other",
    "forecast_paths", "require_dates",
]  # fmt: skip

_AT_ONCE = 4096
"""Origins that recursive forecasts are made from at once."""
UNBOUNDED = np.errstate(over="ignore", invalid="ignore")
"""Values far beyond those that were learned from may overflow: their forecasts are infinite or NaN."""

Bounds = dict[str, np.ndarray]
"""Lower and upper bounds of intervals, by names such as lower_80."""


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from M consecutive origins for the H steps after each origin, in the data's own units.

    first: index of the first forecast's first target in the series
    true: [M, H]
    predicted: [M, H]
    rivals: [M, H] for the naive rules by their names
    best: the name of the rule that the rmse ratio is to
    last: [M] the value at the origin
    bounds: [M, H] each
    """

    first: int
    true: np.ndarray
    predicted: np.ndarray
    rivals: dict[str, np.ndarray]
    best: str
    last: np.ndarray
    bounds: Bounds = field(default_factory=dict)


@dataclass(frozen=True)
class FittedForecaster:
    """A model that forecasts in the data's own units.

    model: maps [M, window, F] to [M, inputs.horizon]
    inputs: what it sees, and what its output means
    columns: C names, the target first, those known in advance last
    rivals: the naive rules that it is compared with
    intervals: None: it has none
    blocks: number of the model's outputs, each made from the one before, that make a forecast
    counts: whether the target counts something, so that no forecast and no bound is below 0; see `are_counts`
    beside: the forecasters of the other targets of the same table, whose forecasts are fed back with its own
    """

    model: Model
    inputs: Inputs
    columns: tuple[str, ...]
    rivals: Rivals = field(default_factory=Rivals)
    intervals: Intervals | None = None
    blocks: int = 1
    counts: bool = False
    beside: tuple[FittedForecaster, ...] = ()

    @property
    def horizon(self) -> int:
        """H, the number of steps of a forecast."""
        return self.blocks * self.inputs.horizon

    @property
    def future(self) -> tuple[str, ...]:
        """The columns that are known in advance."""
        return self.columns[len(self.columns) - self.inputs.future :]

    @property
    def reach(self) -> int:
        """The number of steps, up to and including the origin, that a forecast uses."""
        return self.inputs.reach

    @UNBOUNDED
    def over(self, series: Series, start: int = 0) -> Forecasts:
        """Forecast from every origin whose targets are all known and not before step `start`.

        Raises:
            ValueError: the series is too short.
        """
        horizon = self.horizon
        begin = max(start - self.reach, 0)
        values = series.values[begin:]
        if len(values) < self.reach + horizon:
            raise ValueError(f"{series.name} has {len(series)} rows, but at least {self.reach + horizon} are needed")
        first, target = begin + self.reach, series.values[:, 0]
        true = np.lib.stride_tricks.sliding_window_view(target[first:], horizon)
        origins = np.arange(first - 1, len(series) - horizon)
        coming = None
        if self.inputs.needs_calendar:
            require_dates(series)
            coming = np.append(series.clock[begin + 1 :], series.clock[-1])
        transformed = self.transformed(values, coming, origins - begin)
        widths = None
        if self.intervals is not None:
            widths = self.intervals.upto(horizon)[:, None] * self.inputs.spread(values, origins - begin)[:, None]
        rivals = self.rivals.forecasts(target, origins, horizon)
        predicted = self.restore(transformed)
        bounds = self.bounds(transformed, widths)
        return Forecasts(first, true, predicted, rivals, self.rivals.best, target[origins], bounds)

    def transformed(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        """Forecasts [K, H] from some origins, in transformed values; arguments as for `Inputs.windows`."""
        if self.blocks == 1:
            return self.block(values, coming, origins)
        steps, every = np.arange(1 - self.reach, self.horizon + 1), (self, *self.beside)
        orders = [[self.columns.index(name) for name in each.columns] for each in every]
        found = []
        for begin in range(0, len(origins), _AT_ONCE):
            rows = origins[begin : begin + _AT_ONCE, None] + steps
            known, ahead = values[rows], None if coming is None else coming[rows]
            known[:, self.reach :, : len(self.columns) - self.inputs.future] = np.nan  # Not known at the origin.
            paths = [Paths(each, known[:, :, order], ahead) for each, order in zip(every, orders, strict=True)]
            found.append(forecast_paths(paths)[0])
        return np.concatenate(found)

    def with_model(self, model: Model) -> FittedForecaster:
        """The forecaster with another model, which those beside it have, too."""
        return replace(self, model=model, beside=tuple(replace(each, model=model) for each in self.beside))

    def restore(self, transformed: np.ndarray) -> np.ndarray:
        """The forecasts in the data's own units."""
        restored = self.inputs.restore(transformed)
        return np.maximum(restored, 0) if self.counts else restored

    def block(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        """The model's forecasts [K, inputs.horizon]; arguments as for `Inputs.windows`."""
        windows = self.inputs.windows(values, coming, origins)
        outputs = self.model.predict(windows, batch_size=256, verbose=0)
        return self.inputs.combine(outputs.astype(np.float64), values, origins)

    def bounds(self, transformed: np.ndarray, widths: np.ndarray | None) -> Bounds:
        """The bounds of forecasts [..., H] with widths [L, H]."""
        if self.intervals is None or widths is None:
            return {}
        found = [self.restore(transformed + side * width) for width in widths for side in (-1, 1)]
        return dict(zip(self.intervals.names, found, strict=True))


def beside_each_other(forecasters: Sequence[FittedForecaster]) -> list[FittedForecaster]:
    """The forecasters of the targets of one table, each with the others `beside` it."""
    return [
        replace(each, beside=tuple(replace(other, beside=()) for other in forecasters if other is not each))
        for each in forecasters
    ]


def are_counts(values: np.ndarray) -> bool:
    """Whether values look like counts: whole numbers, none below 0."""
    return bool(((values >= 0) & (values == np.floor(values))).all())


@dataclass(frozen=True)
class Paths:
    """S ways in which a series goes on.

    forecaster: the forecaster of the series
    values: [S, reach + L, C], after the first `reach` only of columns that are known in advance
    coming: [S, reach + L] the axis one step after each value, if it is needed
    """

    forecaster: FittedForecaster
    values: np.ndarray
    coming: np.ndarray | None

    @property
    def length(self) -> int:
        """L, the steps after the origin."""
        return self.values.shape[1] - self.forecaster.reach

    def block(self, begin: int) -> np.ndarray:
        """Forecast the horizon of the model after step `begin`, [S, inputs.horizon], in transformed values."""
        reach, inputs = self.forecaster.reach, self.forecaster.inputs
        span, count = reach + inputs.horizon, len(self.values)
        origins = span * np.arange(count) + reach - 1
        seen = self.values[:, begin : begin + span].reshape(count * span, -1)
        coming = None if self.coming is None else self.coming[:, begin : begin + span].reshape(count * span)
        return self.forecaster.block(seen, coming, origins)

    def put(self, target: str, first: int, restored: np.ndarray) -> None:
        """Take forecasts [S, K] of a column from step `first` on for its values, if the series has the column."""
        if target in self.forecaster.columns:
            start = self.forecaster.reach + first
            place = self.forecaster.columns.index(target)
            self.values[:, start : start + restored.shape[1], place] = restored


def forecast_paths(paths: Sequence[Paths]) -> list[np.ndarray]:
    """Forecast all steps of paths of the same length, block by block: of each [S, L], in transformed values.

    A last block that is not whole overlaps with the one before it.

    Args:
        paths: of each target; its forecasts are values of the others.
    """
    paths = [replace(each, values=each.values.copy()) for each in paths]
    horizon, length = paths[0].forecaster.inputs.horizon, paths[0].length
    found: list[list[np.ndarray]] = [[] for _ in paths]
    for first in range(0, length, horizon):
        begin = min(first, length - horizon)
        forecasts = [each.block(begin)[:, first - begin :] for each in paths]
        for parts, each, forecast in zip(found, paths, forecasts, strict=True):
            parts.append(forecast)
            restored = each.forecaster.restore(forecast)
            for other in paths:
                other.put(each.forecaster.columns[0], first, restored)
    return [np.concatenate(parts, axis=1) for parts in found]


def require_dates(series: Series) -> None:
    """Raise ValueError if a series has no dates, which the calendar needs."""
    if series.clock.dtype.kind != "M":
        raise ValueError(f"{series.name} has no dates, but the model of this run sees the calendar: give a date column")
