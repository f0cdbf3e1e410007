"""Where an axis is labelled: round numbers, or the beginnings of hours, days, months or years."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

__all__ = ["date_ticks", "number_ticks"]

_STEPS = (("s", (1, 5, 15, 30)), ("m", (1, 5, 15, 30)), ("h", (1, 2, 3, 6, 12)), ("D", (1, 2, 7, 14)), ("M", (1, 3, 6)))
_SHOWN = {"s": slice(11, None), "m": slice(5, 16), "h": slice(5, 16), "D": slice(0, 10), "M": slice(0, 7)}
"""What is shown of 2020-01-31T05:00:00."""


def number_ticks(low: float, high: float, most: int, whole: bool = False) -> list[tuple[float, str]]:
    """Round numbers from low to high, at most so many, with their texts. whole: no fractions."""
    span = high - low
    if not 0 < span < math.inf:
        return [(low, f"{low:.4g}")]
    exponent = math.floor(math.log10(span / most))
    sizes = [factor * 10.0**power for power in (exponent, exponent + 1) for factor in (1, 2, 5)]
    for step in sizes:
        numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
        if len(numbers) <= most and (step >= 1 or not whole):
            break
    values = [number * step for number in numbers]
    digits = max(0, -math.floor(math.log10(step)))
    small = max(abs(low), abs(high)) < 1e7 and digits < 7
    return [(value, f"{value + 0.0:.{digits}f}" if small else f"{value:.4g}") for value in values]


def date_ticks(low: np.datetime64, high: np.datetime64, most: int) -> list[tuple[np.datetime64, str]]:
    """The beginnings of equal parts of the calendar from low to high, at most so many, with their texts."""
    for unit, step in _steps() if low < high else ():
        zero = 1970 if unit == "Y" else 0
        first, last = (int(each.astype(f"M8[{unit}]").astype(np.int64)) + zero for each in (low, high))
        numbers = range(-(-first // step) * step, last + 1, step)
        if len(numbers) > most:
            continue
        found = (np.array(numbers, dtype=np.int64) - zero).view(f"M8[{unit}]")
        dates = [date for date in found if low <= date <= high]
        if dates:
            return [(date, _text(date, unit)) for date in dates]
    return [(low, str(low.astype("M8[s]")))]


def _steps() -> Iterator[tuple[str, int]]:
    yield from ((unit, step) for unit, steps in _STEPS for step in steps)
    yield from (("Y", factor * 10**power) for power in range(5) for factor in (1, 2, 5))


def _text(date: np.datetime64, unit: str) -> str:
    text = np.datetime_as_string(date, unit="s")
    return str(date) if unit == "Y" else str(text)[_SHOWN[unit]].replace("T", " ")
