"""Scaling of columns, fitted on the training part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm.messages import quoted

__all__ = ["SCALINGS", "Scaler"]

SCALINGS = ("standard", "minmax", "none")
"""The kinds of `Scaler.fit`."""


@dataclass(frozen=True)
class Scaler:
    """Scales each column: x to (x - offset) / scale.

    offset: [C] float64
    scale: [C] float64, not 0
    """

    offset: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, kind: str = "standard") -> Scaler:
        """Fit offset and scale to the values.

        Args:
            values: [N, C], without missing values.
            kind: "standard" (mean 0, standard deviation 1), "minmax" (0 to 1) or "none". A constant column has scale 1.

        Raises:
            ValueError: the kind is unknown, or offset or scale is not finite.
        """
        columns = values.shape[1]
        if kind == "standard":
            with np.errstate(over="ignore", invalid="ignore"):
                offset, scale = values.mean(axis=0), values.std(axis=0)
        elif kind == "minmax":
            with np.errstate(over="ignore", invalid="ignore"):
                offset, scale = values.min(axis=0), np.ptp(values, axis=0)
        elif kind == "none":
            offset, scale = np.zeros(columns), np.ones(columns)
        else:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, not {quoted(kind)}")
        if not (np.isfinite(offset).all() and np.isfinite(scale).all()):
            raise ValueError("the values are too large to be scaled")
        # The computed deviation of a constant column may be a rounding error instead of 0.
        constant = values.min(axis=0) == values.max(axis=0)
        return cls(offset, np.where(constant | (scale == 0), 1.0, scale))

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Scale values, [N, C]."""
        return (values - self.offset) / self.scale

    def inverse(self, scaled: np.ndarray, column: int) -> np.ndarray:
        """Convert scaled values of one column, of any shape, back to their own units."""
        return scaled * self.scale[column] + self.offset[column]

    def to_dict(self) -> dict[str, list[float]]:
        """Offset and scale as lists, which JSON stores exactly."""
        return {"offset": self.offset.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Scaler:
        """Recreate a scaler from the result of `to_dict`.

        Raises:
            ValueError: the content does not describe a scaler.
        """
        try:
            offset, scale = (np.asarray(content[key], dtype=np.float64) for key in ("offset", "scale"))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"a scaler needs lists of numbers 'offset' and 'scale', not {quoted(content)}") from error
        if offset.ndim != 1 or offset.shape != scale.shape or not (np.isfinite([offset, scale]).all() and scale.all()):
            raise ValueError(
                f"a scaler needs an offset and a scale other than 0 for each column, not {quoted(content)}"
            )
        return cls(offset, scale)
