"""Calendars: each gives its dates whole numbers, one after another, so that a date and its successor differ by one.

Dates are microseconds since 1970 as int64, numbers are themselves. `index` gives each value the number of the date that
it stands for, `at` gives the dates of numbers. A value is on the calendar if `at(index(value))` is the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from numlstm import checks
from numlstm.messages import listed, quoted
from numlstm.override import override

__all__ = ["DAY", "MOST_SLOTS", "WEEK", "Every", "Months", "Steps", "Weekly", "YearMonths", "steps_from_dict"]

DAY = 86_400_000_000
"""Microseconds."""
WEEK = 7 * DAY
_MONDAY = 4 * DAY
"""The first Monday after 1970-01-01."""
MOST_SLOTS = 672
"""Times of a week: its quarter hours."""
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNITS = ((WEEK, "week"), (DAY, "day"), (DAY // 24, "hour"), (60_000_000, "minute"), (1_000_000, "second"))
_ONCE = {"week": "weekly", "day": "daily", "hour": "hourly", "minute": "every minute", "second": "every second"}
_MONTHLY = {1: "monthly", 3: "quarterly", 12: "yearly"}


class Steps:
    """A calendar.

    kind: its name in files
    """

    kind: ClassVar[str]

    def index(self, values: np.ndarray) -> np.ndarray:
        """The numbers of the dates that values [N] int64 stand for, [N] int64."""
        raise NotImplementedError

    def at(self, index: np.ndarray) -> np.ndarray:
        """The dates of numbers [M] int64, [M] int64."""
        raise NotImplementedError

    def position(self, values: np.ndarray) -> np.ndarray:
        """The places of values [N] int64 for linear interpolation, [N] int64."""
        return values

    def months_of(self, values: np.ndarray) -> np.ndarray | None:
        """The months that numbers [N] int64 stand for, [N] datetime64[M]; None if they stand for none."""
        return None

    @property
    def longest(self) -> int:
        """A bound of the difference between a date and its successor."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The calendar as plain data, for `steps_from_dict`."""
        return {"kind": self.kind} | vars(self)


