"""A panel: several series of one table, which are told apart by columns of groups, or are targets beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, TypeVar

from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.reader import check_columns, name_of, notes_on_header, series_in
from numlstm.data.rows import row_writer
from numlstm.data.series import Series, rows_of, write_csv
from numlstm.data.table import NA, names_among, read_table, shown_name
from numlstm.messages import listed, offers, option, plain, quoted

__all__ = ["Key", "Panel", "label_of", "panel_of", "parts_of", "read_panel", "write_panel"]

Key = tuple[str, ...]
"""What tells a group of rows apart: a value for each column of groups."""
_Result = TypeVar("_Result")
_MOST_NOTES = 5
"""Notes on the data. Many series have many."""


@dataclass(frozen=True)
class Panel:
    """Several series that one model forecasts.

    Rows of a group are a series. With several targets, they are one series for each, which has the others as further
    columns.

    name: the name in titles and folder names
    groups: the columns that tell the groups apart; (): there is one group
    keys: the group of each series; the series of a group follow each other
    series: the series
    """

    name: str
    groups: tuple[str, ...]
    keys: tuple[Key, ...]
    series: tuple[Series, ...]

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def __len__(self) -> int:
        return len(self.series)

    @property
    def alone(self) -> bool:
        """Whether it is a single series without a group."""
        return not self.groups and len(self.series) == 1

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that are forecast."""
        return tuple(dict.fromkeys(each.target for each in self.series))

    @property
    def names(self) -> list[str]:
        """What tells each series apart, as text: the values of its groups, and its target where there are several."""
        several = len(self.targets) > 1
        return [
            ", ".join((*key, each.target) if several else key) for key, each in zip(self.keys, self.series, strict=True)
        ]

    def rows(self, counts: Iterable[int]) -> int:
        """The rows of the table, by a number of rows of each series: several targets have the same ones."""
        return sum(counts) // len(self.targets)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the data. What is so for all series is told once."""
        named: dict[str, list[str]] = {}
        for name, each in zip(self.names, self.series, strict=True):
            for note in each.notes:
                named.setdefault(note, []).append(name)
        told = [note if len(names) == len(self.series) else f"{listed(names)}: {note}" for note, names in named.items()]
        more = len(told) - _MOST_NOTES
        return (*told[:_MOST_NOTES], *([f"there are {more} more notes on other series"] if more > 0 else []))

    def map(self, change: Callable[[Series], Series]) -> Panel:
        """The panel with other series, of the same groups and targets."""
        return replace(self, series=tuple(map(change, self.series)))

    def each(self, function: Callable[..., _Result], *arguments: Sequence[Any]) -> list[_Result]:
        """The results of function(series, ...) for each series and its arguments.

        Raises:
            ValueError: that of the function. It names the series, if there are several.
        """
        results = []
        for series, *given in zip(self.series, *arguments, strict=True):
            try:
                results.append(function(series, *given))
            except ValueError as error:
                if self.alone:
                    raise
                raise ValueError(f"{series.name}: {error}, or leave this series out") from error
        return results

    def of_targets(self, count: int) -> Panel:
        """Each of the first `count` columns as the target of a series of its own, with the other columns behind it."""
        return replace(
            self,
            keys=tuple(key for key in self.keys for _ in range(count)),
            series=tuple(_with_first(each, column) for each in self.series for column in range(count)),
        )


def panel_of(data: Series | Panel) -> Panel:
    """A series as a panel."""
    return data if isinstance(data, Panel) else Panel(data.name, (), ((),), (data,))


def label_of(name: str, groups: Sequence[str], key: Key) -> str:
    """A group in messages: sales, store 'B', item '7'; without a name, store 'B', item '7'."""
    values = (f"{plain(group, 60)} {quoted(value)}" for group, value in zip(groups, key, strict=True))
    return ", ".join((*([name] if name else []), *values))


def _with_first(series: Series, column: int) -> Series:
    """The series with a column before the others."""
    order = [column, *(other for other in range(len(series.columns)) if other != column)]
    columns = tuple(series.columns[place] for place in order)
    return series if column == 0 else replace(series, columns=columns, values=series.values[:, order])


