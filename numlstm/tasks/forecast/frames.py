"""A series from a pandas.DataFrame, and forecasts as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from numlstm.data.series import Series, with_coming
from numlstm.messages import listed, quoted
from numlstm.tasks.forecast.forecaster import Bounds

__all__ = ["coming_of", "forecast_frame", "series_of"]


def series_of(frame: Any, columns: Sequence[str], axis_name: str | None, future: int = 0) -> Series:
    """Read the columns of a run from a frame. The axis is a column, or the index.

    Args:
        frame: pandas.DataFrame.
        columns: the target and the further columns.
        axis_name: the column of the axis; an index of dates or numbers stands for it if there is no such column. None:
            the rows are counted.
        future: the number of the last columns, which are known in advance: the rows after the last known target are
            `Series.coming`.

    Raises:
        TypeError: it is no frame.
        ValueError: a column is missing or not of numbers, the axis does not increase, or no target is known.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"the data must be a pandas.DataFrame or the path of a CSV file, not {quoted(frame)}")
    for name in columns:
        if name not in frame.columns:
            raise ValueError(f"the frame has no column {quoted(name)}; it has {listed(map(str, frame.columns))}")
    counted = np.arange(1, len(frame) + 1)
    try:
        values = frame[list(columns)].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the columns {listed(columns)} of the frame must hold numbers: {error}") from error
    axis = counted if axis_name is None else _axis_of(frame, axis_name)
    return with_coming(Series("frame", axis_name, axis, tuple(columns), values, counted), future)


def coming_of(frame: Any, series: Series) -> Series:
    """Read the coming rows of a series from a frame. Arguments and errors as for `series_of`."""
    if not series.future:
        raise ValueError(
            "this run has no columns that are known in advance, so it takes no coming rows: leave them out, or train"
            " with --future"
        )
    found = series_of(frame, series.future, series.axis_name)
    if series.axis_name is None:
        found = replace(found, axis=series.axis[-1] + found.axis)
    return found


def _axis_of(frame: Any, name: str) -> np.ndarray:
    """The axis as [N] datetime64[us] or numbers."""
    import pandas as pd

    if name not in frame.columns and isinstance(frame.index, pd.RangeIndex) and frame.index.name != name:
        raise ValueError(f"the frame has neither a column {quoted(name)} nor an index of its values")
    axis = pd.Index(frame[name] if name in frame.columns else frame.index)
    if isinstance(axis, pd.PeriodIndex):
        axis = axis.to_timestamp()
    if axis.dtype.kind not in "iufM":
        try:
            axis = pd.DatetimeIndex(pd.to_datetime(axis, utc=True))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{quoted(name)} of the frame holds neither dates nor numbers: {error}") from error
    if isinstance(axis, pd.DatetimeIndex):
        axis = (axis.tz_convert("UTC").tz_localize(None) if axis.tz is not None else axis).as_unit("us")
    found: np.ndarray = axis.to_numpy()
    if axis.hasnans or not axis.is_monotonic_increasing or not axis.is_unique:
        raise ValueError(f"{quoted(name)} of the frame must increase from row to row: sort the frame by it")
    return found


def forecast_frame(series: Series, predicted: np.ndarray, bounds: Bounds) -> Any:
    """Forecasts [steps] after the end of a series and their bounds as a pandas.DataFrame. The axis is its index."""
    import pandas as pd

    index = pd.Index(series.next_axis(len(predicted)), name=series.axis_name or "row")
    if series.zone is not None:
        index = pd.DatetimeIndex(index).tz_localize("UTC").tz_convert(series.zone)
    return pd.DataFrame({"predicted": predicted, **bounds}, index=index)
