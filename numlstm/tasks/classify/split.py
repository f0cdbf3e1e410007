"""Stratified parts of sequences: each has the classes in the same proportions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numlstm.messages import listed, quoted
from numlstm.tasks.classify.sequences import Sequences

__all__ = ["Split", "hold_out", "stratified", "targets_of"]

_LEAST = 2
"""Sequences of each class in the training part: one to learn from while another stops the training."""


class Split:
    """A data set with classes in its two parts.

    training, test: the parts
    classes: the C names of the classes, sorted
    training_targets, test_targets: the index of the class of each sequence

    Args:
        sequences: with classes, and with what is held out.

    Raises:
        ValueError: a part is empty or has a class that the other has not, there is one class only, or a class has fewer
            than two sequences to learn from.
    """

    def __init__(self, sequences: Sequences) -> None:
        labels, held_out = sequences.labels, sequences.held_out
        if labels is None or held_out is None:
            raise ValueError(f"{sequences.name} has no classes to learn")
        if not held_out.any() or held_out.all():
            raise ValueError(f"{sequences.name}: the training part and the held-out part need sequences each")
        self.training = sequences.part(np.flatnonzero(~held_out))
        self.test = sequences.part(np.flatnonzero(held_out))
        names, counts = np.unique(labels[~held_out], return_counts=True)
        self.classes = tuple(names.tolist())
        if len(names) < 2:
            raise ValueError(f"{sequences.name} has one class only, {quoted(self.classes[0])}: at least 2 are needed")
        if counts.min() < _LEAST:
            raise ValueError(
                f"{sequences.name}: the class {quoted(str(names[counts.argmin()]))} has {counts.min()} sequence to"
                f" learn from: at least {_LEAST} are needed"
            )
        self.training_targets = targets_of(self.training, self.classes)
        self.test_targets = targets_of(self.test, self.classes)


def targets_of(sequences: Sequences, classes: tuple[str, ...]) -> np.ndarray:
    """[N] int64, the index of the class of each sequence.

    Raises:
        ValueError: there are no classes, or others than these.
    """
    if sequences.labels is None:
        raise ValueError(f"{sequences.name} has no classes to compare with: `numlstm predict` needs none")
    unknown = sorted(set(sequences.labels.tolist()) - set(classes))
    if unknown:
        raise ValueError(
            f"{sequences.name} has the classes {listed(unknown)}, which the training part has not: it has"
            f" {listed(classes)}"
        )
    return np.searchsorted(np.array(classes), sequences.labels)


def hold_out(sequences: Sequences, fraction: float, seed: int) -> Sequences:
    """Hold out a fraction of each class, drawn by the seed, but at least one sequence; unless the data hold out a part.

    Raises:
        ValueError: there are no classes, or a class has too few sequences.
    """
    if sequences.labels is None:
        raise ValueError(f"{sequences.name} has no classes to learn")
    if sequences.held_out is not None:
        return sequences
    random = np.random.default_rng(seed)
    held_out = np.zeros(len(sequences), bool)
    for name in np.unique(sequences.labels):
        rows = np.flatnonzero(sequences.labels == name)
        count = max(1, round(fraction * len(rows)))
        if len(rows) - count < _LEAST:
            raise ValueError(
                f"{sequences.name}: the class {quoted(str(name))} has {len(rows)} of the sequences, and {count} is to"
                f" be held out: give more of them; {_LEAST} must be left to learn from"
            )
        held_out[random.permutation(rows)[:count]] = True
    return replace(sequences, held_out=held_out)


def stratified(targets: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """[N] the fold of each sequence, so that each fold has nearly the same number of each class, and of all."""
    random = np.random.default_rng(seed)
    fold = np.empty(len(targets), np.int64)
    begin = 0
    for target in np.unique(targets):
        rows = random.permutation(np.flatnonzero(targets == target))
        fold[rows] = (begin + np.arange(len(rows))) % folds
        begin += len(rows)
    return fold
