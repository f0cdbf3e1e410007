"""The parts of a series: training, validation and held-out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numlstm import checks
from numlstm.tasks.forecast.settings import Settings

__all__ = ["Split"]


@dataclass(frozen=True)
class Split:
    """The parts of a series, as step indices.

    validation: the end of the training part and the start of the validation part
    test: the end of the validation part and the start of the held-out part
    steps: N, the end of the held-out part

    Raises:
        TypeError: an index is not an integer.
        ValueError: the training part or the held-out part is empty, or the indices are not in order.
    """

    validation: int
    test: int
    steps: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            checks.integer(value, f"{name} of the split")
        if not self.validation <= self.test < self.steps:
            raise ValueError(f"the parts of the split must follow each other, not {self}")

    @classmethod
    def of(cls, steps: int, settings: Settings) -> Split:
        """Split a series of this number of steps by the settings' fractions.

        Raises:
            ValueError: a part is too short for a single window.
        """
        held_out = max(1, round(steps * settings.test_fraction))
        chosen_on = math.ceil(steps * settings.validation_fraction)
        validation, test = steps - held_out - chosen_on, steps - held_out
        reach, horizon = settings.window + settings.difference, settings.horizon
        for part, have, need in (
            ("training", validation, reach + horizon),
            ("validation", chosen_on, min(chosen_on, 1) * horizon),
            ("held-out", held_out, horizon),
        ):
            if have < need:
                raise ValueError(
                    f"the {part} part has {max(have, 0)} of the {steps} rows, but a window of {settings.window} and a"
                    f" horizon of {horizon} need {need}: give more rows or a shorter window"
                )
        return cls(validation, test, steps)
