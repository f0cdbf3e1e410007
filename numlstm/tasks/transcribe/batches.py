"""The batches of a training whose recordings differ in each epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numlstm.tasks.transcribe.network import Transcriber, least_steps
from numlstm.tasks.transcribe.settings import Settings

__all__ = ["Batches"]

_SHARES = (0.35, 0.7, 0.95)
"""Shares of the recordings that are no longer than the padded lengths, of which there is one more. A training keeps the
buffers of four shapes; of spoken digits, these shares leave the least padding."""


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
        self._least = settings.stack * np.array([least_steps(text) for text in texts])
        self._frames_of = np.array([len(each) for each in frames])
        steps, longest = self._frames_of // settings.stack, int(self._frames_of.max() * (1 + settings.stretch))
        self._padded = np.append(np.quantile(steps, _SHARES, method="higher"), longest // settings.stack)
        self.in_epoch = -(-len(frames) // settings.batch_size)
        self._epoch, self._parts = -1, self._shuffled(0)

    def __len__(self) -> int:
        return self._settings.epochs * self.in_epoch

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        epoch, place = divmod(number, self.in_epoch)
        if epoch != self._epoch:
            self._epoch, self._parts = epoch, self._shuffled(epoch)
        padded, rows, lengths = self._parts[place]
        variation, random = self._settings.variation, np.random.default_rng((self._settings.seed, epoch, place))
        pairs = zip(rows, lengths, strict=True)
        varied = [variation(self._frames[row], length, random) for row, length in pairs]
        return self._transcriber.steps(varied, padded), self._classes[rows]

    def _shuffled(self, epoch: int) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """The padded length, the recordings and their frames for each batch of an epoch."""
        random, size = np.random.default_rng((self._settings.seed, epoch)), self._settings.batch_size
        lengths = np.maximum(self._settings.variation.lengths(self._frames_of, random), self._least)
        groups = np.searchsorted(self._padded, lengths // self._settings.stack)
        order = np.lexsort((random.random(len(lengths)), groups))
        parts = [order[begin : begin + size] for begin in range(0, len(order), size)]
        found = [(int(self._padded[groups[part[-1]]]), part, lengths[part]) for part in parts]
        return [found[index] for index in random.permutation(len(found))]
