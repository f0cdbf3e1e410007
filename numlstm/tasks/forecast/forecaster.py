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
from numlstm.tasks.forecast.settings import Settings

__all__ = ["Forecaster", "Forecasts", "learned", "measure"]


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from M consecutive origins for the H steps after each origin, in the data's own units.

    first: index of the first forecast's first target in the series
    true: [M, H]
    predicted: [M, H]
    persistence: [M, H] the value at the origin, repeated
    """

    first: int
    true: np.ndarray
    predicted: np.ndarray
    persistence: np.ndarray


@dataclass(frozen=True)
class Forecaster:
    """A model that forecasts in the data's own units.

    model: maps [M, window, C] to [M, horizon]
    scaler: scaler of the C columns, or of their differences
    settings: the settings of its training
    columns: C names, the target first
    """

    model: Sequential
    scaler: Scaler
    settings: Settings
    columns: tuple[str, ...]

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
        known = values[self.reach - 1 : -horizon, :1]
        return Forecasts(begin + self.reach, true, self._predict(values)[:-horizon], np.broadcast_to(known, true.shape))

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
    """Compute errors over all origins and steps, in the data's own units. `rmse_ratio` is model ÷ persistence.

    The ratio is None if persistence is exact. With a horizon above 1, the errors of each step ahead are listed too.

    Raises:
        ValueError: the squares of the errors overflow.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        model, naive = forecasts.predicted - forecasts.true, forecasts.persistence - forecasts.true
        rmse, naive_rmse = (float(np.sqrt(np.mean(error**2))) for error in (model, naive))
    if not (math.isfinite(rmse) and math.isfinite(naive_rmse)):
        raise ValueError("the errors are too large to be squared: give the values in a larger unit")
    metrics: dict[str, Any] = {
        "rmse": rmse,
        "mae": float(np.mean(np.abs(model))),
        "persistence_rmse": naive_rmse,
        "persistence_mae": float(np.mean(np.abs(naive))),
        "rmse_ratio": rmse / naive_rmse if naive_rmse > 0 else None,
        "origins": len(model),
    }
    if model.shape[1] > 1:
        metrics["rmse_by_step"] = np.sqrt(np.mean(model**2, axis=0)).tolist()
        metrics["persistence_rmse_by_step"] = np.sqrt(np.mean(naive**2, axis=0)).tolist()
    return metrics


def learned(values: np.ndarray, settings: Settings) -> np.ndarray:
    """The model's view of values [N, C]: the differences between steps, or the values themselves."""
    if not settings.difference:
        return values
    with np.errstate(over="ignore", invalid="ignore"):  # In training, the scaler refuses infinite differences.
        return np.diff(values, axis=0)
