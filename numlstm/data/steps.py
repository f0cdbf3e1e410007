"""Calendars: each gives its dates whole numbers, one after another, so that a date and its successor differ by one.

Dates are microseconds since 1970 as int64, numbers are themselves. `index` gives each value the number of the date that
it stands for, `at` gives the dates of numbers. A value is on the calendar if `at(index(value))` is the value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from numlstm import checks
from numlstm.messages import quoted
from numlstm.override import override

__all__ = ["DAY", "HOUR", "MOST_SLOTS", "WEEK", "WEEKDAYS", "Every", "Steps", "Weekly"]

DAY = 86_400_000_000
"""Microseconds."""
HOUR = DAY // 24
WEEK = 7 * DAY
_MONDAY = 4 * DAY
"""The first Monday after 1970-01-01."""
MOST_SLOTS = 672
"""Times of a week: its quarter hours."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNITS = ((WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (60_000_000, "minute"), (1_000_000, "second"))
_ONCE = {"week": "weekly", "day": "daily", "hour": "hourly", "minute": "every minute", "second": "every second"}


class Steps:
    """A calendar.

    kind: its name in files
    doubt: by how much it must fit better than others, because it has more ways to fit by chance
    """

    kind: ClassVar[str]
    doubt: ClassVar[int] = 1

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
        """The calendar as plain data."""
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
                day = f" on {WEEKDAYS[(self.origin - _MONDAY) % WEEK // DAY]}" if size == WEEK else ""
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
    doubt: ClassVar[int] = 3

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
            return f"{WEEKDAYS[days[0]]} to {WEEKDAYS[days[-1]]}"
        return "every " + ", ".join(WEEKDAYS[day] for day in days)
