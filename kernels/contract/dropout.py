"""Dropout. A random number is a function of its position, so none is stored."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Dropout"]


class Dropout(Protocol):
    """Dropout, forward and backward."""

    def dropout(self, x: Array, y: Array, rate: float, seed: int, stream: int, step: int) -> None:
        """y = x ⊙ m; m is 0 with probability `rate`, else 1 / (1 - rate). Where m is 0, x is not read and may be NaN.

        x: [R, S, N] contiguous
        y: [R, S, N] contiguous, overwritten; may be x
        rate: from 0 to below 1
        seed: 64 bits
        stream: 32 bits that distinguish the dropouts of a model
        step: 32 bits that distinguish passes

        m is [R, N], the same for all S. The same arguments give the same m, on every backend and for both dtypes, so
        the backward pass is the same call with dy. Element k = r N + n of m is decided by word k mod 4 of Philox4x32-10
        (Salmon, Moraes, Dror & Shaw 2011) for the counter (low half of ⌊k/4⌋, high half, stream, step) and the key (low
        half of seed, high half). The element is 0 if the word is less than `rate` 2³², rounded.
        """
