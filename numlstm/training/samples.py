"""Samples and the selection of a batch's samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Rows", "Samples"]

Rows = slice | np.ndarray
"""The samples of a batch: a slice or indices."""


@dataclass(eq=False, repr=False)
class Samples:
    """Checked inputs, targets and weights.

    x: (samples, ...) of any real dtype
    y: (samples, ...) in the loss' target shape; None for prediction
    weights: (samples,) or (samples, steps); None: ones
    label: Prefix of x and y in error messages, such as "the validation "
    """

    x: np.ndarray
    y: np.ndarray | None = None
    weights: np.ndarray | None = None
    label: str = ""
