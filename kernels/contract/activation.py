"""Activations of single elements, and softmax over rows.

    tanh      tanh x                   sigmoid   1 / (1 + exp(-x))    hard_sigmoid  min(max(x + 3, 0), 6) / 6
    relu      max(x, 0)                linear    x                    elu           x, or exp(x) - 1 below 0
    softplus  log(1 + exp(x))          softsign  x / (1 + |x|)        exponential   exp(x)

The derivatives of relu and hard_sigmoid are 0 at the points where they jump.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["ACTIVATIONS", "CELL_ACTIVATIONS", "Activation"]

ACTIVATIONS = (
    "tanh", "sigmoid", "hard_sigmoid", "relu", "linear", "elu", "softplus", "softsign", "exponential",
)  # fmt: skip
"""The activations that `activate` knows. Kernels identify an activation by its index here."""

CELL_ACTIVATIONS = ACTIVATIONS[:5]
"""The activations that an LSTM or a GRU may use."""


class Activation(Protocol):
    """Activations, forward and backward."""

    def activate(self, x: Array, y: Array, activation: str) -> None:
        """y = φ(x).

        x: contiguous
        y: contiguous, of the same shape, overwritten; may be x
        activation: one of ACTIVATIONS
        """

    def activate_backward(self, y: Array, dy: Array, dx: Array, activation: str) -> None:
        """dx = dy ⊙ φ'(x), computed from y = φ(x).

        y, dy: contiguous
        dx: contiguous, overwritten; may be y or dy
        activation: one of ACTIVATIONS
        """

    def softmax(self, x: Array, y: Array) -> None:
        """y = exp(x - max x) / Σ exp(x - max x) for each row.

        x: [R, N] contiguous
        y: [R, N] contiguous, overwritten; may be x
        """

    def softmax_backward(self, y: Array, dy: Array, dx: Array) -> None:
        """dx = y ⊙ (dy - Σ dy ⊙ y) for each row.

        y, dy: [R, N] contiguous
        dx: [R, N] contiguous, overwritten; may be y or dy
        """
