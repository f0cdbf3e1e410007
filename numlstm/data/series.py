"""A series: columns of numbers along one axis, and the treatment of missing values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TextIO

import numpy as np

from numlstm.data.axis import extend, labels
from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.rows import row_writer
from numlstm.data.rule import Rule, find_rule
from numlstm.data.steps import HOUR
from numlstm.data.zones import are_clock_changes, to_local
from numlstm.messages import option, quoted

__all__ = ["MISSING", "Series", "complete", "require_continuing", "rows_of", "with_coming", "write_csv"]

MISSING = ("refuse", "drop", "ffill", "interpolate")
"""The policies of `complete` for missing values."""


@dataclass(frozen=True)
class Series:
    """N steps of C columns.

    name: the name in titles and folder names
    axis_name: the column name of the axis; None if the steps are counted
    axis: [N] datetime64, int64 or float64; dates with a time zone are in UTC
    columns: C names, the target first
    values: [N, C] float64
    rows: [N] 1-based numbers of the data rows that the steps come from; 0 for a step that `complete` added
    zone: the time zone of the dates; None: they have none
    rule: the rule of the axis; None: it follows none, or nobody looked
    reading: how the file was read, with what was found in it
    notes: sentences on what a user should know of the data
    source: the file that it was read from, as it was named; None: it was read from none, or nobody knows
    coming: P steps after the end, with the last columns of `columns`, which are known in advance; None: none are
    """

    name: str
    axis_name: str | None
    axis: np.ndarray
    columns: tuple[str, ...]
    values: np.ndarray
    rows: np.ndarray
    zone: str | None = None
    rule: Rule | None = None
    reading: ReadOptions = AS_SEEN
    notes: tuple[str, ...] = ()
    source: str | None = None
    coming: Series | None = None

    @property
    def target(self) -> str:
        """The name of the first column, which is forecast."""
        return self.columns[0]

    @property
    def future(self) -> tuple[str, ...]:
        """The names of the columns that are known in advance."""
        return () if self.coming is None else self.coming.columns

    def __len__(self) -> int:
        return len(self.values)

    def where(self, step: int) -> str:
        """Describe a step for error messages: its row in the file and, with a named axis, its axis value."""
        row = f"row {self.rows[step]}"
        return row if self.axis_name is None else f"{row} ({self.axis_name} {self.labels(slice(step, step + 1))[0]})"

    @property
    def dates(self) -> np.ndarray | None:
        """The dates on the clock of their zone, [N] datetime64; None if the axis has none."""
        if self.axis.dtype.kind != "M":
            return None if self.rule is None else self.rule.months(self.axis)
        return self.axis if self.zone is None else to_local(self.axis, self.zone)

    @property
    def clock(self) -> np.ndarray:
        """What calendars and splits go by: the dates on the clock of their zone, or else the axis."""
        dates = self.dates
        return self.axis if dates is None else dates.astype("datetime64[us]")  # Months have no length in days.

    def next_axis(self, steps: int) -> np.ndarray:
        """The next values of the axis, [steps]: those of the coming rows, or else what its rule says.

        Raises:
            ValueError: as for `numlstm.data.axis.extend`.
        """
        if self.coming is not None and steps <= len(self.coming):
            return self.coming.axis[:steps]
        return extend(self.axis, steps, self.rule)

    def next_clock(self, steps: int) -> np.ndarray:
        """The next values of `clock`, [steps]. Errors as for `next_axis`."""
        return replace(self, axis=np.append(self.axis, self.next_axis(steps))).clock[len(self) :]

    def labels(self, steps: slice = slice(None)) -> list[str]:
        """The axis values of the steps as text."""
        return labels(self.axis[steps], self.zone)

    def next_labels(self, steps: int) -> list[str]:
        """The next axis values as text; +1, +2, … if neither coming rows nor a rule of the axis tell them.

        Raises:
            ValueError: as for `numlstm.data.axis.extend`.
        """
        if self.irregular and (self.coming is None or len(self.coming) < steps):
            return [f"+{step}" for step in range(1, steps + 1)]
        return labels(self.next_axis(steps), self.zone)

    @property
    def irregular(self) -> bool:
        """Whether the axis is of dates or whole numbers that follow no rule."""
        return (
            len(self) > 2 and self.axis.dtype.kind in "Miu" and (self.rule or find_rule(self.axis, self.zone)) is None
        )

    def ordered(self, columns: tuple[str, ...]) -> Series:
        """The series with its columns in this order, those that are known in advance last as before."""
        if columns == self.columns:
            return self
        return replace(self, columns=columns, values=self.values[:, [self.columns.index(name) for name in columns]])

    def take(self, steps: np.ndarray | slice) -> Series:
        """The series with only these steps, and with none that come after them."""
        coming = None if self.coming is None else self.coming.take(slice(0))
        return replace(self, axis=self.axis[steps], values=self.values[steps], rows=self.rows[steps], coming=coming)


def with_coming(series: Series, future: int) -> Series:
    """The series up to the last known value of its target. The rows after it are the coming ones.

    Args:
        series: the series, with NaN for missing values.
        future: the number of the last columns, which are known in advance; 0: the series is returned as it is.

    Raises:
        ValueError: no value of the target is known.
    """
    if not future:
        return series
    known = np.flatnonzero(~np.isnan(series.values[:, 0]))
    if not len(known):
        raise ValueError(
            f"{series.name}: column {quoted(series.target)} is empty in every row: give rows with a target"
        )
    end = int(known[-1]) + 1
    after = series.take(slice(end, None))
    coming = replace(after, columns=series.columns[-future:], values=after.values[:, -future:], notes=())
    return replace(series.take(slice(end)), coming=coming)


def complete(series: Series, missing: str = "refuse") -> Series:
    """Remove or fill missing values, and add the steps that the rule of the axis misses, also of the coming rows.

    Args:
        series: the series, with NaN for missing values.
        missing: "refuse" raises; "drop" removes steps with missing values, and adds none; "ffill" repeats the last
            known value; "interpolate" interpolates linearly along the axis between the known neighbours, so it uses
            later values.

    Raises:
        ValueError: a value is infinite, steps are absent and refused, the policy cannot fill a missing value, no step
            is left, or the coming rows do not continue the axis.
        MemoryError: more steps are absent than fit into memory.
    """
    if missing not in MISSING:
        raise ValueError(f"missing must be one of {', '.join(MISSING)}, not {quoted(missing)}")
    coming, series = series.coming, _complete(replace(series, coming=None), missing)
    if coming is None or not len(coming):
        return replace(series, coming=coming)
    _require_after(series, coming)
    # Together with the known ones, so that a gap between the two is seen, and ffill has a value to repeat.
    known, future = len(series), len(coming.columns)
    joint = replace(
        series,
        axis=np.concatenate([series.axis, coming.axis]),
        columns=coming.columns,
        values=np.concatenate([series.values[:, -future:], coming.values]),
        rows=np.concatenate([series.rows, coming.rows]),
    )
    joint = _complete(joint, missing)
    series = replace(series, notes=tuple(dict.fromkeys(joint.notes)), coming=joint.take(slice(known, None)))
    if missing != "drop":
        require_continuing(series)
    return series


def require_continuing(series: Series) -> None:
    """Raise ValueError if the coming rows do not continue the axis by its rule, or not at all."""
    coming = series.coming
    if coming is None or not len(coming):
        return
    _require_after(series, coming)
    expected = coming.axis if series.rule is None else extend(series.axis, len(coming), series.rule)
    wrong = np.flatnonzero(coming.axis != expected)
    if len(wrong):
        step = int(wrong[0])
        coming = replace(coming, zone=series.zone)
        raise ValueError(
            f"{series.name}: the coming {coming.where(step)} does not continue {series.axis_name}, which is"
            f" {series.rule}: {labels(expected[step : step + 1], series.zone)[0]} is next"
        )


def _require_after(series: Series, coming: Series) -> None:
    """Raise ValueError if the first coming row is not after the last known one."""
    if (coming.axis.dtype.kind == "M") != (series.axis.dtype.kind == "M") or coming.axis[0] <= series.axis[-1]:
        first, last = replace(coming, zone=series.zone).where(0), series.where(len(series) - 1)
        raise ValueError(f"{series.name}: the coming {first} must be after the last known one, {last}")


def _complete(series: Series, missing: str) -> Series:
    """`complete` for a series without coming rows."""
    _refuse_first(series, np.isinf(series.values), "is infinite")
    if series.rule is not None:
        series = _with_absent(series, series.rule, missing)
    gaps = np.isnan(series.values)
    if not gaps.any():
        return series
    if missing == "drop":
        kept = np.flatnonzero(~gaps.any(axis=1))
        if not len(kept):
            raise ValueError(f"{series.name}: every row misses a value, so nothing is left after dropping them")
        return _told_of_end(series.take(kept), len(series) - 1 - int(kept[-1]))
    if missing == "refuse":
        ways = [] if gaps.any(axis=1).all() else ["drop"]
        ways += [way for way in _FILLS if not np.isnan(_filled(series, way)).any()]
        advice = f" ({option('missing', *ways)} does without it)" if ways else ""
        _refuse_first(series, gaps, f"is missing{advice}")
    filled = replace(series, values=_filled(series, missing))
    place = "has no value before it" if missing == "ffill" else "lies at an end of the series"
    other = [] if gaps.any(axis=1).all() else ["drop"]
    other += [way for way in _FILLS if not np.isnan(_filled(series, way)).any()]
    advice = f": give {option('missing', *other)}" if other else ""
    _refuse_first(filled, np.isnan(filled.values), f"is missing and {place}{advice}")
    given = int((gaps & (series.rows > 0)[:, None]).sum())  # Absent steps have their own note.
    if not given:
        return filled
    note = f"{given} missing value{'s are' if given > 1 else ' is'} filled by {missing}"
    return replace(filled, notes=(*filled.notes, note))


def _told_of_end(series: Series, dropped: int) -> Series:
    """The series with a note on the number of rows that were dropped after its end."""
    if not dropped:
        return series
    rows = "the last row misses a value and is" if dropped == 1 else f"the last {dropped} rows miss a value and are"
    note = f"{rows} dropped: forecasts begin after {series.where(len(series) - 1)}"
    return replace(series, notes=(*series.notes, note))


def _filled(series: Series, missing: str) -> np.ndarray:
    """The values of a series [N, C] with those that "ffill" or "interpolate" can fill."""
    position = _position(series)
    return np.stack([_FILLS[missing](position, values) for values in series.values.T], axis=1)


def _with_absent(series: Series, rule: Rule, missing: str) -> Series:
    """Add a step of missing values for each one that is absent, or refuse to, or count over them."""
    count = rule.count_absent(series.axis)
    if not count:
        return series
    names = f"{count} {'dates' if series.axis.dtype.kind == 'M' else 'values'}"
    first = ", ".join(labels(rule.absent(series.axis, 3), series.zone))
    found = f"{series.axis_name} is {rule}, but {names} are absent: {first}{', …' if count > 3 else ''}"
    if count == 1:
        found = found.replace("s are absent", " is absent")
    if missing == "refuse":
        zone = ""
        if are_clock_changes(_lost_hours(series, rule)):
            zone = f"{option('timezone')} with the zone's name if clocks were put forward then, or else "
        raise ValueError(
            f"{series.name}: {found}; give {zone}{option('missing', 'ffill', 'interpolate')} to fill in, or"
            f" {option('missing', 'drop')} to count the steps on over the gap"
        )
    if missing == "drop":
        return replace(series, notes=(*series.notes, f"{found}; the steps are counted on over the gap"))
    absent = rule.absent(series.axis)
    axis = np.concatenate([series.axis, absent])
    order = np.argsort(axis, kind="stable")
    values = np.concatenate([series.values, np.full((count, series.values.shape[1]), np.nan)])
    rows = np.concatenate([series.rows, np.zeros(count, series.rows.dtype)])
    notes = (*series.notes, f"{found}; filled by {missing}")
    return replace(series, axis=axis[order], values=values[order], rows=rows[order], notes=notes)


def _lost_hours(series: Series, rule: Rule) -> np.ndarray:
    """The beginnings of the gaps of one hour, [K] datetime64, in dates without a zone that are hourly or denser."""
    step = rule.steps.longest
    if series.axis.dtype.kind != "M" or series.zone is not None or step > HOUR:
        return np.empty(0, "M8[us]")
    gaps = np.diff(series.axis) == np.timedelta64(HOUR + step, "us")
    return series.axis[:-1][gaps] + np.timedelta64(step, "us")


def _position(series: Series) -> np.ndarray:
    """The places of the steps for linear interpolation, [N] float64, from 0."""
    axis = series.axis if series.rule is None else series.rule.position(series.axis)
    return (axis - axis[0]).astype(np.float64)  # The difference first: float64 has not all digits of int64.


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


_FILLS = {"ffill": _repeat, "interpolate": _interpolate}
"""What fills missing values, by the policy."""


def write_csv(series: Series, file: TextIO) -> None:
    """Write axis and columns to a CSV file, from which `read_csv` restores them exactly."""
    writer = row_writer(file)
    writer.writerow([*([] if series.axis_name is None else [series.axis_name]), *series.columns])
    writer.writerows(rows_of(series))


def rows_of(series: Series) -> list[list[object]]:
    """The rows of a table of the series, with their axis if it has a name. The coming rows have no target."""
    rows, coming = series.values.tolist(), series.coming
    if coming is not None:
        unknown = [""] * (len(series.columns) - len(coming.columns))
        rows += [[*unknown, *row] for row in coming.values.tolist()]
    if series.axis_name is None:
        return list(rows)
    axis = series.axis if coming is None else np.concatenate([series.axis, coming.axis])
    return [[label, *row] for label, row in zip(labels(axis, series.zone), rows, strict=True)]
