"""Losses.

Each adds Σ_R mean_N of its loss to `loss` and writes dy, the gradient of the mean over R and N.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Loss"]


class Loss(Protocol):
    """The losses."""

    def mse(self, y: Array, target: Array, loss: Array, dy: Array) -> None:
        """(y - t)².

        y: [R, N] contiguous
        target: [R, N] contiguous
        loss: [1] float64, added to
        dy: [R, N] contiguous, overwritten
        """

    def mae(self, y: Array, target: Array, loss: Array, dy: Array) -> None:
        """|y - t|, with gradient 0 at 0. Parameters as for `mse`."""

    def huber(self, y: Array, target: Array, loss: Array, dy: Array, delta: float) -> None:
        """e²/2 where |e| <= delta, else delta (|e| - delta/2), with e = y - t. Parameters as for `mse`."""
