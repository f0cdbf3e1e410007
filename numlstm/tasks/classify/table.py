"""Read sequences from a table: in long form a row is a step, in wide form a row is a sequence."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from numlstm.data.dates import parse_dates
from numlstm.data.numbers import numbers
from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.table import read_table
from numlstm.messages import listed, quoted
from numlstm.reading import shown_name, stands_for_stdin
from numlstm.tasks.classify.sequences import Sequences

__all__ = ["WIDE", "Columns", "read_sequences_of_table"]

_LABELS = ("label", "class", "target", "y")
"""Names of the column of the classes, if none is given; capitals do not count."""
WIDE = ("values of a row",)
"""The columns of sequences that are rows."""
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read, and how.

    id: the column that tells which sequence a row belongs to; None: each row is a sequence
    label: the column of the classes; None: one that is named label, class, target or y
    time: the column that the steps are sorted by, numbers or dates; None: they are in order
    features: the columns of the values; (): all others
    reading: how the file is read
    long: whether a row is a step of a sequence; None: it is if there is an id that several rows have

    Raises:
        ValueError: a column is not a name, or is named twice.
    """

    id: str | None = None
    label: str | None = None
    time: str | None = None
    features: tuple[str, ...] = ()
    reading: ReadOptions = AS_SEEN
    long: bool | None = None

    def __post_init__(self) -> None:
        named = [name for name in (self.id, self.label, self.time, *self.features) if name is not None]
        if not all(isinstance(name, str) and name for name in named):
            raise ValueError(f"columns must be named by text, not {quoted(named)}")
        if len(set(named)) < len(named):
            raise ValueError(f"a column is named twice: {listed(named)}")
        if not isinstance(self.long, bool | None):
            raise ValueError(f"long must be True, False or None, not {quoted(self.long)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Columns:
        """Make columns from the result of `to_dict`; ValueError or TypeError if they are none."""
        return cls(
            **content | {"features": tuple(content["features"]), "reading": ReadOptions.from_dict(content["reading"])}
        )


def read_sequences_of_table(path: Path, columns: Columns, labelled: bool = True) -> Sequences:
    """Read a CSV or Parquet file.

    Args:
        path: the file; "-" is standard input.
        columns: its columns.
        labelled: whether it must have classes. Otherwise their column may be absent.

    Raises:
        OSError, MemoryError, ImportError: as for `numlstm.data.table.read_table`.
        ValueError: it is no table, a column is missing or does not hold what it should, or a sequence has two classes.
    """
    frame, _ = read_table(path, columns.reading)
    name = shown_name(path)
    label = columns.label or next((each for each in frame.columns if each.lower() in _LABELS), None)
    for column in (columns.id, columns.time, columns.label if labelled else None, *columns.features):
        if column is not None and column not in frame.columns:
            raise ValueError(f"{name} has no column {quoted(column)}: its columns are {listed(frame.columns)}")
    if label not in frame.columns:
        if labelled:
            raise ValueError(f"{name}: name the column of the classes by --label: it has {listed(frame.columns)}")
        label = None
    others = [each for each in frame.columns if each not in (columns.id, columns.time, label)]
    chosen = list(columns.features) or others
    if not chosen:
        raise ValueError(f"{name} has no columns of values beside {listed({columns.id, columns.time, label} - {None})}")
    stem = "data" if stands_for_stdin(path) else path.name.split(".")[0] or "data"
    parts = _Parts(name, stem, frame, chosen, label, columns)
    if columns.id is None or (columns.long is None and frame[columns.id].is_unique) or columns.long is False:
        return parts.wide()
    return parts.long()


@dataclass(frozen=True)
class _Parts:
    """A table, the columns of its values, and that of its classes, if it has one."""

    name: str
    stem: str
    frame: Any
    chosen: list[str]
    label: str | None
    columns: Columns

    def wide(self) -> Sequences:
        """A sequence of each row. Empty cells at its end are beyond its end."""
        if self.columns.time is not None:
            raise ValueError(
                f"{self.name}: --time orders the rows of a sequence: name the column that tells which rows belong"
                " together by --id"
            )
        table = self._values()
        ends = table.shape[1] - np.argmax(~np.isnan(table[:, ::-1]), axis=1)
        ends[np.isnan(table).all(axis=1)] = 0
        given = self.columns.id
        ids = range(1, len(table) + 1) if given is None else self._texts(given)
        values = tuple(row[:end, None] for row, end in zip(table, ends, strict=True))
        labels = None if self.label is None else self._texts(self.label)
        return Sequences(self.stem, WIDE, tuple(map(str, ids)), values, None, labels)

    def long(self) -> Sequences:
        """A sequence of all rows with one id. They are in the order of their first rows."""
        given = self.columns.id
        assert given is not None
        texts = self._texts(given)
        _, first, member = np.unique(texts, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first))[member]
        times = self._times()
        order = np.lexsort((np.arange(len(rank)) if times is None else times, rank))
        ends = np.flatnonzero(np.diff(rank[order])) + 1
        values, ids = self._values()[order], texts[np.sort(first)]
        labels = None
        if self.label is not None:
            every = self._texts(self.label)
            labels = every[np.sort(first)]
            wrong = np.flatnonzero(labels[rank] != every)
            if len(wrong):
                row = int(wrong[0])
                raise ValueError(
                    f"{self.name}: row {row + 1} gives the sequence {quoted(str(texts[row]))} the class"
                    f" {quoted(str(every[row]))}, an earlier row {quoted(str(labels[rank[row]]))}"
                )
        apart = None if times is None else tuple(np.split(times[order], ends))
        return Sequences(
            self.stem, tuple(self.chosen), tuple(ids.tolist()), tuple(np.split(values, ends)), apart, labels
        )

    def _values(self) -> np.ndarray:
        """[rows, columns] of the values."""
        reading = self.columns.reading
        found = [numbers(self.name, self.frame, each, reading, lambda row: "") for each in self.chosen]
        return np.stack(found, axis=1)

    def _texts(self, column: str) -> np.ndarray:
        """[rows] of a column as text; ValueError for an empty cell."""
        series = self.frame[column]
        empty = np.flatnonzero(series.isna())
        if len(empty):
            raise ValueError(f"{self.name}: row {int(empty[0]) + 1} has no value in the column {quoted(column)}")
        if series.dtype.kind == "f" and (series % 1 == 0).all():
            series = series.astype(np.int64)
        return series.astype(str).str.strip().to_numpy(dtype=np.str_)

    def _times(self) -> np.ndarray | None:
        """[rows] the times: numbers, or days of dates; None if no column is named."""
        column = self.columns.time
        if column is None:
            return None
        series = self.frame[column]
        if series.dtype.kind not in "biuf":
            options = replace(self.columns.reading, timezone=None)
            readings = parse_dates(column, series, options)
            if not readings:
                raise ValueError(f"{self.name}: the column {quoted(column)} holds neither numbers nor dates")
            moments = readings[0].moments
            found = np.where(np.isnat(moments), np.nan, (moments - moments[~np.isnat(moments)].min()) / _DAY)
        else:
            found = series.to_numpy(np.float64)
        wrong = np.flatnonzero(~np.isfinite(found))
        if len(wrong):
            raise ValueError(f"{self.name}: row {int(wrong[0]) + 1} has no time in the column {quoted(column)}")
        return found
