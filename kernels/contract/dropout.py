"""Dropout, whose random numbers are a function of where they are needed, and nowhere stored."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Dropout"]


class Dropout(Protocol):
    """Dropout, both ways."""

    def dropout(self, x: Array, y: Array, rate: float, seed: int, stream: int, step: int) -> None:
        """y = x ⊙ m, with m 0 with probability `rate`, else 1 / (1 - rate); what meets a 0 is not read, be it NaN.

        x: [R, S, N] contiguous
        y: [R, S, N] contiguous, overwritten; may be x
        rate: from 0 to below 1
        seed: 64 bits
        stream: 32 bits, which tell layers apart
        step: 32 bits, which tell passes apart

        m is [R, N], shared over S. The same arguments give the same m, on every backend and for both dtypes: the way
        back is the same call, over dy. Number k = r N + n of m is word k mod 4 of Philox4x32-10 (Salmon, Moraes, Dror &
        Shaw 2011) of the counter (low half of ⌊k/4⌋, high half, stream, step) and the key (low half of seed, high
        half); m is 0 where it is less than `rate` 2³², rounded.
        """
