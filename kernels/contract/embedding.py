"""Rows of a table selected by ids, and the masks that Embedding and Masking compute."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Embedding"]


class Embedding(Protocol):
    """The passes of Embedding, and the masks of Embedding and Masking."""

    def embedding_forward(self, table: Array, ids: Array, y: Array) -> None:
        """y_r = E_{id_r}.

        table: [V, N] contiguous E
        ids: [R] int64, contiguous, from 0 to V - 1
        y: [R, N] view, overwritten
        """

    def embedding_backward(self, ids: Array, dy: Array, gradient: Array) -> None:
        """dE_v = Σ dy_r over all r with id_r = v; zeros for a v that does not occur.

        ids: [R] int64, contiguous
        dy: [R, N] view
        gradient: [V, N] contiguous dE, overwritten
        """

    def id_mask(self, ids: Array, mask: Array) -> None:
        """True where an id is not 0 (Keras' `mask_zero`).

        ids: [R] int64, contiguous
        mask: [R] bool, contiguous, overwritten
        """

    def value_mask(self, x: Array, value: float, mask: Array) -> None:
        """True for a row in which any feature differs from `value`, rounded to the dtype (Keras' `Masking`).

        x: [R, F] view; NaN differs
        mask: [R] bool, contiguous, overwritten
        """
