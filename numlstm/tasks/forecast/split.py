"""The parts of a series: training, validation and held-out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from numlstm import checks
from numlstm.data.axis import labels
from numlstm.messages import option, quoted
from numlstm.tasks.forecast.settings import PLAIN_WINDOW, Settings

__all__ = ["Split"]

_LEAST_WINDOW = 2
"""Of the windows that can be chosen."""


@dataclass(frozen=True)
class Split:
    """The parts of a series, as step indices.

    validation: the end of the training part and the start of the validation part
    test: the end of the validation part and the start of the held-out part
    steps: N, the end of the held-out part

    Raises:
        TypeError: an index is not an integer.
        ValueError: the training part is empty, or the indices are not in order.
    """

    validation: int
    test: int
    steps: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            checks.integer(value, f"{name} of the split")
        if not self.validation <= self.test <= self.steps:
            raise ValueError(f"the parts of the split must follow each other, not {self}")

    @property
    def holds_out(self) -> bool:
        """Whether there is a held-out part."""
        return self.test < self.steps

    @classmethod
    def of(cls, axis: np.ndarray, settings: Settings) -> Split:
        """Split a series with this axis by the settings' dates or fractions.

        Raises:
            ValueError: a part is too short for a single window, or a date does not fit the axis.
        """
        return cls.at(_boundary(axis, settings), len(axis), settings)

    @classmethod
    def at(cls, test: int, steps: int, settings: Settings) -> Split:
        """Split a series of `steps` rows whose held-out part begins at row `test`.

        Raises:
            ValueError: a part is too short for a single window.
        """
        chosen_on = math.ceil(steps * settings.validation_fraction)
        validation = test - chosen_on
        window, horizon = (
            settings.window or (PLAIN_WINDOW if settings.rule == "none" else _LEAST_WINDOW),
            settings.horizon,
        )
        reach = window + (settings.difference or settings.rule != "none")
        for part, have, need in (
            ("training", validation, reach + horizon),
            ("validation", chosen_on, min(chosen_on, 1) * horizon),
            ("held-out", steps - test, min(steps - test, 1) * horizon),
        ):
            if have < need:
                raise ValueError(
                    f"the {part} part has {max(have, 0)} of the {steps} rows, but a window of {window} and a"
                    f" horizon of {horizon} need {need}: give more rows or a shorter window"
                )
        return cls(validation, test, steps)

    def whole(self, settings: Settings) -> Split:
        """The split of the same series that holds nothing out."""
        return replace(
            self, validation=self.steps - math.ceil(self.steps * settings.validation_fraction), test=self.steps
        )


def _boundary(axis: np.ndarray, settings: Settings) -> int:
    """The first step of the held-out part."""
    steps = len(axis)
    if settings.train_until is None and settings.test_from is None:
        return steps - (max(1, round(steps * settings.test_fraction)) if settings.test_fraction else 0)
    name = "train_until" if settings.train_until else "test_from"
    flag, text = option(name), settings.train_until or settings.test_from
    if axis.dtype.kind == "M" and re.fullmatch(r"\d{6}|\d{8}", str(text)):  # As 202001 and 20200131 in a file.
        text = "-".join(part for part in (str(text)[:4], str(text)[4:6], str(text)[6:]) if part)
    try:
        # A year or a month stands for all of its days: the axis is compared in the unit of the date.
        limit = np.datetime64(str(text)) if axis.dtype.kind == "M" else np.float64(str(text))
        if np.isnat(limit) if axis.dtype.kind == "M" else np.isnan(limit):
            raise ValueError("it is empty")
        position = axis.astype(limit.dtype) if axis.dtype.kind == "M" else axis
    except ValueError as error:
        kind = "date such as 2020-12-31" if axis.dtype.kind == "M" else "number, as on the axis"
        raise ValueError(f"{flag} must be a {kind}, not {quoted(text)}") from error
    first = int(np.searchsorted(position, limit, side="right" if settings.train_until else "left"))
    if first == steps:
        raise ValueError(f"{option(name, text)} leaves no row to hold out: the last one is {labels(axis[-1:])[0]}")
    return first
