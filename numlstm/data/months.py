"""Calendars of months: a day of each, or of each n-th."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from numlstm import checks
from numlstm.data.steps import DAY, WEEKDAYS, Steps
from numlstm.override import override

__all__ = ["MonthWeekdays", "Months", "YearMonths"]

_NUMBERS = ("first", "second", "third", "fourth", "last")
_MONTHLY = {1: "monthly", 3: "quarterly", 12: "yearly"}


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
class MonthWeekdays(Steps):
    """One day of the week in each month, or in each n-th, such as the third Friday.

    A value stands for the date of its month, or of the last month of the calendar before it.

    months, phase, time: as in `Months`
    weekday: the day of the week; Monday is 0
    number: which one in the month, from 1 to 4; 5: the last one
    """

    months: int
    phase: int
    weekday: int
    number: int
    time: int
    kind: ClassVar[str] = "weekdays of months"

    def __post_init__(self) -> None:
        checks.integer(self.months, "months", most=12_000)
        checks.integer(self.phase, "phase", least=0, most=self.months - 1)
        checks.integer(self.weekday, "weekday", least=0, most=6)
        checks.integer(self.number, "number", most=5)
        checks.integer(self.time, "time", least=0, most=DAY - 1)

    @override
    def index(self, values: np.ndarray) -> np.ndarray:
        return (values.view("M8[us]").astype("M8[M]").astype(np.int64) - self.phase) // self.months

    @override
    def at(self, index: np.ndarray) -> np.ndarray:
        month = (index * self.months + self.phase).view("M8[M]")
        # Weeks are counted from the month's first day, or from the day that is a week before the next month.
        start = month.astype("M8[D]") if self.number < 5 else (month + 1).astype("M8[D]") - 7
        ahead = (self.weekday - (start.astype(np.int64) + 3)) % 7  # 1970-01-01 was a Thursday.
        day = start + ahead + 7 * (self.number - 1 if self.number < 5 else 0)
        return day.astype("M8[us]").astype(np.int64) + self.time

    @property
    @override
    def longest(self) -> int:
        return 40 * DAY * self.months

    def __str__(self) -> str:
        often = _MONTHLY.get(self.months) or f"every {self.months} months"
        return f"{often}, on the {_NUMBERS[self.number - 1]} {WEEKDAYS[self.weekday]}"


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
