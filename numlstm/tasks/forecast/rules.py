"""Naive rules: forecasts without a model. A report compares the model with them, and a model may build on one.

With the last known value y_t, the season m and k = ⌈h / m⌉, a rule forecasts y_{t+h} as
- persistence: y_t
- seasonal_naive: y_{t+h-km}
- seasonal_change: y_{t+h-km} + k (y_t - y_{t-m}), the last season moved by the change since then; on logarithms it is a
  multiplicative rule
- drift: y_t + h (y_t - y_0) / t, on the line through the first and the last value
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.data.series import Series
from numlstm.messages import quoted
from numlstm.tasks.forecast.seasons import find_season
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split

__all__ = ["SEASONAL", "WORDS", "Rivals", "naive"]

PLAIN = ("persistence", "drift")
SEASONAL = ("seasonal_naive", "seasonal_change")
WORDS = {
    "persistence": "persistence", "seasonal_naive": "the seasonal naive rule", "seasonal_change": "the seasonal change",
    "drift": "drift", "best_rule": "each one's best naive forecast",
}  # fmt: skip
"""The naive rules in a sentence."""


def naive(rule: str, values: np.ndarray, origins: np.ndarray, season: int | None, horizon: int) -> np.ndarray:
    """Forecast by a rule from several origins. With less than a season known, the last value stands for a missing one.

    Args:
        rule: one of the rules above.
        values: [N].
        origins: [K] the index of the last known value of each forecast.
        season: m; needed by the seasonal rules.
        horizon: H.

    Returns:
        [K, H]
    """
    ahead = np.arange(1, horizon + 1)
    last = values[origins][:, None]
    if rule == "drift":
        return last + (last - values[0]) / np.maximum(origins, 1)[:, None] * ahead
    if rule == "persistence":
        return np.broadcast_to(last, (len(origins), horizon))
    assert season is not None
    rounds = -(-ahead // season)
    back = origins[:, None] + ahead - season * rounds
    seasonal = np.where(back >= 0, values[np.maximum(back, 0)], last)
    if rule == "seasonal_naive":
        return seasonal
    before = origins - season
    change = np.where(before >= 0, values[origins] - values[np.maximum(before, 0)], 0.0)
    return np.where(back >= 0, seasonal + rounds * change[:, None], last)


@dataclass(frozen=True)
class Rivals:
    """The rules that a model is compared with.

    season: the season in steps; None: the seasonal rules are left out
    best: the rule with the lowest error on the validation part, that the rmse ratio is to

    Raises:
        ValueError, TypeError: the season is not a number above 1, or the best rule is not one of the rules.
    """

    season: int | None = None
    best: str = "persistence"

    def __post_init__(self) -> None:
        if self.season is not None:
            checks.integer(self.season, "the season of the rivals", least=2)
        if self.best not in self.names:
            raise ValueError(f"the best rival must be one of {', '.join(self.names)}, not {quoted(self.best)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The rules that can be used."""
        return PLAIN if self.season is None else (PLAIN[0], *SEASONAL, PLAIN[1])

    @classmethod
    def choose(cls, series: Series, settings: Settings, split: Split) -> Rivals:
        """Find the season in the training part and the best rule on the validation part, or else on the training part.

        Raises:
            ValueError: the season that the settings name is longer than the training part.
        """
        values = series.values[:, 0]
        season = find_season(values[: split.validation], series.clock[: split.validation], settings.season)
        rivals, horizon = cls(season), settings.horizon
        first = split.validation if split.validation < split.test else 1
        origins = np.arange(first - 1, split.test - horizon)
        true = np.lib.stride_tricks.sliding_window_view(values[first : split.test], horizon)
        with np.errstate(over="ignore", invalid="ignore"):
            errors = {
                rule: float(np.mean((naive(rule, values, origins, season, horizon) - true) ** 2))
                for rule in rivals.names
            }
        return cls(season, min(errors, key=lambda rule: errors[rule]))

    def forecasts(self, values: np.ndarray, origins: np.ndarray, horizon: int) -> dict[str, np.ndarray]:
        """The forecasts [K, H] of each rule; arguments as for `naive`."""
        return {rule: naive(rule, values, origins, self.season, horizon) for rule in self.names}

    @classmethod
    def from_dict(cls, content: Any, steps: int) -> Rivals:
        """Read what `dataclasses.asdict` made of the rivals for a series of a number of steps; ValueError if damaged.

        Runs of format 1 have none: they were compared with persistence.
        """
        if content is None:
            return cls()
        rivals = cls(**content)
        if rivals.season is not None and rivals.season > steps:
            raise ValueError(f"a season of {quoted(rivals.season)} is longer than the series")
        return rivals
