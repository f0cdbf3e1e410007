"""Layer normalization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Normalization", "NormalizationGradients", "NormalizationWeights"]


@dataclass
class NormalizationWeights:
    """Parameters of a normalization.

    gamma: [N], or None for 1
    beta: [N], or None for 0
    """

    gamma: Array | None
    beta: Array | None


@dataclass
class NormalizationGradients:
    """The gradients that `normalize_rows_backward` writes. All are overwritten; None if one is not needed.

    gamma, beta: [N]
    x: [R, N]
    """

    gamma: Array | None
    beta: Array | None
    x: Array | None


class Normalization(Protocol):
    """Normalization of rows. All arrays are contiguous; N is at least one."""

    def normalize_rows(
        self, x: Array, weights: NormalizationWeights, epsilon: float, statistics: Array, y: Array
    ) -> None:
        """y = γ ⊙ x̂ + β with x̂ = (x - μ) / √(σ² + ε), μ and σ² the mean and variance of the row (Ba et al. 2016).

        x: [R, N]
        statistics: [R, 2], overwritten by μ and 1 / √(σ² + ε)
        y: [R, N], overwritten; not x
        """

    def normalize_rows_backward(
        self, x: Array, weights: NormalizationWeights, statistics: Array, dy: Array, gradients: NormalizationGradients
    ) -> None:
        """dγ = Σ_r dy ⊙ x̂, dβ = Σ_r dy, dx = (g - mean(g) - x̂ mean(g ⊙ x̂)) / √(σ² + ε) with g = dy ⊙ γ.

        x, statistics: as `normalize_rows` read and wrote them
        dy: [R, N]
        """
