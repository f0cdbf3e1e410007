"""Optimizers, weight decay and clipping, on flat buffers of n numbers.

parameters, gradients: [n]
schedule: [2] float64, the learning rate η and the number of steps taken; each optimizer adds one to the number
segments: [S, 2] int64, begin and end of each variable in the flat buffers; S is at least 1, and none overlap
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Optimizer"]


class Optimizer(Protocol):
    """The optimizers."""

    def clip_norm(self, gradients: Array, segments: Array, limit: float) -> None:
        """Scale the gradients of each segment so that their Euclidean norm is at most `limit`."""

    def clip_value(self, gradients: Array, limit: float) -> None:
        """g = min(max(g, -limit), limit); NaN stays NaN."""

    def decay_weights(self, parameters: Array, segments: Array, schedule: Array, decay: float) -> None:
        """w -= η λ w in each segment; λ is `decay` (Loshchilov & Hutter 2019). Call it before the optimizer."""

    def sgd(
        self,
        parameters: Array,
        gradients: Array,
        velocity: Array | None,
        schedule: Array,
        momentum: float,
        nesterov: bool,
    ) -> None:
        """v = μ v - η g, then w += v, or with Nesterov w += μ v - η g.

        velocity: [n] v; None: w -= η g
        momentum: μ
        """

    def rmsprop(
        self,
        parameters: Array,
        gradients: Array,
        state: tuple[Array, Array | None, Array | None],
        schedule: Array,
        rho: float,
        momentum: float,
        epsilon: float,
    ) -> None:
        """s = ρ s + (1 - ρ) g², a = ρ a + (1 - ρ) g, v = μ v + η g / √(s - a² + ε), w -= v   (Keras' place for ε).

        If rounding makes the variance s - a² negative, it counts as 0.

        state: [n] s, [n] a or None, [n] v or None; without a, no a² is subtracted; without v, there is no momentum
        rho: ρ
        momentum: μ
        epsilon: ε
        """

    def adam(
        self,
        parameters: Array,
        gradients: Array,
        state: tuple[Array, Array, Array | None],
        schedule: Array,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        """m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², w -= η √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε)   (Kingma & Ba 2015).

        The scaling is the second, cheaper form in the paper, which Keras uses.

        state: [n] m, [n] v, and None or [n] the greatest v so far, which replaces v under the root (Reddi et al. 2018)
        betas: (β₁, β₂)
        epsilon: ε
        """

    def nadam(
        self,
        parameters: Array,
        gradients: Array,
        state: tuple[Array, Array, Array],
        schedule: Array,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        """Adam's m and v, with a momentum that grows: μₜ = β₁ (1 - 0.96ᵗ / 2), Πₜ = μ₁ ⋯ μₜ   (Dozat 2016).

            w -= η (μₜ₊₁ m / (1 - Πₜ₊₁) + (1 - μₜ) g / (1 - Πₜ)) / (√(v / (1 - β₂ᵗ)) + ε)

        state: [n] m, [n] v, and [1] float64 Π, which is 1 before the first step and is updated
        """
