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
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.rules import Rivals

__all__ = ["Bounds", "Forecaster", "Forecasts", "are_counts"]

_AT_ONCE = 4096
"""Origins that recursive forecasts are made from at once."""
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
class Forecaster:
    """A model that forecasts in the data's own units.

    model: maps [M, window, F] to [M, inputs.horizon]
    inputs: what it sees, and what its output means
    columns: C names, the target first, those known in advance last
    rivals: the naive rules that it is compared with
    intervals: None: it has none
    blocks: number of the model's outputs, each made from the one before, that make a forecast
    counts: whether the target counts something, so that no forecast and no bound is below 0; see `are_counts`
    """

    model: Model
    inputs: Inputs
    columns: tuple[str, ...]
    rivals: Rivals = field(default_factory=Rivals)
    intervals: Intervals | None = None
    blocks: int = 1
    counts: bool = False

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

    @_UNBOUNDED
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
            _require_dates(series)
            coming = np.append(series.clock[begin + 1 :], series.clock[-1])
        transformed = self.transformed(values, coming, origins - begin)
        widths = None
        if self.intervals is not None:
            widths = self.intervals.upto(horizon)[:, None] * self.inputs.spread(values, origins - begin)[:, None]
        rivals = self.rivals.forecasts(target, origins, horizon)
        predicted = self.restore(transformed)
        bounds = self._bounds(transformed, widths)
        return Forecasts(first, true, predicted, rivals, self.rivals.best, target[origins], bounds)

    @_UNBOUNDED
    def ahead(self, series: Series, steps: int) -> tuple[np.ndarray, Bounds]:
        """Forecast the steps after the end of a series: [steps], and their bounds.

        Steps beyond the horizon use earlier forecasts as inputs. This requires that the target is the only column that
        is not known in advance. The intervals there are those of such forecasts in the past, see
        `numlstm.tasks.forecast.intervals`.

        Raises:
            TypeError: steps is not an integer.
            ValueError: steps is below 1, the series is too short, the steps go beyond the horizon and there are further
                columns, or the series has too few coming rows of the columns that are known in advance.
        """
        steps = checks.integer(steps, "steps")
        checks.fits((3 + len(self.columns)) * 8 * steps, f"a forecast of {quoted(steps)} steps")
        past = self.columns[1 : len(self.columns) - self.inputs.future]
        if steps > self.horizon and past:
            raise ValueError(
                f"this run forecasts at most {self.horizon} steps ahead, not {steps}: beyond that it needs future"
                f" values of {listed(past)} (train with a horizon of {steps})"
            )
        known = series.values[-self.reach :]
        if len(known) < self.reach:
            raise ValueError(f"{series.name} has {len(series)} rows, but at least {self.reach} are needed")
        values = self._extended(known, series, steps)
        length, coming = len(values) - self.reach, None
        if self.inputs.needs_calendar:
            _require_dates(series)
            clock = np.append(series.clock, series.next_clock(length))[len(series) - self.reach + 1 :]
            coming = np.append(clock, clock[-1])[None]
        point = self._paths(values[None], coming)[0]
        widths = None
        if self.intervals is not None:
            widths = self.intervals.upto(length) * self.inputs.spread(known, np.array([self.reach - 1]))
        restored = self.restore(point)[:steps]
        return restored, {name: bound[:steps] for name, bound in self._bounds(point, widths).items()}

    def transformed(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        """Forecasts [K, H] from some origins, in transformed values; arguments as for `Inputs.windows`."""
        if self.blocks == 1:
            return self._block(values, coming, origins)
        steps = np.arange(1 - self.reach, self.horizon + 1)
        found = []
        for begin in range(0, len(origins), _AT_ONCE):
            rows = origins[begin : begin + _AT_ONCE, None] + steps
            paths = values[rows]
            paths[:, self.reach :, : len(self.columns) - self.inputs.future] = np.nan  # Not known at the origin.
            found.append(self._paths(paths, None if coming is None else coming[rows]))
        return np.concatenate(found)

    def restore(self, transformed: np.ndarray) -> np.ndarray:
        """The forecasts in the data's own units."""
        restored = self.inputs.restore(transformed)
        return np.maximum(restored, 0) if self.counts else restored

    def _block(self, values: np.ndarray, coming: np.ndarray | None, origins: np.ndarray) -> np.ndarray:
        """The model's forecasts [K, inputs.horizon]; arguments as for `Inputs.windows`."""
        windows = self.inputs.windows(values, coming, origins)
        outputs = self.model.predict(windows, batch_size=256, verbose=0)
        return self.inputs.combine(outputs.astype(np.float64), values, origins)

    def _extended(self, known: np.ndarray, series: Series, steps: int) -> np.ndarray:
        """The known values [reach, C] and whole blocks of steps after them, with what is known of these."""
        length = math.ceil(steps / self.inputs.horizon) * self.inputs.horizon
        values = np.full((len(known) + length, known.shape[1]), np.nan)
        values[: len(known)] = known
        names = self.future
        if not names:
            return values
        given = 0 if series.coming is None else len(series.coming)
        if given < length:
            filled = names if series.axis_name is None else (series.axis_name, *names)
            raise ValueError(
                f"{series.name} has {given} coming rows of {listed(names)}, but {length} are needed: append rows with"
                f" {listed(filled)} filled and {quoted(self.columns[0])} empty"
            )
        assert series.coming is not None
        values[len(known) :, -len(names) :] = series.coming.values[:length]
        return values

    def _paths(self, values: np.ndarray, coming: np.ndarray | None) -> np.ndarray:
        """Forecast all steps after the first `reach`, block by block, along S paths: [S, L - reach], transformed.

        Args:
            values: [S, L, C], after the first `reach` only of columns that are known in advance.
            coming: [S, L] the axis one step after each value, if it is needed.
        """
        values = values.copy()
        count, length, columns = values.shape
        reach, horizon = self.reach, self.inputs.horizon
        span = reach + horizon
        origins = span * np.arange(count) + reach - 1
        found: list[np.ndarray] = []
        for begin in range(0, length - reach, horizon):
            seen = values[:, begin : begin + span].reshape(count * span, columns)
            part = None if coming is None else coming[:, begin : begin + span].reshape(count * span)
            forecast = self._block(seen, part, origins)
            found.append(forecast)
            values[:, begin + reach : begin + span, 0] = self.restore(forecast)
        return np.concatenate(found, axis=1)

    def _bounds(self, transformed: np.ndarray, widths: np.ndarray | None) -> Bounds:
        """The bounds of forecasts [..., H] with widths [L, H]."""
        if self.intervals is None or widths is None:
            return {}
        found = [self.restore(transformed + side * width) for width in widths for side in (-1, 1)]
        return dict(zip(self.intervals.names, found, strict=True))


def are_counts(values: np.ndarray) -> bool:
    """Whether values look like counts: whole numbers, none below 0."""
    return bool(((values >= 0) & (values == np.floor(values))).all())


def _require_dates(series: Series) -> None:
    if series.clock.dtype.kind != "M":
        raise ValueError(f"{series.name} has no dates, but the model of this run sees the calendar: give a date column")
