"""What the series of a panel have in common, so that one model sees them all: season, window and calendar.

Each has its own rule, transform, scales and rivals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from numlstm.data.panel import Panel
from numlstm.data.series import Series
from numlstm.messages import option
from numlstm.tasks.forecast.calendar import CYCLES, cycles_of
from numlstm.tasks.forecast.choose import choose_inputs, plain_inputs, ridge_error, windows_for
from numlstm.tasks.forecast.inputs import Inputs
from numlstm.tasks.forecast.pooled import naive_scale
from numlstm.tasks.forecast.rules import SEASONAL, Rivals
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split

__all__ = ["settle"]


def settle(panel: Panel, settings: Settings, splits: Sequence[Split]) -> tuple[list[Rivals], list[Inputs]]:
    """Choose rivals and inputs of each series, all with the same season, window and calendar.

    The season is the one that most series have, if at least half of them have any. The window is the one with the
    lowest error over all series, each in parts of its own naive error; the shortest series limits it.

    Raises:
        ValueError: the rows of a series do not suffice, or a setting does not fit its data. It names the series.
    """
    rivals = panel.each(lambda series, split: Rivals.choose(series, settings, split), splits)
    if len(panel) == 1:
        season = rivals[0].season
        return rivals, panel.each(lambda series, split: _inputs_of(series, settings, split, season), splits)
    season = _most_common([each.season for each in rivals])
    if season is None and settings.rule in SEASONAL:
        raise ValueError(f"the rule {settings.rule} needs a season, and none was found: name it by {option('season')}")
    settings = replace(settings, season=season or "none")
    rivals = panel.each(lambda series, split: Rivals.choose(series, settings, split), splits)
    if settings.rule == "none":
        return rivals, panel.each(lambda series, split: _inputs_of(series, settings, split, season), splits)
    fitted = [series.take(slice(split.test)) for series, split in zip(panel, splits, strict=True)]
    cycles = () if settings.calendar == "none" else _usual_cycles(fitted)
    windows = windows_for(settings, season, min(map(len, fitted)))
    candidates: list[list[Inputs]] = []
    errors = []
    for window in windows:
        given = replace(settings, window=window)
        chosen = panel.each(lambda *each, given=given: choose_inputs(each[0], given, each[1], season, cycles), splits)
        candidates.append(list(chosen))
        if len(windows) > 1:
            found = zip(chosen, fitted, panel, splits, strict=True)
            errors.append(np.mean([ridge_error(i, known) / naive_scale(s, split) ** 2 for i, known, s, split in found]))
    return rivals, candidates[int(np.argmin(errors))] if errors else candidates[0]


def _inputs_of(series: Series, settings: Settings, split: Split, season: int | None) -> Inputs:
    """The inputs that the settings ask for, fitted to the part before the held-out part."""
    if settings.rule == "none":
        return plain_inputs(series, settings, split)
    return choose_inputs(series, settings, split, season)


def _most_common(seasons: Sequence[int | None]) -> int | None:
    found = [season for season in seasons if season is not None]
    return Counter(found).most_common(1)[0][0] if found and 2 * len(found) >= len(seasons) else None


def _usual_cycles(fitted: Sequence[Series]) -> tuple[str, ...]:
    """The cycles of the calendar that at least half of the series show."""
    counts = Counter(name for series in fitted for name in cycles_of(series.clock))
    return tuple(name for name in CYCLES if 2 * counts[name] >= len(fitted))