@dataclass(frozen=True)
class Every(Steps):
    """A fixed step.

    A value stands for the nearest date.

    step: the step, in microseconds for dates
    origin: any value of the calendar
    dates: whether the values are dates
    """

    step: int
    origin: int
    dates: bool
    kind: ClassVar[str] = "every"

    def __post_init__(self) -> None:
        checks.integer(self.step, "step")
        checks.integer(self.origin, "origin", least=-(2**63))
        checks.boolean(self.dates, "dates")

    @override
    def index(self, values: np.ndarray) -> np.ndarray:
        # Halves apart: the difference of two int64 may have 64 bits.
        quotient = values // self.step - self.origin // self.step
        rest = values % self.step - self.origin % self.step
        return quotient + (rest + self.step // 2) // self.step

    @override
    def at(self, index: np.ndarray) -> np.ndarray:
        return self.origin + index * self.step

    @property
    @override
    def longest(self) -> int:
        return self.step

    def __str__(self) -> str:
        if not self.dates:
            return f"in steps of {self.step}"
        for size, unit in _UNITS:
            if self.step == size:
                day = f" on {_WEEKDAYS[(self.origin - _MONDAY) % WEEK // DAY]}" if size == WEEK else ""
                return f"{_ONCE[unit]}{day}"
            if self.step % size == 0:
                return f"every {self.step // size} {unit}s"
        return f"every {self.step / 1e6:g} seconds"


@dataclass(frozen=True)
class Weekly(Steps):
    """The same times in every week, such as business days or opening hours.

    A value stands for the last date that is not after it.

    slots: the times, in microseconds after Monday 00:00, increasing
    """

    slots: tuple[int, ...]
    kind: ClassVar[str] = "weekly"

    def __post_init__(self) -> None:
        slots = [checks.integer(slot, "a time of the week", least=0, most=WEEK - 1) for slot in self.slots]
        if not 0 < len(slots) <= MOST_SLOTS or sorted(set(slots)) != slots:
            raise ValueError(f"the times of a week must be at most {MOST_SLOTS} and increase, not {quoted(slots)}")

    @override
    def index(self, values: np.ndarray) -> np.ndarray:
        week, time = np.divmod(values - _MONDAY, WEEK)
        return week * len(self.slots) + np.searchsorted(self.slots, time, side="right") - 1

    @override
    def at(self, index: np.ndarray) -> np.ndarray:
        week, slot = np.divmod(index, len(self.slots))
        return _MONDAY + week * WEEK + np.asarray(self.slots)[slot]

    @property
    @override
    def longest(self) -> int:
        return WEEK

    def __str__(self) -> str:
        days, times = sorted({slot // DAY for slot in self.slots}), {slot % DAY for slot in self.slots}
        if len(times) > 1:
            return f"{len(self.slots)} times a week, the same in each"
        if days == [0, 1, 2, 3, 4]:
            return "business days"
        if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
            return f"{_WEEKDAYS[days[0]]} to {_WEEKDAYS[days[-1]]}"
        return "every " + ", ".join(_WEEKDAYS[day] for day in days)


@dataclass(frozen=True)
class Months(Steps):
    """One day in each month, or in each n-th.

    A value stands for the date of its month, or of the last month of the calendar before it.

    months: months in a step
    phase: the month number, counted from January 1970, of a month of the calendar, modulo `months`
    day: the day of the month; months that are shorter have their last one, so 31 is the month's end
    time: microseconds after midnight
    business: whether the first of the month moves on to a business day, or the last day moves back to one
    """

    months: int
    phase: int
    day: int
    time: int
    business: bool = False
    kind: ClassVar[str] = "months"

    def __post_init__(self) -> None:
        checks.integer(self.months, "months", most=12_000)
        checks.integer(self.phase, "phase", least=0, most=self.months - 1)
        checks.integer(self.day, "day", most=31)
        checks.integer(self.time, "time", least=0, most=DAY - 1)
        checks.boolean(self.business, "business")

    @override
    def index(self, values: np.ndarray) -> np.ndarray:
        return (values.view("M8[us]").astype("M8[M]").astype(np.int64) - self.phase) // self.months

    @override
    def at(self, index: np.ndarray) -> np.ndarray:
        month = (index * self.months + self.phase).view("M8[M]")
        first, following = month.astype("M8[D]"), (month + 1).astype("M8[D]")
        day = np.minimum(first + (self.day - 1), following - 1)
        if self.business:
            day = np.busday_offset(day, 0, roll="forward" if self.day == 1 else "backward")
        return day.astype("M8[us]").astype(np.int64) + self.time

    @property
    @override
    def longest(self) -> int:
        return 32 * DAY * self.months

    def __str__(self) -> str:
        often = _MONTHLY.get(self.months) or f"every {self.months} months"
        business = "business " if self.business else ""
        if self.months == 12:
            return often
        if self.day in (1, 31):
            return f"{often}, on the {'first' if self.day == 1 else 'last'} {business}day"
        return f"{often}, on day {self.day}"


@dataclass(frozen=True)
class YearMonths(Steps):
    """Months as numbers: 202212 is followed by 202301.

    months: months in a step
    phase: the number of a month of the calendar, counted from the year 0, modulo `months`
    """

    months: int
    phase: int
    kind: ClassVar[str] = "yyyymm"

    def __post_init__(self) -> None:
        checks.integer(self.months, "months", most=12_000)
        checks.integer(self.phase, "phase", least=0, most=self.months - 1)

    @override
    def index(self, values: np.ndarray) -> np.ndarray:
        return (self.position(values) - self.phase) // self.months

    @override
    def at(self, index: np.ndarray) -> np.ndarray:
        year, month = np.divmod(index * self.months + self.phase, 12)
        return year * 100 + month + 1

    @override
    def position(self, values: np.ndarray) -> np.ndarray:
        return values // 100 * 12 + values % 100 - 1

    @override
    def months_of(self, values: np.ndarray) -> np.ndarray:
        return (self.position(values) - 1970 * 12).view("M8[M]")

    @property
    @override
    def longest(self) -> int:
        return 100 * self.months

    def __str__(self) -> str:
        return f"{_MONTHLY.get(self.months) or f'every {self.months} months'}, as yyyymm"


def steps_from_dict(content: dict[str, Any]) -> Steps:
    """Make a calendar from `{"kind": ..., field: value, ...}`.

    Raises:
        ValueError, TypeError: there is no such calendar.
    """
    fields = dict(content)
    kind = fields.pop("kind", None)
    classes: dict[object, Callable[..., Steps]] = {cls.kind: cls for cls in (Every, Weekly, Months, YearMonths)}
    if not isinstance(kind, str) or kind not in classes:
        raise ValueError(f"a calendar must be one of {listed(classes)}, not {quoted(kind)}")
    if "slots" in fields:
        fields["slots"] = tuple(fields["slots"])
    return classes[kind](**fields)
