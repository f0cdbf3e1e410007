"""Activations, element by element and over rows.

    tanh      tanh x                   sigmoid   1 / (1 + exp(-x))    hard_sigmoid  min(max(x + 3, 0), 6) / 6
    relu      max(x, 0)                linear    x                    elu           x, or exp(x) - 1 below 0
    softplus  log(1 + exp(x))          softsign  x / (1 + |x|)        exponential   exp(x)

Where a derivative jumps, at the ends of relu and hard_sigmoid, it is 0.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["ACTIVATIONS", "CELL_ACTIVATIONS", "Activation"]

ACTIVATIONS = (
    "tanh", "sigmoid", "hard_sigmoid", "relu", "linear", "elu", "softplus", "softsign", "exponential",
)  # fmt: skip
"""The kinds of `activate`. Kernels know them by their place here."""

CELL_ACTIVATIONS = ACTIVATIONS[:5]
"""Those that an LSTM takes inside its steps."""


class Activation(Protocol):
    """Activations, forward and backward."""

    def activate(self, x: Array, y: Array, kind: str) -> None:
        """y = φ(x).

        x: contiguous
        y: contiguous, of the same shape, overwritten; may be x
        kind: one of ACTIVATIONS
        """

    def activate_backward(self, y: Array, dy: Array, dx: Array, kind: str) -> None:
        """dx = dy ⊙ φ'(x), from y alone.

        y, dy: contiguous
        dx: contiguous, overwritten; may be y or dy
        """

    def softmax(self, x: Array, y: Array) -> None:
        """y = exp(x - max x) / Σ exp(x - max x), over each row.

        x: [R, N] contiguous
        y: [R, N] contiguous, overwritten; may be x
        """

    def softmax_backward(self, y: Array, dy: Array, dx: Array) -> None:
        """dx = y ⊙ (dy - Σ dy ⊙ y), over each row.

        y, dy: [R, N] contiguous
        dx: [R, N] contiguous, overwritten; may be y or dy
        """