def read_panel(
    path: str | Path,
    targets: Sequence[str] = (),
    features: Sequence[str] = (),
    groups: Sequence[str] = (),
    axis: str | None = None,
    options: ReadOptions = AS_SEEN,
    future: Sequence[str] = (),
) -> Panel:
    """Read a table with a series for each group of rows. Each is read as by `read_csv`, all with the same axis.

    Args:
        path: as for `read_csv`.
        targets: the columns to forecast, which become the first columns of each series; see `Panel.of_targets`. A text
            is the name of a column, or several names with commas between. (): the only column of numbers.
        features: further columns to read.
        groups: the columns that tell the groups apart, written as the targets. Their values are text.
        axis: as for `read_csv`. If it is not given, it is found in the longest series.
        options: as for `read_csv`.
        future: as for `read_csv`.

    Raises:
        OSError, ValueError, MemoryError, ImportError: as for `read_csv`; a row has no group, or a group one row.
    """
    path = Path(path)
    file, name = shown_name(path), name_of(path)
    frame, has_header = read_table(path, options, groups)
    named = names_among(targets, frame.columns)
    first, others = (named[0] if named else None), [*named[1:], *features]
    known = names_among(groups, frame.columns)
    given = [given for given in (first, *others, *future, *(options.date or ())) if given is not None]
    parts = parts_of(frame, known, file, given)
    single = next((key for key, part in parts.items() if known and len(part) < 2), None)
    if single is not None:
        ways = ["give it more rows", "take it out", *([f"name other columns by {option('group')}"] * offers("group"))]
        raise ValueError(
            f"{label_of(file, known, single)} has one row, which is no series: {', '.join(ways[:-1])} or {ways[-1]}"
        )
    largest = max(parts, key=lambda key: len(parts[key]))

    def series(key: Key, axis: str | None, options: ReadOptions) -> Series:
        where, label = (label_of(text, known, key) for text in (file, name))
        found = series_in(parts[key].copy(), where, label, first, others, axis, options, future)
        return replace(found, source=str(path), notes=(*notes_on_header(has_header), *found.notes))

    found = {largest: series(largest, axis, options)}
    first, axis, options = found[largest].target, found[largest].axis_name, found[largest].reading
    if axis is None:
        options = replace(options, date=())
    for key in parts:
        if key not in found:
            found[key] = replace(series(key, axis, options), reading=found[largest].reading)
    return Panel(name, tuple(known), tuple(parts), tuple(found[key] for key in parts))


def parts_of(frame: Any, groups: Sequence[str], file: str, given: Sequence[str] = ()) -> dict[Key, Any]:
    """Divide the rows of a table.

    Args:
        frame: the pandas.DataFrame.
        groups: the columns that tell the groups apart; (): all rows are one group.
        file: the table in messages.
        given: the columns that are needed otherwise.

    Returns:
        The rows of each group without the columns of groups, in the order of the table.

    Raises:
        ValueError: there is no such column, or a row has no group.
    """
    if not groups:
        return {(): frame}
    check_columns(file, frame, groups)
    for place, name in enumerate(groups):
        if name in given or name in groups[:place]:
            raise ValueError(
                f"column {quoted(name)} tells the series apart: name it once, and not as target, feature or axis"
            )
    texts = frame[list(groups)].astype(str).apply(lambda column: column.str.strip())
    # Stripped, or in Parquet, a text can be one that data.csv would not give back.
    empty = (frame[list(groups)].isna() | texts.isin(NA)).to_numpy()
    if empty.any():
        row, column = divmod(int(empty.argmax()), len(groups))
        raise ValueError(
            f"{file}: row {row + 1}, column {quoted(groups[column])} is empty or NA, so the series of the row is not"
            " known: fill it in, or take out the row"
        )
    left = frame.drop(columns=list(groups))
    return {tuple(key): part for key, part in left.groupby([texts[name].to_numpy() for name in groups], sort=False)}


def write_panel(panel: Panel, file: TextIO) -> None:
    """Write groups, axis and columns to a CSV file, from which `read_panel` restores them exactly."""
    if not panel.groups:
        write_csv(panel.series[0], file)
        return
    writer = row_writer(file)
    first = panel.series[0]
    writer.writerow([*panel.groups, *([] if first.axis_name is None else [first.axis_name]), *first.columns])
    for key, series in zip(panel.keys, panel.series, strict=True):
        if series.target == first.target:  # The series of the other targets have the same rows.
            writer.writerows([*key, *row] for row in rows_of(series))
