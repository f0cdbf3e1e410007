"""Time zones: an offset such as +05:30, or a name such as Europe/Berlin, whose offset changes twice a year."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from numlstm.messages import quoted

__all__ = ["are_clock_changes", "check_zone", "fitting_zone", "is_named", "offsets", "to_local", "to_utc"]

_FIXED = re.compile(r"([+-])(\d\d):([0-5]\d)")
_UNIT = "M8[us]"
# Of the zones that share their clock, the one that most people know.
_KNOWN = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Lisbon", "Europe/Moscow", "America/New_York",
    "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Halifax", "America/Anchorage",
    "America/Sao_Paulo", "America/Santiago", "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland",
)  # fmt: skip


def check_zone(zone: Any) -> str:
    """Check the name of a zone.

    Raises:
        ValueError: there is no such zone.
    """
    if isinstance(zone, str):
        try:
            _clock(zone)
        except (KeyError, OSError, ValueError):
            pass
        else:
            return zone
    raise ValueError(f"there is no time zone {quoted(zone)}: give a name such as Europe/Berlin or an offset as +01:00")


def is_named(zone: str) -> bool:
    """Whether a zone has a name, such as Europe/Berlin, and no fixed offset."""
    return zone != "UTC" and _FIXED.fullmatch(zone) is None


def are_clock_changes(dates: np.ndarray) -> bool:
    """Whether some of the dates [K] datetime64 are such as clocks leave out in spring, or show twice in autumn.

    That is before four o'clock of a Sunday, as nearly everywhere, or about a year after another one of these hours.
    """
    days = dates.astype("M8[D]")
    days = days[dates - days < np.timedelta64(4, "h")].astype(np.int64)
    sundays, years = (days + 3) % 7 == 6, abs(np.diff(days) - 365) <= 7
    return bool(sundays.any() or years.any())


def to_local(utc: np.ndarray, zone: str) -> np.ndarray:
    """The clocks of a zone at moments [N] datetime64 in UTC, [N] datetime64[us]."""
    return _index(utc).tz_localize("UTC").tz_convert(_clock(zone)).tz_localize(None).to_numpy(_UNIT)


def to_utc(local: np.ndarray, zone: str) -> np.ndarray:
    """The moments in UTC at which the clocks of a zone show dates [N] datetime64, [N] datetime64[us].

    An hour that clocks leave out is moved on. Of an hour that they show twice it is the first one, or the second one
    where the dates go back in it.

    Raises:
        ValueError: the dates do not tell which of the two hours it is.
    """
    index, clock = _index(local), _clock(zone)
    try:
        moments = index.tz_localize(clock, ambiguous="infer", nonexistent="shift_forward")
    except ValueError:  # No date goes back: each hour is there once.
        moments = index.tz_localize(clock, ambiguous=np.ones(len(index), bool), nonexistent="shift_forward")
    return moments.tz_convert("UTC").tz_localize(None).to_numpy(_UNIT)


def offsets(utc: np.ndarray, zone: str) -> list[str]:
    """The offsets of a zone at moments [N] in UTC, as text: +01:00, or Z for "UTC"."""
    if zone == "UTC":
        return ["Z"] * len(utc)
    return [
        _offset_text(int(minutes)) for minutes in (to_local(utc, zone) - utc.astype(_UNIT)).astype("m8[m]").astype(int)
    ]


def fitting_zone(utc: np.ndarray, texts: np.ndarray) -> str | None:
    """The zone whose clock has the given offsets.

    Args:
        utc: [N] datetime64 moments, increasing.
        texts: [N] the offset at each moment, as "Z" or "+01:00".

    Returns:
        The offset itself where it never changes ("UTC" for Z). None if no zone changes it at these moments.
    """
    changes = np.flatnonzero(texts[1:] != texts[:-1])
    if not len(changes):
        return "UTC" if texts[0] == "Z" else str(texts[0])
    from zoneinfo import available_timezones

    # Both sides of each change tell zones apart.
    chosen = np.unique([0, *changes, *(changes + 1), len(texts) - 1])
    moments, expected = utc[chosen], [text.replace("Z", "+00:00") for text in texts[chosen]]
    return next((zone for zone in _candidates(available_timezones()) if offsets(moments, zone) == expected), None)


def _candidates(zones: Iterable[str]) -> list[str]:
    return [*_KNOWN, *sorted(zone for zone in zones if "/" in zone and not zone.startswith("Etc/"))]


@cache
def _clock(zone: str) -> Any:
    """A tzinfo."""
    from datetime import UTC, timedelta, timezone
    from zoneinfo import ZoneInfo

    fixed = _FIXED.fullmatch(zone)
    if zone == "UTC":
        return UTC
    if fixed is None:
        return ZoneInfo(zone)
    minutes = int(fixed[2]) * 60 + int(fixed[3])
    return timezone(timedelta(minutes=-minutes if fixed[1] == "-" else minutes))


def _offset_text(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"


def _index(dates: np.ndarray) -> Any:
    import pandas as pd

    return pd.DatetimeIndex(dates.astype(_UNIT))
