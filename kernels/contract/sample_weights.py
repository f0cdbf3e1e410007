"""Masks as weights of a loss's rows."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["SampleWeights"]


class SampleWeights(Protocol):
    """Masks as weights of a loss's rows."""

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
