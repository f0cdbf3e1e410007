"""The parts that the members of an ensemble stop by: contiguous, so that neighbours in time stay together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from numlstm.messages import option

__all__ = ["Fold", "contiguous", "together"]


@dataclass(frozen=True)
class Fold:
    """What a model learns from and what it stops by, as indices of windows.

    training: [K]
    validation: [V], which may be empty
    """

    training: np.ndarray
    validation: np.ndarray


def contiguous(count: int, number: int, horizon: int) -> list[Fold]:
    """Divide windows into contiguous parts. Each fold learns from all but one.

    Windows whose targets overlap with those of the validation part are left out.

    Args:
        count: number of windows, which follow each other.
        number: number of folds, at least 2.
        horizon: H, number of targets of a window.

    Raises:
        ValueError: there are less than two windows for each fold.
    """
    if count < 2 * number + horizon - 1:
        raise ValueError(
            f"an ensemble of {number} needs {2 * number + horizon - 1} windows before the held-out part, but there are"
            f" {max(count, 0)}: give more rows, a shorter window or a smaller {option('ensemble')}"
        )
    edges = np.linspace(0, count, number + 1).round().astype(int)
    index = np.arange(count)
    return [
        Fold(index[(index <= start - horizon) | (index >= stop + horizon - 1)], index[start:stop])
        for start, stop in pairwise(edges)
    ]


def together(folds: Sequence[Fold], counts: Sequence[int]) -> Fold:
    """The folds of several series as one of all their windows, which follow each other.

    Args:
        folds: a fold of each series.
        counts: the number of windows of each series.
    """
    starts = list(accumulate(counts, initial=0))[:-1]
    training = [fold.training + start for fold, start in zip(folds, starts, strict=True)]
    validation = [fold.validation + start for fold, start in zip(folds, starts, strict=True)]
    return Fold(np.concatenate(training), np.concatenate(validation))
