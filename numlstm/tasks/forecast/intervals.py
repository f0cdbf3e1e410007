"""Prediction intervals from the errors of forecasts that the model had not learned from.

Errors are divided by the spread of their origin, which tells how unforeseeable the series has been just before it; see
`numlstm.tasks.forecast.spread`. An interval of level p is the forecast ± the spread times the p-quantile of the
absolute quotients.

With equal weights this is split conformal prediction (Lei et al. 2018, locally weighted): the k-th of n quotients is
the quantile at k / (n + 1), which covers a new value with probability p if its quotient is exchangeable with the
others. Those of a series are not: it changes, and the last part alone was forecast from the past, while the models of
earlier parts have learned from later values too. So the weights fall with age, which bounds what a change can cost
(Barber, Candès, Ramdas and Tibshirani 2023, Conformal prediction beyond exchangeability), and n is their effective
number. A report says what share of the held-out values the intervals cover.

Beyond the horizon, forecasts are made from forecasts. There, the errors are those of paths that are rolled forward in
the same way from origins of the parts that the models had not learned from, for as many steps as these parts allow
twice (see `numlstm.tasks.forecast.sources`). This assumes what is assumed within the horizon; but neighbouring paths
share most of their errors, so their number says less. After the last step that is measured, the widths go on by the
power of the step by which the later ones of them grew, between none and the first, or by the square root, as those of a
random walk do, if fewer than four steps are measured. Nothing measures that part. On held-out parts, 80 and 95 %
intervals of the steps beyond a horizon of one covered 80 to 81 % and 94 to 96 % of births and of Seattle's
temperatures, but 56 and 75 % of CO2, whose trend bends after the fitted part (28 and 56 days and 104 weeks ahead, 60
origins each, November 2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm.messages import quoted

__all__ = ["Intervals"]

_FADE = 3.0
"""The oldest error weighs e^-3 = 1/20 of the last one. Of 0 to 6, it is the one by which earlier fifths of the fitted
parts of eight series cover the later ones best: in the root mean square, they miss 80 % by 2.8 points and 95 % by 1.5.
Equal weights miss them by 3.1 and 2.1."""
_KEPT = 300
"""Errors that are kept, spread evenly over all of them, for widths that are rolled forward with new values."""
_FEW = 4
"""Steps from which on the growth of the widths is measured."""


@dataclass(frozen=True)
class Intervals:
    """Widths of intervals, in parts of the spread.

    levels: L percentages, growing
    widths: [L, R] half of the width for each step ahead, R of them are measured, at least H
    sample: [S, H] errors within the horizon

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
        if len(self.widths) != len(self.levels) or self.widths.shape[1] < self.sample.shape[1]:
            raise ValueError("the intervals need a width for each level and step")
        if not (np.isfinite(self.widths).all() and (self.widths >= 0).all() and np.isfinite(self.sample).all()):
            raise ValueError("widths and errors of intervals must be finite, and widths not negative")

    @classmethod
    def fit(cls, errors: np.ndarray, levels: tuple[float, ...], rolled: np.ndarray | None = None) -> Intervals | None:
        """Fit the widths to errors in parts of the spread, in the order of time; None without levels or errors.

        Args:
            errors: [n, H] of the steps of the horizon.
            levels: percentages.
            rolled: [m, R] of paths that go on beyond the horizon; None: there are none.
        """
        if not levels or not len(errors) or not np.isfinite(errors).all():
            return None
        rows = np.linspace(0, len(errors) - 1, min(len(errors), _KEPT)).round().astype(int)
        widths = _widths(errors, levels)
        if rolled is not None and len(rolled) and np.isfinite(rolled).all():
            widths = np.concatenate([widths, _widths(rolled, levels)[:, widths.shape[1] :]], axis=1)
        return cls(levels, widths, errors[rows])

    def upto(self, steps: int) -> np.ndarray:
        """The widths of the first steps ahead, [L, steps]. Those after the measured ones go on as these grew."""
        measured = self.widths.shape[1]
        if steps <= measured:
            return self.widths[:, :steps]
        power = np.full(len(self.levels), 0.5)
        if measured >= _FEW and (self.widths > 0).all():
            later = np.arange(measured // 2, measured)
            power = np.clip(np.polyfit(np.log(later + 1), np.log(self.widths[:, later]).T, 1)[0], 0, 1)
        ratio = np.arange(measured + 1, steps + 1) / measured
        further = self.widths[:, -1:] * ratio ** power[:, None]
        return np.concatenate([self.widths, np.maximum.accumulate(further)], axis=1)  # A larger level is no narrower.

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


def _widths(errors: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """The quantiles of errors [n, H] in the order of time, of which the last ones weigh most: [L, H]."""
    ages = np.arange(len(errors))[::-1] / len(errors)
    return quantiles(np.abs(errors), levels, np.exp(-_FADE * ages))


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
