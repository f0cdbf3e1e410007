"""The axis of a series: dates, or increasing numbers."""

from __future__ import annotations

import numpy as np

from numlstm.data.rule import Rule, find_rule
from numlstm.data.steps import Every
from numlstm.data.zones import offsets, to_local

__all__ = ["extend", "labels"]


def labels(axis: np.ndarray, zone: str | None = None) -> list[str]:
    """Format axis values as text, exactly and as short as possible. Dates are in ISO 8601.

    Args:
        axis: [N] datetime64, int64 or float64.
        zone: the time zone of dates that are in UTC: they get its clock and its offset. None: the dates have none.
    """
    if axis.dtype.kind != "M":
        return [str(value) for value in axis.tolist()]
    if zone is not None:
        clock = to_local(axis, zone)
        texts = np.datetime_as_string(clock, unit="s" if np.array_equal(clock, clock.astype("M8[s]")) else "us")
        return [text + offset for text, offset in zip(texts.tolist(), offsets(axis, zone), strict=True)]
    for unit in ("D", "s"):
        if np.array_equal(axis, axis.astype(f"datetime64[{unit}]")):
            return np.datetime_as_string(axis, unit=unit).tolist()
    return np.datetime_as_string(axis).tolist()


def extend(axis: np.ndarray, steps: int, rule: Rule | None = None) -> np.ndarray:
    """The next values of an axis: by its rule. Without one, by its median step, which is a guess.

    Args:
        axis: [N] datetime64, integers or float64.
        steps: number of values.
        rule: the rule; None: it is found from the axis.

    Returns:
        [steps] values after the last one, of the same dtype.

    Raises:
        ValueError: N is below 2, or the next values go beyond 64 bits or the year 9999.
    """
    if len(axis) < 2:
        raise ValueError(f"{len(axis)} rows do not tell how their axis goes on: at least 2 are needed")
    if axis.dtype.kind == "f":
        return (axis[-1] + np.arange(1, steps + 1) * np.median(np.diff(axis))).astype(axis.dtype)
    rule = rule or find_rule(axis)
    if rule is None:
        dates = axis.dtype.kind == "M"
        values = axis.astype("datetime64[us]").astype(np.int64) if dates else axis
        first, last = int(values[0]), int(values[-1])
        if last - first >= 2**63 or last >= 2**63:
            raise ValueError("the axis reaches too far for whole numbers of 64 bits: give smaller numbers")
        step = int(np.sort(np.diff(values))[len(values) // 2 - 1])
        rule = Rule(Every(step, last % step, dates))
    return rule.following(axis, steps)
