"""A series from a pandas.DataFrame, and forecasts as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from numlstm.data.dates import parse_dates
from numlstm.data.series import Series, with_coming
from numlstm.messages import listed, option, quoted
from numlstm.tasks.forecast.fitted import Bounds

__all__ = ["check_frame", "coming_of", "forecast_frame", "series_of"]


def check_frame(frame: Any, name: str = "the frame") -> None:
    """Raise TypeError unless it is a pandas.DataFrame, and ValueError if two of its columns have one name."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"the data must be a pandas.DataFrame or the path of a CSV file, not {quoted(frame)}")
    if not frame.columns.is_unique:
        double = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{name} has two columns named {quoted(str(double))}: keep one")


def series_of(frame: Any, columns: Sequence[str], like: Series, future: int = 0, name: str = "the frame") -> Series:
    """Read the columns of a run from a frame. The axis is a column, or the index.

    Args:
        frame: pandas.DataFrame.
        columns: the target and the further columns.
        like: the run's own series, whose axis and whose way of reading dates the frame has too. An index of dates or
            numbers stands for the column of the axis if there is no such column. If the run counts its rows, the rows
            are counted.
        future: the number of the last columns, which are known in advance: the rows after the last known target are
            `Series.coming`.
        name: what the frame is called in an error.

    Raises:
        TypeError: it is no frame.
        ValueError: a column is missing, there twice or not of real numbers, the axis does not increase, or no target
            is known.
    """
    check_frame(frame, name)
    for column in columns:
        if column not in frame.columns:
            raise ValueError(f"{name} has no column {quoted(column)}; it has {listed(map(str, frame.columns))}")
        if np.iscomplexobj(frame[column]):
            raise ValueError(f"column {quoted(column)} of {name} holds complex numbers: give real ones")
    counted = np.arange(1, len(frame) + 1)
    try:
        values = frame[list(columns)].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the columns {listed(columns)} of {name} must hold numbers: {error}") from error
    axis = counted if like.axis_name is None else _axis_of(frame, name, like.axis_name, like)
    return with_coming(Series("frame", like.axis_name, axis, tuple(columns), values, counted), future)


def coming_of(frame: Any, series: Series) -> Series:
    """Read the coming rows of a series from a frame. Arguments and errors as for `series_of`."""
    if not series.future:
        raise ValueError(
            "this run has no columns that are known in advance, so it takes no coming rows: leave out"
            f" {option('future')}, or train with such columns"
        )
    found = series_of(frame, series.future, series, name="the frame of the coming rows")
    if series.axis_name is None:
        found = replace(found, axis=series.axis[-1] + found.axis)
    return found


def _axis_of(frame: Any, source: str, name: str, like: Series) -> np.ndarray:
    """The axis as [N] datetime64[us] or numbers. Dates are read as those of the training were. source: the frame."""
    import pandas as pd

    if name not in frame.columns and isinstance(frame.index, pd.RangeIndex) and frame.index.name != name:
        raise ValueError(f"{source} has neither a column {quoted(name)} nor an index of its values")
    axis = pd.Index(frame[name] if name in frame.columns else frame.index)
    if isinstance(axis, pd.PeriodIndex):
        axis = axis.to_timestamp()
    found: np.ndarray = axis.to_numpy()
    if like.axis.dtype.kind == "M":
        zoned = like.zone is None and isinstance(axis.dtype, pd.DatetimeTZDtype)
        if zoned and (axis.tz_localize(None) != axis.tz_convert(None)).any():  # Of UTC both are the same clock.
            raise ValueError(
                f"{quoted(name)} of {source} has the time zone {axis.dtype.tz}, and the dates of the run have none:"
                " give it without, as by tz_localize(None)"
            )
        reading = replace(like.reading, timezone=like.reading.timezone or like.zone)
        ways = [way.moments for way in parse_dates(name, axis.to_series(index=range(len(axis))), reading)]
        if not ways:
            raise ValueError(f"{quoted(name)} of {source} holds no dates, which the run has: give it dates")
        rule = like.rule
        found = next((way for way in ways if rule is not None and rule.fits(way)), ways[0])
    elif axis.dtype.kind not in "iuf":
        raise ValueError(f"{quoted(name)} of {source} holds no numbers, which the run has: give it numbers")
    absent = np.flatnonzero(pd.isna(found))
    if len(absent):
        value = quoted(str(axis[absent[0]]))
        raise ValueError(f"{quoted(name)} of {source} holds {value} in row {absent[0] + 1}, which tells no place")
    double = np.flatnonzero(found[1:] == found[:-1])
    if len(double):
        value = quoted(str(axis[double[0] + 1]))
        raise ValueError(f"{quoted(name)} of {source} holds {value} twice, in row {double[0] + 2} again: keep one row")
    if not (found[1:] > found[:-1]).all():
        clock = "" if like.zone is None else f"; dates without an offset are those of the clock of {like.zone}"
        raise ValueError(f"{quoted(name)} of {source} must increase from row to row: sort its rows by it{clock}")
    return found


def forecast_frame(series: Series, predicted: np.ndarray, bounds: Bounds) -> Any:
    """Forecasts [steps] after the end of a series and their bounds as a pandas.DataFrame. The axis is its index."""
    import pandas as pd

    index = pd.Index(series.next_axis(len(predicted)), name=series.axis_name or "row")
    if series.zone is not None:
        index = pd.DatetimeIndex(index).tz_localize("UTC").tz_convert(series.zone)
    return pd.DataFrame({"predicted": predicted, **bounds}, index=index)
