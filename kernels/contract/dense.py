"""The Dense layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from numlstm.kernels.contract.memory import Array, Version

__all__ = ["Dense", "DenseGradients", "DenseWeights"]


@dataclass
class DenseWeights:
    """Parameters of one Dense layer.

    kernel: [F, N]
    bias: [N], or None
    version, packed: as in `RecurrentWeights`
    """

    kernel: Array
    bias: Array | None
    version: Version
    packed: dict[str, Any] = field(default_factory=dict)


@dataclass
class DenseGradients:
    """The gradients that `dense_backward` writes. All are overwritten.

    kernel: [F, N]
    bias: [N], or None
    x: [R, F] dx, each row contiguous, or None if it is not needed
    """

    kernel: Array
    bias: Array | None
    x: Array | None = None


class Dense(Protocol):
    """The Dense layer's passes."""

    def dense_forward(self, weights: DenseWeights, x: Array, y: Array) -> None:
        """y = x K + b.

        x: [R, F] view
        y: [R, N] view, each row contiguous; overwritten
        """

    def dense_backward(self, weights: DenseWeights, x: Array, dy: Array, gradients: DenseGradients) -> None:
        """dK = xᵀ dy, db = Σ dy, dx = dy Kᵀ.

        x: [R, F] view
        dy: [R, N] view
        """

    def make_dense_step(self, weights: DenseWeights, x: Array, y: Array) -> Callable[[], None]:
        """Return a function that repeats `dense_forward` with these arrays and the current weights."""
