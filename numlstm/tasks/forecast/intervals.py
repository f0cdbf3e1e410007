"""Prediction intervals from the errors of forecasts that the model had not learned from.

Errors are divided by the spread of their origin, which tells how unforeseeable the series has been just before it; see
`Inputs.spread`. An interval of level p is the forecast ± the spread times the p-quantile of the absolute quotients.

With equal weights this is split conformal prediction (Lei et al. 2018, locally weighted): the k-th of n quotients is
the quantile at k / (n + 1), which covers a new value with probability p if its quotient is exchangeable with the
others. Those of a series are not: it changes, and the last part alone was forecast from the past, while the models of
earlier parts have learned from later values too. So the weights fall with age, which bounds what a change can cost
(Barber, Candès, Ramdas and Tibshirani 2023, Conformal prediction beyond exchangeability), and n is their effective
number. A report says what share of the held-out values the intervals cover.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm.messages import quoted

__all__ = ["Intervals"]

_FADE = 3.0
"""The oldest error weighs e^-3 = 1/20 of the last one. Of 0 to 6, it is the one by which earlier fifths of the fitted
parts of eight series cover the later ones best: in the root mean square, they miss 80 % by 4.0 points and 95 % by 1.5.
Equal weights miss them by 4.5 and 2.0."""
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
        """Fit the widths to errors [n, H] in the order of time, in parts of the spread; None without either."""
        if not levels or not len(errors) or not np.isfinite(errors).all():
            return None
        rows = np.linspace(0, len(errors) - 1, min(len(errors), _KEPT)).round().astype(int)
        ages = np.arange(len(errors))[::-1] / len(errors)
        return cls(levels, quantiles(np.abs(errors), levels, np.exp(-_FADE * ages)), errors[rows])

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


def quantiles(scores: np.ndarray, levels: tuple[float, ...], weights: np.ndarray | None = None) -> np.ndarray:
    """The conformal quantiles of scores [n, H] at levels in percent: [L, H]; beyond the largest score, it stands.

    The k-th of n equal scores is the quantile at k / (n + 1), with linear interpolation between. With weights [n],
    their sums count, and 1 is the sum of the squares ÷ the sum: n becomes Kish's effective number of scores.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores, axis=0)
    one = (weights**2).sum() / weights.sum()
    sorted_weights = weights[order]
    reached = (np.cumsum(sorted_weights, axis=0) - sorted_weights / 2 + one / 2) / (weights.sum() + one)
    ordered, wanted = np.take_along_axis(scores, order, axis=0), np.array(levels) / 100
    return np.stack([np.interp(wanted, at, values) for at, values in zip(reached.T, ordered.T, strict=True)], axis=1)
