"""A trained forecaster, and its forecasts with their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from numlstm import checks
from numlstm.data.series import Series
from numlstm.messages import listed, quoted
from numlstm.model import Model
from numlstm.tasks.forecast.inputs import Inputs
from numlstm.tasks.forecast.intervals import Intervals, quantiles
from numlstm.tasks.forecast.rules import Rivals

__all__ = ["Bounds", "Forecaster", "Forecasts"]

_MOST_SIMULATED = 200
"""Blocks of forecasts beyond the horizon that paths are simulated for. Beyond, the last width is kept."""
_UNBOUNDED = np.errstate(over="ignore", invalid="ignore")
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
    best: the name of the rule by which the skill is measured
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
class Forecaster:
    """A model that forecasts in the data's own units.

    model: maps [M, window, F] to [M, horizon]
    inputs: what it sees, and what its output means
    columns: C names, the target first
    rivals: the naive rules that it is compared with
    intervals: None: it has none
    """

    model: Model
    inputs: Inputs
    columns: tuple[str, ...]
    rivals: Rivals = field(default_factory=Rivals)
    intervals: Intervals | None = None

    @property
    def reach(self) -> int:
        """The number of steps, up to and including the origin, that a forecast uses."""
        return self.inputs.reach

    @_UNBOUNDED
    def over(self, series: Series, start: int = 0) -> Forecasts:
        """Forecast from every origin whose targets are all known and not before step `start`.

        Raises:
            ValueError: the series is too short.
        """
        horizon = self.inputs.horizon
        begin = max(start - self.reach, 0)
        values = series.values[begin:]
        if len(values) < self.reach + horizon:
            raise ValueError(f"{series.name} has {len(series)} rows, but at least {self.reach + horizon} are needed")
        first, target = begin + self.reach, series.values[:, 0]
        true = np.lib.stride_tricks.sliding_window_view(target[first:], horizon)
        origins = np.arange(first - 1, len(series) - horizon)
        coming = None
        if self.inputs.needs_calendar:
            _require_dates(series)
            coming = np.append(series.clock[begin + 1 :], series.clock[-1])
        transformed = self.transformed(values, coming, origins - begin)
        widths = None
        if self.intervals is not None:
            widths = self.intervals.widths[:, None] * self.inputs.spread(values, origins - begin)[:, None]
        rivals = self.rivals.forecasts(target, origins, horizon)
        predicted = self.inputs.restore(transformed)
        bounds = self._bounds(transformed, widths)
        return Forecasts(first, true, predicted, rivals, self.rivals.best, target[origins], bounds)

    @_UNBOUNDED
    def ahead(self, series: Series, steps: int) -> tuple[np.ndarray, Bounds]:
        """Forecast the steps after the end of a series: [steps], and their bounds.

        Steps beyond the horizon use earlier forecasts as inputs. This requires that the target is the only column. The
        intervals there come from simulated paths, in which errors of the past are added to each forecast.

        Raises:
            ValueError: the series is too short, or the steps go beyond the horizon and there are further columns.
        """
        horizon = self.inputs.horizon
        if steps < 1:
            raise ValueError(f"steps must be a whole number from 1 on, not {steps}")
        checks.fits(3 * 8 * steps, f"a forecast of {quoted(steps)} steps")
        if steps > horizon and len(self.columns) > 1:
            raise ValueError(
                f"this run forecasts at most {horizon} steps ahead, not {steps}: beyond that it needs future values of"
                f" {listed(self.columns[1:])} (train with a horizon of {steps})"
            )
        known = series.values[-self.reach :]
        if len(known) < self.reach:
            raise ValueError(f"{series.name} has {len(series)} rows, but at least {self.reach} are needed")
        blocks = math.ceil(steps / horizon)
        coming = None
        if self.inputs.needs_calendar:
            _require_dates(series)
            coming = np.append(series.clock, series.next_clock(blocks * horizon))[len(series) - self.reach + 1 :]
        point = self._paths(known[None], coming, blocks, None)[0]
        widths = None
        if self.intervals is not None:
            widths = self.intervals.widths * self.inputs.spread(known, np.array([self.reach - 1]))
            if blocks > 1:
                widths = self._simulated(known, coming, point, blocks, widths)
        restored = self.inputs.restore(point)[:steps]
        return restored, {name: bound[:steps] for name, bound in self._bounds(point, widths).items()}

    def transformed(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        """Forecasts [K, H] from some origins, in transformed values; arguments as for `Inputs.windows`."""
        windows = self.inputs.windows(values, coming, origins)
        outputs = self.model.predict(windows, batch_size=256, verbose=0)
        return self.inputs.combine(outputs.astype(np.float64), values, origins)

    def _paths(
        self, known: np.ndarray, coming: np.ndarray | None, blocks: int, errors: np.ndarray | None
    ) -> np.ndarray:
        """Forecast blocks of H steps, each from the one before, along S paths: [S, blocks * H], transformed.

        Args:
            known: [S, reach, C].
            coming: the axis one step after each known value and each forecast.
            blocks: number of blocks.
            errors: [blocks, S, H] what is added to the forecasts, in parts of the spread; None: nothing.
        """
        count, reach, columns = known.shape
        origins, horizon = reach * np.arange(1, count + 1) - 1, self.inputs.horizon
        found: list[np.ndarray] = []
        for block in range(blocks):
            part = None if coming is None else np.tile(coming[block * horizon :][:reach], count)
            values = known.reshape(count * reach, columns)
            forecast = self.transformed(values, part, origins)
            if errors is not None:
                forecast = forecast + errors[block] * self.inputs.spread(values, origins)[:, None]
            found.append(forecast)
            if block < blocks - 1:
                known = np.concatenate([known, self.inputs.restore(forecast)[:, :, None]], axis=1)[:, -reach:]
        return np.concatenate(found, axis=1)

    def _simulated(
        self, known: np.ndarray, coming: np.ndarray | None, point: np.ndarray, blocks: int, first: np.ndarray
    ) -> np.ndarray:
        """Widths [L, blocks * H] from the distances between simulated paths and the forecast; the first are given."""
        assert self.intervals is not None
        sample, simulated = self.intervals.sample, min(blocks, _MOST_SIMULATED)
        count = len(sample)
        chosen = np.random.default_rng(0).integers(0, count, (simulated, count))
        paths = self._paths(np.repeat(known[None], count, axis=0), coming, simulated, sample[chosen])
        distances = np.abs(paths - point[: paths.shape[1]])
        widths = quantiles(np.where(np.isfinite(distances), distances, np.inf), self.intervals.levels)
        widths[:, : self.inputs.horizon] = first
        kept = np.repeat(widths[:, -1:], len(point) - widths.shape[1], axis=1)
        return np.concatenate([widths, kept], axis=1)

    def _bounds(self, transformed: np.ndarray, widths: np.ndarray | None) -> Bounds:
        """The bounds of forecasts [..., H] with widths [L, H]."""
        if self.intervals is None or widths is None:
            return {}
        found = [self.inputs.restore(transformed + side * width) for width in widths for side in (-1, 1)]
        return dict(zip(self.intervals.names, found, strict=True))


def _require_dates(series: Series) -> None:
    if series.clock.dtype.kind != "M":
        raise ValueError(f"{series.name} has no dates, but the model of this run sees the calendar: give a date column")
