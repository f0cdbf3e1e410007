"""Read a series from a table: choose its axis, its order and its target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from numlstm.data.axis import labels
from numlstm.data.dates import Dates, join_columns, parse_dates
from numlstm.data.numbers import numbers
from numlstm.data.order import merge_equal, order_of, out_of_order
from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.rule import Rule, find_rule
from numlstm.data.series import Series, with_coming
from numlstm.data.table import read_table
from numlstm.data.zones import is_named
from numlstm.messages import listed, offers, option, plain, quoted
from numlstm.reading import shown_name, stands_for_stdin

__all__ = ["check_columns", "name_of", "notes_on_header", "read_csv", "series_in"]


_COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst", ".tar")
_TEXT = (".csv", ".tsv", ".txt", ".dat", ".data")
_MERGED = {"mean": "the mean of equal ones is taken", "last": "the last of equal ones is taken"}


@dataclass(frozen=True)
class _Axis:
    """An axis that was found.

    values: [N] in the order of the file
    order: [N] the rows in the order of the values
    dates: the dates that it is of; None: it is of numbers
    notes: what a user should know of it
    """

    name: str
    values: np.ndarray
    order: np.ndarray
    dates: Dates | None = None
    notes: tuple[str, ...] = ()

    @property
    def zone(self) -> str | None:
        return None if self.dates is None else self.dates.zone


def read_csv(
    path: str | Path,
    target: str | None = None,
    features: Sequence[str] = (),
    axis: str | None = None,
    options: ReadOptions = AS_SEEN,
    future: Sequence[str] = (),
) -> Series:
    """Read the target, further columns and the axis of a CSV or Parquet file.

    Fields may be separated by commas, semicolons, tabs or bars. The axis is the first column beside target and features
    that holds dates. Without dates it is the first such column with increasing numbers. Without increasing numbers the
    steps are counted. If the dates decrease, the rows are reversed. Missing values become NaN (see `complete`). Where
    day and month can be exchanged, the reading with even steps is taken, or the month first. Whole numbers are seconds,
    milliseconds or microseconds since 1970 if their column's name says date, time, unix or epoch.

    Args:
        path: the file, which may be compressed; "-" is standard input. A file that ends in .parquet is Parquet.
        target: the column to forecast; None if there is only one column of numbers beside the axis.
        features: further columns to read.
        axis: the column of the axis; None: chosen as above. `options.date` goes before it.
        options: how the file is read.
        future: columns to read that are known in advance. With any, the rows after the last value of the target are
            `Series.coming`.

    Raises:
        OSError: the file cannot be read, or is a folder, a pipe or a device.
        ValueError: the file is no table, is damaged or has more than 4096 columns, a column is missing or not numeric,
            the dates of the axis neither increase nor decrease, or there are coming rows alone.
        MemoryError: the file, or what it is decompressed to, is larger than the memory.
        ImportError: the file is Parquet, and pyarrow is not installed.
    """
    path = Path(path)
    frame, has_header = read_table(path, options)
    series = series_in(frame, shown_name(path), name_of(path), target, features, axis, options, future)
    return replace(series, source=str(path), notes=(*notes_on_header(has_header), *series.notes))


def series_in(
    frame: Any,
    file: str,
    name: str,
    target: str | None,
    features: Sequence[str],
    axis: str | None,
    options: ReadOptions,
    future: Sequence[str],
) -> Series:
    """Make the series of a table, or of some of its rows, as `read_csv` does, with its arguments and errors.

    The frame is that of `read_table`, and is changed: its index tells the rows of the file, from 0 on. `file` stands in
    messages, `name` is that of the series.
    """
    date = options.date if options.date is not None else None if axis is None else (axis,)
    if date is not None and ",".join(date) in frame.columns:
        date = (",".join(date),)
    features = (*features, *future)
    columns = [] if target is None else [target, *features]
    check_columns(file, frame, [*columns, *features, *(date or ())])
    named = columns or features
    if twice := sorted({column for column in named if named.count(column) > 1}):
        raise ValueError(f"{listed(twice)} must be named once among {_named_kinds(future)}")
    for column in date or ():
        if column in (columns or features):
            raise ValueError(f"column {quoted(column)} is the axis, so it cannot be among {_named_kinds(future)} too")

    others = [name for name in frame.columns if name not in (*columns, *features, *(date or ()))]
    # A single column is not an axis, even if its numbers increase.
    candidates = others if len(frame.columns) > 1 else []
    if date is not None:
        candidates = [" ".join(date)] if date else []
    if date is not None and len(date) > 1:
        frame[candidates[0]] = join_columns(frame, date)
    found = _find_axis(file, frame, candidates, options, named=bool(date))
    if found is None and date:
        raise ValueError(
            f"{file}: column {quoted(candidates[0])} holds neither dates nor growing numbers, so it cannot be the axis"
        )
    if target is None:
        axis_name = None if found is None else found.name
        columns = [_only_number(file, frame, [name for name in others if name != axis_name]), *features]
    values = np.stack([numbers(file, frame, name, options, _label(frame, found)) for name in columns], axis=1)
    rows = frame.index.to_numpy() + 1
    if found is None:
        counted = np.arange(1, len(frame) + 1)
        series = Series(name, None, counted, tuple(columns), values, rows, reading=options)
        return with_coming(series, len(future))
    notes: tuple[str, ...] = ()
    rows, values, positions = rows[found.order], values[found.order], found.values[found.order]
    if options.duplicates != "refuse":
        rows, values, positions = merge_equal(rows, values, positions, options.duplicates)
        if len(rows) < len(frame):
            notes += (f"{len(frame)} rows have {len(rows)} dates: {_MERGED[options.duplicates]}",)
    if found.dates is not None:
        options = replace(options, day_first=found.dates.day_first)
        if found.zone is not None and is_named(found.zone):  # Another file may have another fixed offset.
            options = replace(options, timezone=found.zone)
    rule = find_rule(positions, found.zone)
    notes += (*found.notes, *_notes_on(found, rule, positions))
    series = Series(name, found.name, positions, tuple(columns), values, rows, found.zone, rule, options, notes)
    return with_coming(series, len(future))


def name_of(path: Path) -> str:
    """The name of a file's data. A file name may contain bytes that can neither be printed nor drawn."""
    stem = "stdin" if stands_for_stdin(path) else _without_endings(path.name)
    return plain(stem.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _without_endings(name: str) -> str:
    """A file's name without what tells its format: of sales.csv and sales.csv.gz, sales."""
    stem = name
    while Path(stem).suffix.lower() in _COMPRESSED:
        stem = Path(stem).stem
    return Path(stem).stem if stem == name or Path(stem).suffix.lower() in _TEXT else stem


def notes_on_header(has_header: bool) -> tuple[str, ...]:
    """What a user should know of the first row of a table."""
    if has_header:
        return ()
    way = option("header", True)
    return (f"the first row is data, not names: the columns are column 1, column 2, … ({way} reads it as names)",)


def check_columns(file: str, frame: Any, names: Sequence[str]) -> None:
    """Raise ValueError if a table has no column of a name."""
    for name in names:
        if not name:
            raise ValueError("the name of a column is empty: give names with one comma between two of them")
        if name not in frame.columns:
            way = ""
            if list(frame.columns) == [f"column {number + 1}" for number in range(len(frame.columns))]:
                way = f": put a row of names before its first one, or give {option('header', True)} if that holds them"
            raise ValueError(f"{file} has no column {quoted(name)}; it has {listed(frame.columns)}{way}")


def _named_kinds(future: Sequence[str]) -> str:
    """What columns can be named for."""
    return "target, features and the columns that are known in advance" if future else "target and features"


def _find_axis(file: str, frame: Any, names: Sequence[str], options: ReadOptions, named: bool) -> _Axis | None:
    """The first column of dates in order, or the first one of increasing numbers.

    The numbers of a column that the user `named` may be sorted and merged.

    Raises:
        ValueError: no column has dates in order, but a column has dates.
    """
    complaint = ""
    for name in names:
        readings = parse_dates(name, frame[name], options)
        found = [
            _Axis(name, each.moments, order, each, (each.note,) if each.note else ())
            for each in readings
            if (order := order_of(each.moments, options)) is not None
        ]
        if found:
            return _likelier(found)
        if readings and not complaint:
            moments = min((each.moments for each in readings), key=lambda each: np.isnat(each).sum())
            complaint = f"{file}: {_several(frame, name, options) or out_of_order(frame[name], name, moments, options)}"
    if complaint:
        raise ValueError(complaint)
    for name in names:
        values = frame[name].to_numpy()
        if values.dtype.kind not in "iuf" or not np.isfinite(values).all() or len(values) < 2:
            continue
        if (np.diff(values) > 0).all():
            return _Axis(name, values, np.arange(len(values)))
        if named:
            named_order = order_of(values, options)
            if named_order is None:
                raise ValueError(f"{file}: {out_of_order(frame[name], name, values, options)}")
            return _Axis(name, values, named_order)
    return None


def _several(frame: Any, name: str, options: ReadOptions) -> str:
    """What to do about a table of several series, where another column tells equal dates apart; "" if it is none."""
    if options.duplicates == "refuse" and frame[name].duplicated().any():
        for other in frame.columns:
            names = frame[other]
            several = other != name and names.dtype.kind not in "biufcmM" and names.nunique() <= len(frame) // 2
            if several and not frame.duplicated([name, other]).any():
                mean = f"{option('sort', True)} and {option('duplicates', 'mean')}"
                each = f", or name that column by {option('group')} to forecast each" if offers("group") else ""
                return (
                    f"there are several series, for each date has a row for each {quoted(other)}: keep the rows of one,"
                    f" such as {quoted(str(names.iloc[0]))}, or give {mean} for the mean of all{each}"
                )
    return ""


def _likelier(found: list[_Axis]) -> _Axis:
    """Of the readings with the month first and with the day first, the one with the more even steps."""
    if len(found) == 1:
        return found[0]
    month_first, day_first = found
    uneven = []
    for each in found:
        positions = np.unique(each.values)
        rule = find_rule(positions, each.zone)
        uneven.append(len(positions) if rule is None else rule.misfit(positions))
    equal = uneven[0] == uneven[1]
    day = day_first.dates is not None and day_first.dates.dotted if equal else uneven[1] < uneven[0]
    chosen, other = ("day", "month") if day else ("month", "day")
    note = f"the dates of {month_first.name} are read with the {chosen} first"
    if equal:
        note += f", but the {other} may be meant: give {option('day_first', day)} or {option('day_first', not day)}"
    else:
        note += f", which makes even steps ({option('day_first', not day)} reads them otherwise)"
    axis = day_first if day else month_first
    return replace(axis, notes=(*axis.notes, note))


def _notes_on(axis: _Axis, rule: Rule | None, positions: np.ndarray) -> tuple[str, ...]:
    """What a user should know of the steps."""
    if rule is None:
        if positions.dtype.kind == "f" or len(positions) < 3:
            return ()
        return (f"the steps of {axis.name} follow no rule: they are counted, and no next one can be told",)
    off = rule.off(positions)
    if not off.any():
        return ()
    first = labels(positions[off][:1], axis.zone)[0]
    return (f"{axis.name} is {rule}, but {int(off.sum())} of {len(off)} are not on it, the first {first}",)


def _only_number(file: str, frame: Any, names: Sequence[str]) -> str:
    """The only column of numbers, or the only column with values: `numbers` reports those that are not numbers."""
    filled = [name for name in names if frame[name].notna().any()]
    found = filled if len(filled) == 1 else [name for name in filled if frame[name].dtype.kind in "biuf"]
    if len(found) != 1:
        offered = f"the columns of numbers {listed(found)}" if found else f"no numbers, but {listed(names)}"
        raise ValueError(f"the target column must be named ({option('target')}): {file} has {offered}")
    return found[0]


def _label(frame: Any, axis: _Axis | None) -> Callable[[int], str]:
    """The function that tells where a row is, for `numbers`."""
    return lambda row: "" if axis is None else f" ({axis.name} {frame[axis.name].iloc[row]})"
