"""A trained forecaster, its forecasts, and their errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.data.scaling import Scaler
from numlstm.data.series import Series
from numlstm.messages import listed, quoted
from numlstm.model import Sequential
from numlstm.tasks.forecast.rules import Rivals
from numlstm.tasks.forecast.settings import Settings

__all__ = ["Forecaster", "Forecasts", "is_late_copy", "learned", "measure"]


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from M consecutive origins for the H steps after each origin, in the data's own units.

    first: index of the first forecast's first target in the series
    true: [M, H]
    predicted: [M, H]
    rivals: [M, H] for the naive rules by their names
    best: the name of the rule by which the skill is measured
    last: [M] the value at the origin
    """

    first: int
    true: np.ndarray
    predicted: np.ndarray
    rivals: dict[str, np.ndarray]
    best: str
    last: np.ndarray


@dataclass(frozen=True)
class Forecaster:
    """A model that forecasts in the data's own units.

    model: maps [M, window, C] to [M, horizon]
    scaler: scaler of the C columns, or of their differences
    settings: the settings of its training
    columns: C names, the target first
    rivals: the naive rules that it is compared with
    """

    model: Sequential
    scaler: Scaler
    settings: Settings
    columns: tuple[str, ...]
    rivals: Rivals = Rivals()

    @property
    def reach(self) -> int:
        """The number of steps, up to and including the origin, that a forecast uses."""
        return self.settings.window + self.settings.difference

    def over(self, series: Series, start: int = 0) -> Forecasts:
        """Forecast from every origin whose targets are all known and not before step `start`.

        Raises:
            ValueError: the series is too short.
        """
        horizon = self.settings.horizon
        begin = max(start - self.reach, 0)
        values = series.values[begin:]
        if len(values) < self.reach + horizon:
            raise ValueError(f"{series.name} has {len(series)} rows, but at least {self.reach + horizon} are needed")
        true = np.lib.stride_tricks.sliding_window_view(values[self.reach :, 0], horizon)
        first = begin + self.reach
        target, origins = series.values[:, 0], np.arange(first - 1, len(series) - horizon)
        rivals = self.rivals.forecasts(target, origins, horizon)
        return Forecasts(first, true, self._predict(values)[:-horizon], rivals, self.rivals.best, target[origins])

    def ahead(self, series: Series, steps: int) -> np.ndarray:
        """Forecast the steps after the end of a series: [steps].

        Steps beyond the horizon use earlier forecasts as inputs. This requires that the target is the only column.

        Raises:
            ValueError: the series is too short, or the steps go beyond the horizon and there are further columns.
        """
        horizon = self.settings.horizon
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
        blocks: list[np.ndarray] = []
        for _ in range(math.ceil(steps / horizon)):
            blocks.append(self._predict(known)[0])
            if len(self.columns) == 1:
                known = np.concatenate([known, blocks[-1][:, None]])[-self.reach :]
        return np.concatenate(blocks)[:steps]

    def _predict(self, values: np.ndarray) -> np.ndarray:
        """Forecasts [K, H] from every step of values [N, C] with enough steps before it: K = N - reach + 1."""
        scaled = self.scaler.transform(learned(values, self.settings))
        inputs = np.lib.stride_tricks.sliding_window_view(scaled, self.settings.window, axis=0).transpose(0, 2, 1)
        forecast = self.scaler.inverse(self.model.predict(inputs, batch_size=256, verbose=0).astype(np.float64), 0)
        if self.settings.difference:
            return values[self.reach - 1 :, :1] + np.cumsum(forecast, axis=1)
        return forecast


def measure(forecasts: Forecasts) -> dict[str, Any]:
    """Compute errors over all origins and steps, in the data's own units: those of the model and of each naive rule.

    `rmse_ratio` is model ÷ rival, where `rival` is the best rule of the validation part; it is None if that rule is
    exact. `late_copy` says whether the forecasts repeat the series one step late. With a horizon above 1, the errors of
    each step ahead are listed too.

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
    metrics["late_copy"] = is_late_copy(forecasts)
    metrics["origins"] = len(model)
    if model.shape[1] > 1:
        for name, error in {"": model, **{f"{name}_": error for name, error in errors.items()}}.items():
            metrics[f"{name}rmse_by_step"] = np.sqrt(np.mean(error**2, axis=0)).tolist()
    return metrics


def is_late_copy(forecasts: Forecasts) -> bool:
    """Whether the forecasts one step ahead follow the last value instead of the next one.

    They do if they correlate more with the last value, and differ from it, but for a constant, by less than half of
    what they differ from the true value. The second condition tells a copy from a forecast of something smooth.
    """
    predicted, true, last = forecasts.predicted[:, 0], forecasts.true[:, 0], forecasts.last
    if len(true) < 3:
        return False
    with np.errstate(all="ignore"):
        late, right = np.std(predicted - last), np.std(predicted - true)
        correlation = [np.corrcoef(predicted, other)[0, 1] for other in (last, true)]
    return bool(correlation[0] > correlation[1] and late < right / 2)


def learned(values: np.ndarray, settings: Settings) -> np.ndarray:
    """The model's view of values [N, C]: the differences between steps, or the values themselves."""
    if not settings.difference:
        return values
    with np.errstate(over="ignore", invalid="ignore"):  # In training, the scaler refuses infinite differences.
        return np.diff(values, axis=0)
