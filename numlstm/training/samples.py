"""Samples and the selection of a batch's samples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

__all__ = ["Rows", "Samples"]

Rows = slice | np.ndarray
"""The samples of a batch: a slice or indices."""


@dataclass(eq=False, repr=False)
class Samples:
    """Checked inputs, targets and weights.

    x: for each input of the network, (samples, ...) of any real dtype
    y: for each output (samples, ...) in its loss' target shape; None for an output without a loss; empty for prediction
    weights: for each output (samples,) or (samples, steps); None: ones
    label: Prefix of x and y in error messages, such as "the validation "
    row_shapes: the shape of one sample of each input
    target_rows: the shape of one sample of the targets of each output; None for an output without a loss
    weighted: whether each output has weights
    """

    x: tuple[np.ndarray, ...]
    y: tuple[np.ndarray | None, ...] = ()
    weights: tuple[np.ndarray | None, ...] = ()
    label: str = ""
    row_shapes: tuple[tuple[int, ...], ...] = field(init=False)
    target_rows: tuple[tuple[int, ...] | None, ...] = field(init=False)
    weighted: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.row_shapes = tuple(part.shape[1:] for part in self.x)
        self.target_rows = tuple(None if part is None else part.shape[1:] for part in self.y)
        self.weighted = tuple(part is not None for part in self.weights)

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.x[0])

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the inputs."""
        return tuple(part.shape for part in self.x)

    def without_weights(self) -> Samples:
        """The same samples with weights of one."""
        return replace(self, weights=(None,) * len(self.y))
