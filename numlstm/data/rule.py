"""The rule of an axis: which dates or numbers follow each other. It is found from the steps that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.data.months import Months, MonthWeekdays, YearMonths
from numlstm.data.steps import DAY, MOST_SLOTS, WEEK, Every, Steps, Weekly
from numlstm.data.zones import check_zone, to_local, to_utc
from numlstm.messages import listed, quoted

__all__ = ["Rule", "find_rule"]

_ON_RULE = 0.9
"""Part of the values that must be on their rule."""
_FEW_GAPS = 3
"""So many gaps may be as long as they like. Otherwise half of the values must be there."""
_LAST = np.datetime64("9999-12-31T23:59:59.999999", "us").astype(np.int64)


@dataclass(frozen=True)
class Rule:
    """The calendar of an axis.

    steps: the calendar
    zone: the time zone in whose clock it holds; None: in the axis as it is
    """

    steps: Steps
    zone: str | None = None

    def __str__(self) -> str:
        return str(self.steps)

    def fits(self, axis: np.ndarray) -> bool:
        """Whether nearly all values are on the rule, and it is not mostly gaps."""
        values = self._values(axis)
        index = self.steps.index(values)
        jumps = np.diff(index)
        if not len(jumps) or (jumps < 0).any() or np.mean(self.steps.at(index) == values) < _ON_RULE:
            return False
        return bool(len(axis) * 2 > index[-1] - index[0] or np.sum(jumps > 1) <= min(_FEW_GAPS, len(jumps) // 2))

    def misfit(self, axis: np.ndarray) -> int:
        """How many values are off the rule or absent."""
        values = self._values(axis)
        off = np.sum(self.steps.at(self.steps.index(values)) != values)
        return int(off) + self.count_absent(axis)

    def off(self, axis: np.ndarray) -> np.ndarray:
        """Whether each value is off the rule, [N] bool."""
        values = self._values(axis)
        return self.steps.at(self.steps.index(values)) != values

    def count_absent(self, axis: np.ndarray) -> int:
        """How many values are absent between the first and the last one."""
        jumps = np.diff(self.steps.index(self._values(axis)))
        return int(np.maximum(jumps - 1, 0).sum())

    def absent(self, axis: np.ndarray, most: int | None = None) -> np.ndarray:
        """The absent values, [M], or the first `most` of them.

        Raises:
            MemoryError: there are more than fit into memory.
        """
        index = self.steps.index(self._values(axis))
        before = np.flatnonzero(np.diff(index) > 1)[:most]
        lengths = np.diff(index)[before] - 1
        if most is not None:
            lengths = np.minimum(lengths, most)
        count = int(lengths.sum())
        checks.fits(4 * 8 * count, f"a series of {count} absent steps")
        # In each gap the numbers go on by one from that of the value before it.
        found = np.arange(1, count + 1) + np.repeat(index[before] - (np.cumsum(lengths) - lengths), lengths)
        return self._axis(self.steps.at(found[:most]), axis)

    def following(self, axis: np.ndarray, steps: int) -> np.ndarray:
        """The next values after the last one, [steps].

        Raises:
            ValueError: they go beyond the year 9999, or beyond 64 bits.
        """
        values = self._values(axis[-1:])
        dates = axis.dtype.kind == "M"
        limit = int(_LAST) if dates else int(np.iinfo(np.int64).max)
        if int(values[0]) + (steps + 1) * self.steps.longest > limit:
            beyond = "the year 9999" if dates else f"the largest whole number of 64 bits, {limit}"
            raise ValueError(f"{steps} steps after the end of the axis go beyond {beyond}: give fewer steps")
        return self._axis(self.steps.at(self.steps.index(values) + np.arange(1, steps + 1)), axis)

    def position(self, axis: np.ndarray) -> np.ndarray:
        """The places of the values for linear interpolation, [N] int64."""
        return self.steps.position(axis.astype(np.int64))

    def months(self, axis: np.ndarray) -> np.ndarray | None:
        """The months that numbers stand for, [N] datetime64[M]; None if they stand for none."""
        return self.steps.months_of(axis.astype(np.int64))

    def to_dict(self) -> dict[str, Any]:
        """The rule as plain data."""
        return self.steps.to_dict() | {"zone": self.zone}

    @classmethod
    def from_dict(cls, content: Any) -> Rule:
        """Make a rule from the result of `to_dict`.

        Raises:
            ValueError, TypeError: it is none.
        """
        if not isinstance(content, dict):
            raise ValueError("a rule must be an object")
        fields = dict(content)
        zone = fields.pop("zone", None)
        return cls(_steps_from_dict(fields), None if zone is None else check_zone(zone))

    def _values(self, axis: np.ndarray) -> np.ndarray:
        """What `steps` takes, [N] int64."""
        if axis.dtype.kind == "M":
            local = axis if self.zone is None else to_local(axis, self.zone)
            return local.astype("M8[us]").astype(np.int64)
        return axis.astype(np.int64)

    def _axis(self, values: np.ndarray, like: np.ndarray) -> np.ndarray:
        """The inverse of `_values`."""
        if like.dtype.kind != "M":
            return values.astype(like.dtype)
        dates = values.view("M8[us]")
        return (dates if self.zone is None else to_utc(dates, self.zone)).astype(like.dtype)


def _steps_from_dict(content: dict[str, Any]) -> Steps:
    """Make a calendar from `{"kind": ..., field: value, ...}`.

    Raises:
        ValueError, TypeError: there is no such calendar.
    """
    fields = dict(content)
    kind = fields.pop("kind", None)
    classes: dict[object, Callable[..., Steps]] = {
        cls.kind: cls for cls in (Every, Weekly, Months, MonthWeekdays, YearMonths)
    }
    if not isinstance(kind, str) or kind not in classes:
        raise ValueError(f"a calendar must be one of {listed(classes)}, not {quoted(kind)}")
    if "slots" in fields:
        fields["slots"] = tuple(fields["slots"])
    return classes[kind](**fields)


def find_rule(axis: np.ndarray, zone: str | None = None) -> Rule | None:
    """The rule that most of the steps of an axis follow.

    Args:
        axis: [N] datetime64 in UTC or without a zone, or integers, increasing.
        zone: the time zone of the dates; None: they have none.

    Returns:
        The likeliest rule with the fewest absent values; None if none fits, for fewer than two values, and for floats.
    """
    if len(axis) < 2 or axis.dtype.kind not in "Miu":
        return None
    if axis.dtype.kind != "M":
        last = int(axis[-1])
        if last >= 2**63 or last - int(axis[0]) >= 2**62:
            return None
        found = [Rule(steps) for steps in _of_numbers(axis.astype(np.int64))]
    else:
        found = [Rule(steps) for steps in _of_dates(axis.astype("M8[us]").astype(np.int64))]
        if zone is not None:
            local = [Rule(steps, zone) for steps in _of_dates(to_local(axis, zone).astype(np.int64))]
            # Hours follow each other in UTC, days and business hours on the clock.
            hours = [rule for rule in found if rule.steps.longest < DAY]
            found = [*hours, *local, *(rule for rule in found if rule not in hours)]
    fitting = [rule for rule in found if rule.fits(axis)]
    return min(fitting, key=lambda rule: rule.misfit(axis) * rule.steps.doubt, default=None)


def _of_numbers(values: np.ndarray) -> Iterator[Steps]:
    """The calendars that numbers [N] may follow, the likeliest first."""
    month = values % 100
    if values[0] >= 1700_01 and values[-1] <= 2199_12 and ((month >= 1) & (month <= 12)).all():
        months = values // 100 * 12 + month - 1
        step = _most_common(np.diff(months))
        yield YearMonths(step, _most_common(months % step))
    yield _every(values, dates=False)


def _of_dates(values: np.ndarray) -> Iterator[Steps]:
    """The calendars that dates [N], in microseconds, may follow, the likeliest first."""
    if _most_common(np.diff(values)) >= 28 * DAY:
        yield from _months(values)
    yield _every(values, dates=True)
    span = int(values[-1] - values[0])
    day = (values // DAY + 3) % 7  # 1970-01-01 was a Thursday.
    if span >= 2 * DAY and (day < 5).all() and (day[1:] < day[:-1]).any():
        time = _most_common(values % DAY)
        yield Weekly(tuple(number * DAY + time for number in range(5)))
    if span >= 3 * WEEK:
        slots, counts = np.unique((values - 4 * DAY) % WEEK, return_counts=True)
        usual = slots[counts * 2 * WEEK >= span]
        if 1 < len(usual) <= MOST_SLOTS:
            yield Weekly(tuple(usual.tolist()))


def _months(values: np.ndarray) -> Iterator[Steps]:
    """The calendars of one day in each month, or in each n-th, that dates may follow."""
    dates = values.view("M8[us]")
    month, date = dates.astype("M8[M]"), dates.astype("M8[D]")
    numbers, time = month.astype(np.int64), _most_common(values % DAY)
    step = _most_common(np.diff(numbers))
    if step < 1:
        return
    phase = _most_common(numbers % step)
    days = (date - month.astype("M8[D]")).astype(np.int64) + 1
    for day in dict.fromkeys((31, _most_common(days), int(days.max()))):
        yield Months(step, phase, day, time)
    for day in (1, 31):
        yield Months(step, phase, day, time, business=True)
    weekday, week = _most_common((date.astype(np.int64) + 3) % 7), (days + 6) // 7
    # The fourth one may be the last one.
    for number in dict.fromkeys((_most_common(week), 5)):
        yield MonthWeekdays(step, phase, weekday, number, time)


def _every(values: np.ndarray, dates: bool) -> Every:
    step = _most_common(np.diff(values))
    return Every(step, _most_common(values % step), dates)


def _most_common(values: np.ndarray) -> int:
    """The most frequent of whole numbers; of several, the least."""
    found, counts = np.unique(values, return_counts=True)
    return int(found[np.argmax(counts)])
