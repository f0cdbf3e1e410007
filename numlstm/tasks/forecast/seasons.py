"""The season of a series: from the rule of its dates, and from its autocorrelation."""

from __future__ import annotations

import numpy as np

__all__ = ["find_season", "step_in_days"]

_PEAKS = 3
"""The highest peaks of the autocorrelation that are tried."""
_CLOSE = 1.25
"""A longer season must lower the error of its rule by more than this factor: a multiple of the season does as well."""


def find_season(values: np.ndarray, axis: np.ndarray, season: int | str) -> int | None:
    """The number of steps of a season, or None.

    A candidate is a season if the autocorrelation has it, by 3 or 4 standard deviations of that of noise, and one of
    the seasonal rules has a lower error, one step ahead, than the last value. Candidates of the calendar precede those
    of the autocorrelation.

    Args:
        values: [N] the training part.
        axis: [N] its axis.
        season: a number of steps, which is returned; "none"; or "auto".

    Raises:
        ValueError: less than two seasons are given.
    """
    if season == "none":
        return None
    if season != "auto":
        assert isinstance(season, int)
        if len(values) < 2 * season:
            raise ValueError(
                f"the training part has {len(values)} rows, but a season of {season} needs {2 * season}: give more rows"
                " or a shorter season"
            )
        return season
    if len(values) < 8 or values.min() == values.max():
        return None
    with np.errstate(all="ignore"):
        levels = _autocorrelation(_without_line(values))
        changes = _autocorrelation(np.diff(values))
    if not (np.isfinite(levels).all() and np.isfinite(changes).all()):
        return None  # Constant changes, or values whose squares overflow.
    for candidates, deviations, periods in ((_of_calendar(axis), 3, 2), (_peaks(levels, changes), 4, 3)):
        bar = max(0.1 * deviations, deviations / np.sqrt(len(values)))
        errors = {
            lag: _error(values, lag)
            for lag in sorted(set(candidates))
            if periods * lag < len(values) and _is_peak(levels, changes, lag, bar)
        }
        errors = {lag: error for lag, error in errors.items() if error < 1}
        if errors:
            lowest = min(errors.values())
            return next(lag for lag, error in errors.items() if error <= _CLOSE * lowest)
    return None


def step_in_days(axis: np.ndarray) -> float | None:
    """The median step of an axis of dates in days; None for other axes."""
    if axis.dtype.kind != "M" or len(axis) < 3:
        return None
    return float(np.median(np.diff(axis).astype("timedelta64[us]").astype(np.int64))) / 86_400e6


def _of_calendar(axis: np.ndarray) -> list[int]:
    """Steps of a day, a week or a year, whichever the dates suggest."""
    days = step_in_days(axis)
    if days is None:
        return []
    if days < 1:
        return [lag for lag in (round(1 / days), round(7 / days)) if lag > 1]
    if days == 1:
        span = float((axis[-1] - axis[0]) / np.timedelta64(1, "D"))
        return [5 if span / (len(axis) - 1) > 1.3 else 7]  # Business days leave out two of seven.
    names = {7: 52, 30: 12, 31: 12, 91: 4, 92: 4, 90: 4}
    return [names[round(days)]] if round(days) in names else []


def _without_line(values: np.ndarray) -> np.ndarray:
    """Values less their straight line."""
    t = np.arange(len(values)) - (len(values) - 1) / 2
    centred = values - values.mean()
    return centred - t * (t @ centred) / (t @ t)


def _autocorrelation(values: np.ndarray) -> np.ndarray:
    """[N] for lags from 0 on, by FFT."""
    centred = values - values.mean()
    size = 1 << (2 * len(values) - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    correlation = np.fft.irfft(power, size)[: len(values)]
    return correlation / correlation[0]


def _peaks(levels: np.ndarray, changes: np.ndarray) -> list[int]:
    """The lags of the highest peaks up to a third of the series."""
    found: list[int] = []
    for correlation in (levels, changes):
        c = correlation[: len(levels) // 3 + 2]
        lags = 2 + np.flatnonzero((c[2:-1] > c[1:-2]) & (c[2:-1] >= c[3:]))
        found += lags[np.argsort(-c[lags])[:_PEAKS]].tolist()
    return found


def _is_peak(levels: np.ndarray, changes: np.ndarray, lag: int, bar: float) -> bool:
    """Whether the autocorrelation has a lag: high in the changes, or high in the levels after a low.

    A trend or a slow wander has a high autocorrelation without a low before; noise has a low without a height.
    """
    if lag < len(changes) and changes[lag] >= bar:
        return True
    return bool(levels[lag] >= bar and levels[lag] - levels[1:lag].min(initial=1.0) >= bar)


def _error(values: np.ndarray, lag: int) -> float:
    """The squared error of the better seasonal rule relative to that of the last value, one step ahead."""
    true, last = values[lag + 1 :], values[lag:-1]
    seasonal = values[1:-lag]
    change = seasonal + last - values[: -lag - 1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        error = min(np.mean((rule - true) ** 2) for rule in (seasonal, change)) / np.mean((last - true) ** 2)
    return float(error) if np.isfinite(error) else np.inf
