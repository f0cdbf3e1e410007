"""Prefix beam search: the most probable labels of a sequence whose steps emit labels or blanks   (Hannun et al. 2014).

It runs on the host whatever the device, so it is no part of `Backend`; `numlstm.backend.beams` loads it. Arrays are
NumPy's, contiguous and int64 or float64. Probabilities are logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["BeamState", "Beams"]


@dataclass(frozen=True)
class BeamState:
    """The prefixes of one sequence, as nodes of a tree, and those of them that are kept: at most K of V classes.

    nodes: [5, N] of each prefix its parent, last label, first child, next sibling (-1: none), and number in the beam
        (-1: not there). Node 0 is the empty prefix. N is at least 1 + K T
    bonus: [N] what is added to the score of each prefix
    beams: [4, K] the nodes in the beam, and room for candidates
    logs: [8, K] log P of the alignments so far that spell the beam's prefix and end with a blank, of those that end
        with its last label, and room for candidates
    counts: [2] the number of prefixes in the beam, and of all
    taken: [V] zeros
    """

    nodes: Array
    bonus: Array
    beams: Array
    logs: Array
    counts: Array
    taken: Array


class Beams(Protocol):
    """Prefix beam search."""

    def extend_beams(self, log_p: Array, extra: Array, blank: int, state: BeamState) -> None:
        """Go on by one step: the K best of all prefixes in the beam and of these with one label more.

        The best have the largest log P of all alignments that spell them, plus their bonus.

        log_p: [V] of the step
        extra: [K, V] what a further label adds to the bonus of each prefix in the beam; [0, V] for nothing
        blank: the class that is no label
        state: overwritten
        """
