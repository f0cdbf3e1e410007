"""The loss of sequences without known alignment: connectionist temporal classification   (Graves et al. 2006).

Each step emits a label or the blank. An alignment is one class for each step; it spells a sequence of labels, from
which first repetitions and then blanks are dropped. The probability of the labels is the sum over all alignments that
spell them:

    P = Σ Π_t p_t(class),  p_t = softmax(y_t),  row's loss = -log P,  dy_tk = p_tk - P(step t emits k | labels)

Labels with r equal neighbours need T >= L + r steps. With fewer, P is 0 and the row's loss is infinite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["CTC", "CTCTargets"]


@dataclass(frozen=True)
class CTCTargets:
    """What the rows of `ctc` spell.

    labels: [B, L] int64 contiguous, from 0 to V - 1; the first blank or negative number ends the row's labels
    mask: [B, T] bool contiguous, True where a step counts, or None for all steps. Other steps are left out of the
        sequence: their outputs are not read and may be NaN, and their dy is 0
    blank: the class that is no label
    zero_infinity: whether an infinite loss counts as 0
    """

    labels: Array
    mask: Array | None
    blank: int
    zero_infinity: bool


class CTC(Protocol):
    """The loss of sequences without known alignment."""

    def ctc(self, y: Array, targets: CTCTargets, weights: Array | None, loss: Array, dy: Array) -> None:
        """-log P(labels).

        A row is a sequence: the sum is over B, and dy is the gradient of the sum divided by B. Sums over alignments are
        computed from float64 logarithms for both dtypes. The gradient of an infinite loss is 0. A NaN among the steps
        that count makes the row's loss NaN, and its dy at these steps.

        y: [B, T, V] contiguous, logits
        targets: the labels, and how to read them
        weights: [B] contiguous, or None for ones. Rows of weight 0 are not read, and their dy is 0
        loss: [1] float64, added to
        dy: [B, T, V] contiguous, overwritten
        """
