"""A series: columns of numbers along one axis, and the treatment of missing values."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import TextIO

import numpy as np

from numlstm.data.axis import labels
from numlstm.messages import quoted

__all__ = ["MISSING", "Series", "complete", "write_csv"]

MISSING = ("refuse", "drop", "ffill", "interpolate")
"""The policies of `complete` for missing values."""


@dataclass(frozen=True)
class Series:
    """N steps of C columns.

    name: the name in titles and folder names
    axis_name: the column name of the axis; None if the steps are counted
    axis: [N] datetime64, int64 or float64
    columns: C names, the target first
    values: [N, C] float64
    rows: [N] 1-based numbers of the data rows that the steps come from
    """

    name: str
    axis_name: str | None
    axis: np.ndarray
    columns: tuple[str, ...]
    values: np.ndarray
    rows: np.ndarray

    @property
    def target(self) -> str:
        """The name of the first column, which is forecast."""
        return self.columns[0]

    def __len__(self) -> int:
        return len(self.values)

    def where(self, step: int) -> str:
        """Describe a step for error messages: its row in the file and, with a named axis, its axis value."""
        row = f"row {self.rows[step]}"
        return row if self.axis_name is None else f"{row} ({self.axis_name} {labels(self.axis[step : step + 1])[0]})"

    def take(self, steps: np.ndarray | slice) -> Series:
        """The series with only these steps."""
        return replace(self, axis=self.axis[steps], values=self.values[steps], rows=self.rows[steps])


def complete(series: Series, missing: str = "refuse") -> Series:
    """Remove or fill missing values.

    Args:
        series: the series, with NaN for missing values.
        missing: "refuse" raises; "drop" removes steps with missing values; "ffill" repeats the last known value;
            "interpolate" interpolates linearly along the axis between the known neighbours, so it uses later values.

    Raises:
        ValueError: a value is infinite, the policy cannot fill a missing value, or no step is left.
    """
    if missing not in MISSING:
        raise ValueError(f"missing must be one of {', '.join(MISSING)}, not {quoted(missing)}")
    _refuse_first(series, np.isinf(series.values), "is infinite")
    gaps = np.isnan(series.values)
    if not gaps.any():
        return series
    if missing == "drop":
        series = series.take(~gaps.any(axis=1))
        if not len(series):
            raise ValueError(f"{series.name}: every row misses a value, so nothing is left after dropping them")
        return series
    if missing != "refuse":
        fill = _repeat if missing == "ffill" else _interpolate
        position = series.axis.astype(np.float64)
        columns = [fill(position, values) for values in series.values.T]
        series = replace(series, values=np.stack(columns, axis=1))
    reason = {
        "refuse": "is missing (drop, ffill or interpolate would do without it)",
        "ffill": "is missing and has no value before it",
        "interpolate": "is missing and lies at an end of the series",
    }[missing]
    _refuse_first(series, np.isnan(series.values), reason)
    return series


def _refuse_first(series: Series, bad: np.ndarray, reason: str) -> None:
    """Raise ValueError for the first True of `bad`, [N, C]."""
    if bad.any():
        step, column = np.argwhere(bad)[0]
        raise ValueError(f"{series.name}: {series.where(step)}, column {quoted(series.columns[column])} {reason}")


def _repeat(position: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Replace each NaN of values [N] by the last number before it."""
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return values[last]


def _interpolate(position: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Replace each NaN of values [N] between two numbers by linear interpolation over positions [N]."""
    known = ~np.isnan(values)
    if not known.any():
        return values
    return np.interp(position, position[known], values[known], left=np.nan, right=np.nan)


def write_csv(series: Series, file: TextIO) -> None:
    """Write axis and columns to a CSV file, from which `read_csv` restores them exactly."""
    writer = csv.writer(file, lineterminator="\n")
    if series.axis_name is None:
        writer.writerow(series.columns)
        writer.writerows(series.values.tolist())
    else:
        writer.writerow([series.axis_name, *series.columns])
        writer.writerows([label, *row] for label, row in zip(labels(series.axis), series.values.tolist(), strict=True))
