"""The tables of several series as one: groups below each other, targets beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from numlstm.data.panel import Key, Panel
from numlstm.tasks.task import Table, distinct

__all__ = ["by_group", "together"]

_Item = TypeVar("_Item")


def together(panel: Panel, tables: Iterable[Table], common: int) -> Table:
    """The tables of each series, below each other behind their groups; those of several targets beside each other.

    There, a column has the name of its target before its own, such as humidity_predicted.

    Args:
        panel: the series.
        tables: a table of each.
        common: the number of the first columns, which all targets of a group share, such as the axis.
    """
    targets = panel.targets
    found = [
        (key, _beside(targets, each, common)) for key, each in by_group(zip(panel.keys, tables, strict=True)).items()
    ]
    header = tuple(dict.fromkeys(name for _, table in found for name in table.header))
    notes = [table.note for _, table in found if table.note]
    return Table(distinct((*panel.groups, *header)), _below(found, header), notes[0] if notes else "")


def by_group(given: Iterable[tuple[Key, _Item]]) -> dict[Key, list[_Item]]:
    """What belongs to each group, in its order."""
    found: dict[Key, list[_Item]] = {}
    for key, item in given:
        found.setdefault(key, []).append(item)
    return found


def _beside(targets: Sequence[str], tables: Sequence[Table], common: int) -> Table:
    """The tables of the targets of one group as one."""
    if len(tables) == 1:
        return tables[0]
    header = [
        name if name == target else f"{target}_{name}"
        for target, table in zip(targets, tables, strict=True)
        for name in table.header[common:]
    ]
    rows = zip(*(table.rows for table in tables), strict=True)
    joined = ((*row[0][:common], *(field for each in row for field in each[common:])) for row in rows)
    return Table(distinct((*tables[0].header[:common], *header)), joined, tables[0].note)


def _below(tables: Sequence[tuple[Key, Table]], header: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """The rows of all tables, behind their groups. A series without intervals has empty fields there."""
    for key, table in tables:
        for row in table.rows:
            fields = dict(zip(table.header, row, strict=True))
            yield (*key, *(fields.get(name, "") for name in header))
