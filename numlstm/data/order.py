"""The order of rows by their dates or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm.data.read_options import ReadOptions
from numlstm.data.steps import HOUR
from numlstm.data.zones import are_clock_changes
from numlstm.messages import option, quoted

__all__ = ["merge_equal", "order_of", "out_of_order"]


def order_of(values: np.ndarray, options: ReadOptions) -> np.ndarray | None:
    """The rows in the order of their values, [N]; None if they are neither in order nor to be put in order.

    Args:
        values: [N] dates or numbers.
        options: `sort` and `duplicates` are read.
    """
    if values.dtype.kind == "M" and np.isnat(values).any():
        return None
    before, after = values[:-1], values[1:]
    if (after > before).all():
        return np.arange(len(values))
    if not options.sort and not (after >= before).all() and not (after <= before).all():
        return None
    order = np.argsort(values, kind="stable")  # Equal ones stay in the order of the file.
    if options.duplicates == "refuse" and (values[order[1:]] == values[order[:-1]]).any():
        return None
    return order


def out_of_order(column: Any, name: str, values: np.ndarray, options: ReadOptions) -> str:
    """Say which row of a column is wrong, and what to do about it, where `order_of` is None."""
    no_date = np.isnat(values) if values.dtype.kind == "M" else np.zeros(len(values), bool)
    if no_date.any():
        row = int(np.argmax(no_date))
        advice = f", which is no date like the others: mend it, or give {option('date', 'none')} to count the rows"
    else:
        order = np.argsort(values, kind="stable") if options.sort else np.arange(len(values))
        later = values[order[1:]] > values[order[:-1]]
        equal = values[order[1:]] == values[order[:-1]]
        falling = later.mean() < 0.5 and not options.sort
        row = int(order[1 + np.argmax(later | equal if falling else ~later)])
        ways: list[str] = []
        if not options.sort and not (later | equal).all() and later.any():
            ways.append(f"{option('sort', True)} to sort the rows")
        if options.duplicates == "refuse" and len(np.unique(values)) < len(values):
            ways.append(f"{option('duplicates', 'mean', 'last')} to make one row of those of one date")
            twice = _twice_in_changed_hour(values)
            zone = f"{option('timezone')} with the zone's name if clocks were turned back"
            if len(twice) and are_clock_changes(twice):
                ways = [zone, f"or else {ways[0]}", *ways[1:]]
            elif len(twice):
                ways.append(f"or {zone}")
        advice = f"{' again' if (values[:row] == values[row]).any() else ''}: give {', '.join(ways)}"
    return (
        f"column {quoted(name)} must hold a date in every row, each after the one before,"
        f" but row {column.index[row] + 1} holds {quoted(str(column.iloc[row]))}{advice}"
    )


def _twice_in_changed_hour(values: np.ndarray) -> np.ndarray:
    """The dates that are there twice, if they are few and all in the hours in which clocks are turned back, or none."""
    if values.dtype.kind != "M":
        return values[:0]
    found, counts = np.unique(values, return_counts=True)
    twice = found[counts > 1]
    early = twice - twice.astype("datetime64[D]") < np.timedelta64(4, "h")
    dense = len(found) > 1 and np.median(np.diff(found).astype(np.int64)) <= HOUR
    few = len(twice) <= 5 + len(values) // 1000
    return twice if few and dense and early.all() else twice[:0]


def merge_equal(
    rows: np.ndarray, values: np.ndarray, positions: np.ndarray, duplicates: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make one step of several with the same position.

    Args:
        rows: [N] the numbers of the rows.
        values: [N, C], with NaN for missing values, which a mean leaves out.
        positions: [N], in order.
        duplicates: "mean", or "last" for the last of them in the file.

    Returns:
        The same of M steps.
    """
    starts = np.flatnonzero(np.concatenate([[True], positions[1:] != positions[:-1]]))
    if len(starts) == len(positions):
        return rows, values, positions
    if duplicates == "last":
        ends = np.concatenate([starts[1:], [len(positions)]]) - 1
        return rows[ends], values[ends], positions[ends]
    known = ~np.isnan(values)
    counts = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
    with np.errstate(over="ignore", invalid="ignore"):  # Infinite means are refused as infinite values are.
        sums = np.add.reduceat(np.where(known, values, 0), starts, axis=0)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return rows[starts], means, positions[starts]
