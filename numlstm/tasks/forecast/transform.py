"""Monotone transforms of the target, which a rule and a model see in its place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numlstm import checks
from numlstm.messages import quoted
from numlstm.tasks.forecast.settings import TRANSFORMS

__all__ = ["Transform"]


@dataclass(frozen=True)
class Transform:
    """A monotone transform of the target.

    name: one of `TRANSFORMS`
    floor: lower values are raised to it before a logarithm or a root
    """

    name: str
    floor: float

    def __post_init__(self) -> None:
        checks.number(self.floor, "the floor of the transform")
        if self.name not in TRANSFORMS:
            raise ValueError(f"the transform must be one of {', '.join(TRANSFORMS)}, not {quoted(self.name)}")
        if not (np.isfinite(self.floor) and self.floor >= 0 and (self.floor > 0 or self.name != "log")):
            raise ValueError(f"the floor of the transform must be above 0, not {quoted(self.floor)}")

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Transform values."""
        if self.name == "none":
            return values
        return (np.log if self.name == "log" else np.sqrt)(np.maximum(values, self.floor))

    def inverse(self, transformed: np.ndarray) -> np.ndarray:
        """The values."""
        if self.name == "none":
            return transformed
        if self.name == "sqrt":
            return np.square(np.maximum(transformed, 0))
        return np.exp(np.minimum(transformed, 700.0))  # Larger ones overflow.
