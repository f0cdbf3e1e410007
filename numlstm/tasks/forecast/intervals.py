"""Prediction intervals from the errors of forecasts that the model had not learned from.

Errors are divided by the spread of their origin, which tells how unforeseeable the series has been just before it; see
`Inputs.spread`. An interval of level p is the forecast ± the spread times the p-quantile of the absolute quotients,
with the correction of split conformal prediction, ⌈(n + 1) p⌉ of n (Lei et al. 2018, locally weighted). It covers a new
value with probability p if its quotient is exchangeable with the others. Errors of a series depend on each other, so
this holds about: the errors come from contiguous parts over the whole fitted part, and a report says what share of the
held-out values the intervals cover.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm.messages import quoted

__all__ = ["Intervals"]

_KEPT = 300
"""Errors that are kept for simulated paths, spread evenly over all of them."""


@dataclass(frozen=True)
class Intervals:
    """Widths of intervals, in parts of the spread.

    levels: L percentages, growing
    widths: [L, H] half of the width for each step ahead
    sample: [S, H] errors, for paths beyond the horizon

    Raises:
        ValueError: the shapes do not fit, or a number is not finite.
    """

    levels: tuple[float, ...]
    widths: np.ndarray
    sample: np.ndarray

    def __post_init__(self) -> None:
        if not all(isinstance(level, float | int) and 0 < level < 100 for level in self.levels):
            raise ValueError(f"the levels must be percentages, not {quoted(self.levels)}")
        if self.widths.ndim != 2 or self.sample.ndim != 2 or not len(self.sample):
            raise ValueError("the intervals need tables of widths and errors")
        if len(self.widths) != len(self.levels) or self.widths.shape[1] != self.sample.shape[1]:
            raise ValueError("the intervals need a width for each level and step")
        if not (np.isfinite(self.widths).all() and (self.widths >= 0).all() and np.isfinite(self.sample).all()):
            raise ValueError("widths and errors of intervals must be finite, and widths not negative")

    @classmethod
    def fit(cls, errors: np.ndarray, levels: tuple[float, ...]) -> Intervals | None:
        """Fit the widths to errors [n, H], in parts of the spread; None without levels or errors."""
        if not levels or not len(errors) or not np.isfinite(errors).all():
            return None
        rows = np.linspace(0, len(errors) - 1, min(len(errors), _KEPT)).round().astype(int)
        return cls(levels, quantiles(np.abs(errors), levels), errors[rows])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bounds in tables: lower_80, upper_80 and so on."""
        return tuple(f"{side}_{level:g}" for level in self.levels for side in ("lower", "upper"))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `from_dict`."""
        return {"levels": list(self.levels), "widths": self.widths.tolist(), "sample": self.sample.tolist()}

    @classmethod
    def from_dict(cls, content: Any) -> Intervals | None:
        """Read the result of `to_dict`, or None; ValueError, TypeError or KeyError if it is damaged."""
        if content is None:
            return None
        tables = [np.asarray(content[name], dtype=np.float64) for name in ("widths", "sample")]
        return cls(tuple(content["levels"]), *tables)


def quantiles(scores: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """The conformal quantiles of scores [n, H] at levels in percent: [L, H]."""
    ordered, count = np.sort(scores, axis=0), len(scores)
    ranks = [min(math.ceil((count + 1) * level / 100), count) - 1 for level in levels]
    return ordered[ranks]
