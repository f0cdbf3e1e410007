"""Generated dates as people write them, and in the form of ISO 8601."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

__all__ = ["generated_dates"]

_FIRST, _DAYS = date(1930, 1, 1), 43_829
"""The dates lie in 1930 to 2049, so two digits of a year would not be enough."""
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_FORMS = (
    "{d} {month} {y}", "{d} {mon} {y}", "{month} {d}, {y}", "{mon} {d}, {y}", "{nth} of {month} {y}",
    "{month} {nth}, {y}", "the {nth} of {month}, {y}", "{weekday}, {d} {month} {y}", "{weekday}, {month} {d}, {y}",
    "{day}, {dd} {mon} {y}", "{dd}.{mm}.{y}", "{d}. {month} {y}", "{d}-{mon}-{y}", "{y} {month} {d}", "{mm}/{dd}/{y}",
    "{weekday} the {nth} of {month} {y}",
)  # fmt: skip
_CASES = (str, str.lower, str.upper)


def generated_dates(count: int, seed: int = 0) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw dates in one of sixteen English forms, some in lower or upper case: "3rd of May 1999" and "1999-05-03".

    A day before a month has dots, and a month before a day has slashes: no form is ambiguous.

    Returns:
        `count` sources, each once, and their targets.
    """
    random = np.random.default_rng(seed)
    pairs: dict[str, str] = {}
    while len(pairs) < count:
        day = _FIRST + timedelta(days=int(random.integers(_DAYS)))
        weekday, month = _WEEKDAYS[day.weekday()], _MONTHS[day.month - 1]
        text = _FORMS[random.integers(len(_FORMS))].format(
            d=day.day, dd=f"{day.day:02}", nth=_ordinal(day.day), month=month, mon=month[:3], mm=f"{day.month:02}",
            y=day.year, weekday=weekday, day=weekday[:3],
        )  # fmt: skip
        case = _CASES[random.choice(len(_CASES), p=(0.7, 0.2, 0.1))]
        pairs[case(text)] = day.isoformat()
    return tuple(pairs), tuple(pairs.values())


def _ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, ..., 11th, ..., 31st."""
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
