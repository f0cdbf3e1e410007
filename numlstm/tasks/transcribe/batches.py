"""The batches of a training whose recordings differ in each epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numlstm.tasks.transcribe.network import Transcriber
from numlstm.tasks.transcribe.settings import Settings

__all__ = ["Batches"]

_LENGTHS = 4
"""Padded lengths: a training keeps the buffers of so many shapes."""


class Batches:
    """The batches of all epochs, one behind the other, by their numbers. Recordings of a batch are of similar length.

    A batch depends on the seed and on its number alone: a training that goes on from a checkpoint has those that it
    would have had without the interruption.

    in_epoch: batches of an epoch

    Args:
        frames: [T, BANDS] of each recording.
        texts: their texts.
        transcriber: the model that is trained.
        settings: the settings, with the variation.
    """

    def __init__(
        self, frames: Sequence[np.ndarray], texts: Sequence[str], transcriber: Transcriber, settings: Settings
    ) -> None:
        self._frames, self._transcriber, self._settings = frames, transcriber, settings
        self._classes = transcriber.numbers(texts)
        steps = np.array([len(each) // settings.stack for each in frames])
        lengths = np.unique(np.quantile(steps, np.arange(1, _LENGTHS + 1) / _LENGTHS, method="higher"))
        groups = np.searchsorted(lengths, steps)
        self._groups = [(int(length), np.flatnonzero(groups == group)) for group, length in enumerate(lengths)]
        self.in_epoch = sum(-(-len(rows) // settings.batch_size) for _, rows in self._groups)
        self._epoch, self._parts = -1, self._shuffled(0)

    def __len__(self) -> int:
        return self._settings.epochs * self.in_epoch

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, place = divmod(number, self.in_epoch)
        if epoch != self._epoch:
            self._epoch, self._parts = epoch, self._shuffled(epoch)
        length, rows = self._parts[place]
        variation, random = self._settings.variation, np.random.default_rng((self._settings.seed, epoch, place))
        steps = self._transcriber.steps([variation(self._frames[row], random) for row in rows], length)
        return steps, self._classes[rows]

    def _shuffled(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        """The steps and the recordings of each batch of an epoch."""
        random, size = np.random.default_rng((self._settings.seed, epoch)), self._settings.batch_size
        found = []
        for length, rows in self._groups:
            order = random.permutation(rows)
            found += [(length, order[begin : begin + size]) for begin in range(0, len(rows), size)]
        return [found[index] for index in random.permutation(len(found))]
