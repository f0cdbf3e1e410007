"""Penalties on parameters."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Penalty"]


class Penalty(Protocol):
    """Penalties on parameters."""

    def regularize(
        self, parameter: Array, gradient: Array | None, scale: float, l1: float, l2: float, loss: Array
    ) -> None:
        """loss += scale (l₁ Σ|w| + l₂ Σ w²), and gradient += l₁ sign w + 2 l₂ w.

        parameter: [n] contiguous, w
        gradient: [n] contiguous, added to, or None if it is not needed
        scale: the number of rows that `loss` is divided by later, so that the penalty counts once
        loss: [1] float64, added to
        """
