"""Optimizers and clipping.

All work on flat buffers of the same length. `schedule` is [2] float64: learning rate η and the number of steps taken so
far, which each optimizer advances by one.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Optimizer"]


class Optimizer(Protocol):
    """The optimizers."""

    def clip_norm(self, gradients: Array, limit: float) -> None:
        """Scale the gradients so that their Euclidean norm is at most `limit`."""

    def sgd(
        self, parameters: Array, gradients: Array, velocity: Array, schedule: Array, momentum: float, nesterov: bool
    ) -> None:
        """v = momentum v - η g, then w += v, or with Nesterov w += momentum v - η g."""

    def rmsprop(
        self, parameters: Array, gradients: Array, mean_square: Array, schedule: Array, rho: float, epsilon: float
    ) -> None:
        """s = ρ s + (1 - ρ) g², then w -= η g / sqrt(s + ε)   (Keras puts ε inside the root)."""

    def adam(
        self,
        parameters: Array,
        gradients: Array,
        m: Array,
        v: Array,
        schedule: Array,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        """m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², w -= η √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε)   (Kingma & Ba 2015).

        The scaling is the paper's second, cheaper form, as Keras has it.
        """
