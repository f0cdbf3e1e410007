"""Batches of pairs to train with, and scheduled sampling: there the decoder reads some of its own tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numlstm.model import Model
from numlstm.tasks.translate.network import padded
from numlstm.tasks.translate.vocabulary import BEGIN, FIRST

__all__ = ["Batch", "Batches", "ScheduledSampling", "arrays"]

Batch = tuple[list[np.ndarray], np.ndarray]
"""[N, S] sources and [N, T] the tokens that the decoder reads; [N, T] the tokens that it shall write."""
_MULTIPLE = 4
"""Lengths of batches are multiples of it, so that few shapes are needed."""


class Batches:
    """Batches of pairs of similar length, by their numbers.

    Args:
        sources, targets: the numbers of their tokens.
        size: pairs in a batch.
        seed: of their order.
    """

    def __init__(self, sources: Sequence[list[int]], targets: Sequence[list[int]], size: int, seed: int) -> None:
        self._sources, self._targets = sources, targets
        random = np.random.default_rng(seed)
        order = random.permutation(len(sources)).tolist()
        order.sort(key=lambda row: (len(sources[row]), len(targets[row])))
        parts = [order[begin : begin + size] for begin in range(0, len(order), size)]
        self._parts = [parts[index] for index in random.permutation(len(parts))]

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, number: int) -> Batch:
        part = self._parts[number]
        return arrays([self._sources[row] for row in part], [self._targets[row] for row in part])


class ScheduledSampling:
    """Replaces true tokens that the decoder reads by what it would have written there (Bengio et al. 2015).

    A step of training runs over all tokens at once, so there are two passes (Mihaylova & Martins 2019, Duckworth et al.
    2019): the first one reads the true tokens, and gives the likeliest token at each place; the step of training then
    reads each of these in place of the true one with a probability that grows evenly from 0, in the first step, to
    `most` in the last one. So a replaced token is what the model writes after true ones, also where another one before
    it is replaced. No gradient flows through the first pass, which has no dropout.

    A batch depends on the weights and on the number of the optimizer's step, and on nothing else that changes: `fit`
    takes each batch immediately before its step, and after it has restored a checkpoint.

    Args:
        batches: the batches.
        model: the model that is trained, compiled.
        most: the probability in the last step.
        steps: steps of the whole training.
        seed: of the draws.
    """

    def __init__(self, batches: Batches, model: Model, most: float, steps: int, seed: int) -> None:
        self._batches, self._model, self._most, self._steps, self._seed = batches, model, most, steps, seed

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> Batch:
        (sources, said), targets = self._batches[number]
        assert self._model.optimizer is not None
        step = self._model.optimizer.iterations
        share = self._most * step / max(1, self._steps - 1)
        if not share:
            return [sources, said], targets
        drawn = np.random.default_rng((self._seed, step)).random(said.shape) < share
        logits = self._model.predict_on_batch([sources, said])
        own = np.zeros_like(said)
        own[:, 1:] = FIRST + logits[:, :-1, FIRST:].argmax(axis=-1)
        return [sources, np.where(drawn & (said > BEGIN), own, said)], targets


def arrays(sources: Sequence[list[int]], targets: Sequence[list[int]]) -> Batch:
    """The source and what was said before each token, and the tokens. Padding has the number 0."""
    said = [[BEGIN, *numbers[:-1]] for numbers in targets]
    return [padded(sources, _MULTIPLE), padded(said, _MULTIPLE)], padded(targets, _MULTIPLE)
