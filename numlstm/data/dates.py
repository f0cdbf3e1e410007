"""Dates in a column of a table: text in any order of day and month, with or without offsets, or numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numlstm.data.read_options import ReadOptions
from numlstm.data.zones import check_zone, fitting_zone, to_utc
from numlstm.messages import option, quoted

__all__ = ["Dates", "join_columns", "parse_dates"]

_UNIT = "datetime64[us]"
_OFFSET = r":\d\d(?:[.,]\d+)?\s*(Z|[+-]\d\d(?::?\d\d)?)\s*$"
_TELLS_OF_DATES = re.compile(r"\b(date|time|stamp|unix|epoch|ts|ds)+\b", re.IGNORECASE)
# Seconds since 1970 have ten digits from 2001 to 2286. Nanoseconds would lose digits: they stay numbers.
_SINCE_1970 = ((10**8, 10**11, 1_000_000), (10**11, 10**14, 1000), (10**14, 10**17, 1))


@dataclass(frozen=True)
class Dates:
    """The dates of a column.

    moments: [N] datetime64[us], in UTC if there is a zone, NaT where a field is no date
    zone: the time zone; None: the dates have none
    day_first: whether the day stands before the month; None: the dates are not written so
    dotted: whether they are as 31.12.2020, where the day stands first by custom
    note: what a user should know of the zone, or ""
    """

    moments: np.ndarray
    zone: str | None = None
    day_first: bool | None = None
    dotted: bool = False
    note: str = ""


def join_columns(frame: Any, names: Sequence[str]) -> Any:
    """The texts of several columns with spaces between. An hour such as 5 becomes 05:00, and 1330 becomes 13:30."""
    columns = [frame[name] for name in names]
    joined = columns[0].astype(str)
    for column in columns[1:]:
        texts = column.astype(str)
        if column.dtype.kind == "i" and column.between(0, 23).all():
            texts = texts.str.zfill(2) + ":00"
        elif column.dtype.kind == "i" and column.between(0, 2359).all() and (column % 100 < 60).all():
            texts = texts.str.zfill(4).str.replace(r"(..)$", r":\1", regex=True)
        joined = joined + " " + texts
    present = np.logical_and.reduce([column.notna() for column in columns])
    return joined.where(present)


def parse_dates(name: str, column: Any, options: ReadOptions) -> list[Dates]:
    """Parse a column in each way that it can be meant: month first, then day first.

    Args:
        name: its name, which tells whether whole numbers are seconds, milliseconds or microseconds since 1970.
        column: the pandas.Series.
        options: `day_first` and `timezone` are read.

    Returns:
        No, one or two readings. A column is no dates if over half of its first values fail.

    Raises:
        ValueError: some dates have an offset and others none, or the zone's clock does not tell which hour is meant.
    """
    if column.dtype.kind == "M":
        zone = getattr(column.dtype, "tz", None)
        moments = (column if zone is None else column.dt.tz_convert("UTC").dt.tz_localize(None)).to_numpy(_UNIT)
        # pandas writes UTC+01:00.
        return [_in_zone(moments, None if zone is None else re.sub(r"^UTC(?=[+-])", "", str(zone)), options)]
    if column.dtype.kind in "iu":
        return _of_numbers(name, column, options)
    if column.dtype.kind in "bfc":
        return []
    first, either = _parse(column, day_first=False), None
    if not _begins_with_year(column):
        either = _parse(column, day_first=True)
    if first is None or either is None or np.array_equal(first, either, equal_nan=True):
        moments = either if first is None else first
        has_order = first is None or (either is None and not _begins_with_year(column))
        found = [] if moments is None else [Dates(moments, None, first is None if has_order else None)]
    else:
        dotted = bool(column.dropna()[:10].astype(str).str.match(r"\s*\d+\.\d+\.\d").all())
        found = [Dates(first, None, False, dotted), Dates(either, None, True, dotted)]
        if options.day_first is not None:
            found = [found[options.day_first]]
    return [_with_offsets(name, column, each, options) for each in found]


def _begins_with_year(column: Any) -> bool:
    """Whether the texts are such as 2020-01-31: the year is followed by the month."""
    return str(column.dropna()[:10].astype(str).min())[:4].isdigit()


def _parse(column: Any, day_first: bool, form: str | None = None) -> np.ndarray | None:
    """Parse a column of text to [N] datetime64[us], with offsets in UTC; None if over half of its first values fail."""
    import pandas as pd

    parsing: dict[str, Any] = {"errors": "coerce", "dayfirst": day_first, "utc": True, "format": form}
    first = column.dropna()[:10]
    # Most columns of text are no dates: pandas takes milliseconds to find that out.
    if not any(character.isdigit() for value in first for character in str(value)):
        return None
    if form is None and first.astype(str).str.fullmatch(r"[A-Za-z]{3}-\d\d").all():
        parsing["format"] = "%b-%y"  # Jan-15 is a month of 2015. pandas would take it for a day of year 1.
    if first.astype(str).str.match(r"\s*\d{1,2}:").any():  # Times of day are not dates: pandas would add today's date.
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if first.empty or pd.to_datetime(first, **parsing).isna().mean() > 0.5:
            return None
        return pd.to_datetime(column, **parsing).dt.tz_localize(None).to_numpy(_UNIT)


def _of_numbers(name: str, column: Any, options: ReadOptions) -> list[Dates]:
    """Whole numbers as dates: 20200131, and the time since 1970 if the column's name tells of dates."""
    if column.between(1000_01_01, 9999_12_31).all():
        moments = _parse(column.astype(str), False, "%Y%m%d")
        return [] if moments is None else [_in_zone(moments, None, options)]
    if _TELLS_OF_DATES.search(name.replace("_", " ")):
        for least, most, size in _SINCE_1970:
            if column.between(least, most - 1).all():
                return [_in_zone((column.to_numpy(np.int64) * size).view(_UNIT), "UTC", options)]
    return []


