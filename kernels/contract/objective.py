"""The parts of an objective beside its loss: masked rows, and penalties on parameters."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Objective"]


class Objective(Protocol):
    """Masked rows and penalties."""

    def mask_class(self, target: Array, mask: Array | None, ignored: int, out: Array) -> None:
        """out = mask ∧ (target ≠ ignored).

        target: [R] int64 contiguous
        mask: [R] bool contiguous, or None for True everywhere; may be out
        ignored: a label
        out: [R] bool contiguous, overwritten
        """

    def mask_weights(self, mask: Array, weights: Array | None, out: Array) -> None:
        """out = w ⊙ mask R / max(1, Σ mask). With these weights, a loss is the mean over the rows whose mask is True.

        mask: [R] bool contiguous, True where a row counts
        weights: [R] contiguous, or None for ones; may be out
        out: [R] contiguous, overwritten; exactly 0 where the mask is False, whatever the weight
        """

    def regularize(
        self, parameter: Array, gradient: Array | None, scale: float, l1: float, l2: float, loss: Array
    ) -> None:
        """loss += scale (l₁ Σ|w| + l₂ Σ w²), and gradient += l₁ sign w + 2 l₂ w.

        parameter: [n] contiguous, w
        gradient: [n] contiguous, added to, or None if it is not needed
        scale: the number of rows that `loss` is divided by later, so that the penalty counts once
        loss: [1] float64, added to
        """
