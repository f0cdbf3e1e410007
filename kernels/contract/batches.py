"""Products of many pairs of matrices."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Batches"]


class Batches(Protocol):
    """Products of the matrices of a batch."""

    def batch_multiply(self, a: Array, b: Array, c: Array, gradient: bool) -> None:
        """C_b = A_b B_b for every b. All sizes are at least one.

        a: [B, M, K] with any strides
        b: [B, K, N] with any strides
        c: [B, M, N] view, overwritten
        gradient: False: a row of C has the same bits in every batch. True: the order of a sum may depend on the sizes
        """