def _with_offsets(name: str, column: Any, dates: Dates, options: ReadOptions) -> Dates:
    """Find the zone by the offsets in the texts."""
    if not column.dropna()[:10].astype(str).str.contains(_OFFSET.replace("(Z", "(?:Z")).any():
        found = _in_zone(dates.moments, None, options)
        return replace(dates, moments=found.moments, zone=found.zone)
    texts = column.astype(str).str.extract(_OFFSET, expand=False)
    known = ~np.isnat(dates.moments)
    with_offset = texts.notna().to_numpy() & known
    if not with_offset[known].all():
        row = int(np.flatnonzero(known & ~with_offset)[0])
        raise ValueError(
            f"column {quoted(name)} has dates with an offset from UTC and others without: row"
            f" {column.index[row] + 1} holds {quoted(str(column.iloc[row]))}; give all of them one, or none"
        )
    if options.timezone is not None:
        return replace(dates, zone=options.timezone)
    offsets = texts[known].str.replace(r"^([+-]\d\d):?(\d\d)?$", _spelled, regex=True).to_numpy(object)
    zone = fitting_zone(dates.moments[known], offsets)
    if zone is None:
        zone = "UTC" if offsets[-1] == "Z" else str(offsets[-1])
        note = f"the offsets of {name} are those of no time zone, so {zone} is taken for all"
        note += f" ({option('timezone')} names one)"
    else:
        changes = (offsets != offsets[0]).any()
        note = f"the offsets of {name} change as in {zone} ({option('timezone')} names another zone)" if changes else ""
    return replace(dates, zone=zone, note=note)


def _spelled(offset: re.Match[str]) -> str:
    return f"{offset[1]}:{offset[2] or '00'}"


def _in_zone(moments: np.ndarray, zone: str | None, options: ReadOptions) -> Dates:
    """Dates in UTC of a zone, or dates without one, which are those of the clock of `options.timezone`."""
    if zone is not None:
        return Dates(moments, options.timezone or check_zone(zone))
    if options.timezone is not None and not np.isnat(moments).any():
        return Dates(to_utc(moments, options.timezone), options.timezone)
    return Dates(moments)
