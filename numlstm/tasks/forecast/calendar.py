"""The calendar as inputs: the hour, the day of the week and the day of the year, each as a point on a circle."""

from __future__ import annotations

import numpy as np

from numlstm.tasks.forecast.seasons import step_in_days

__all__ = ["CYCLES", "calendar_of", "cycles_of"]

CYCLES = {"hour": 1.0, "weekday": 7.0, "yearday": 365.25}
"""Days of a cycle."""
_FINEST = 0.4
"""A cycle is of use where a step is at most this part of it."""


def cycles_of(axis: np.ndarray) -> tuple[str, ...]:
    """The cycles that an axis shows at least twice. From less, a model would learn where in the series it is.

    Args:
        axis: [N] the part of the axis that is learned from.
    """
    days = step_in_days(axis)
    if days is None:
        return ()
    span = float((axis[-1] - axis[0]) / np.timedelta64(1, "D"))
    return tuple(name for name, length in CYCLES.items() if days <= _FINEST * length and span >= 2 * length)


def calendar_of(axis: np.ndarray, cycles: tuple[str, ...]) -> np.ndarray:
    """Sine and cosine of the position in each cycle, [N, 2 for each cycle].

    Args:
        axis: [N] datetime64.
        cycles: names from `CYCLES`.
    """
    time = axis.astype("datetime64[s]")
    day = time.astype("datetime64[D]")
    positions = {
        "hour": (time - day).astype(np.int64) / 86_400,
        "weekday": (time.astype(np.int64) / 86_400 + 3) % 7 / 7,  # 1970 began on a Thursday.
        "yearday": (time - time.astype("datetime64[Y]")).astype(np.int64) / 86_400 / CYCLES["yearday"],
    }
    angles = [2 * np.pi * positions[name] for name in cycles]
    return np.stack([f(angle) for angle in angles for f in (np.sin, np.cos)], axis=1)
