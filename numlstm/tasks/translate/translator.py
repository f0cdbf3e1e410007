"""From texts to texts by a trained model: a beam search over its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from numlstm.model import Model
from numlstm.tasks.translate.network import encoder_of, padded, step_of
from numlstm.tasks.translate.vocabulary import BEGIN, END, Vocabulary

__all__ = ["Translation", "Translator"]

_ROWS = 512
"""Beginnings of outputs that take a step at once."""
_ALPHA = 0.6
"""The exponent of the length penalty (Wu et al. 2016, Google's Neural Machine Translation System)."""


@dataclass(frozen=True)
class Translation:
    """An output.

    numbers: of its tokens, without `END`
    score: log P divided by the length penalty
    """

    numbers: tuple[int, ...]
    score: float


@dataclass
class _Search:
    """The search for one text: `live` beginnings with their log P, in the rows of a batch, and `done` outputs."""

    live: list[tuple[int, ...]] = field(default_factory=lambda: [()])
    log_p: np.ndarray = field(default_factory=lambda: np.zeros(1))
    done: list[Translation] = field(default_factory=list)

    def ended(self, longest: int) -> bool:
        """Whether no live beginning can become better than the best output."""
        if not self.live:
            return True
        best = max((each.score for each in self.done), default=-np.inf)
        return bool(best >= self.log_p.max() / _penalty(longest + 1))

    def extend(self, log_p: np.ndarray, beam: int) -> np.ndarray:
        """Keep the `beam` best extensions by one token.

        Args:
            log_p: [live, V] log P of each next token.
            beam: how many are kept. Those with `END` are done and leave the beam.

        Returns:
            For each new beginning the index of the one before it.
        """
        total = self.log_p[:, None] + log_p
        order = np.argsort(-total, axis=None, kind="stable")[:beam]
        rows, tokens = np.unravel_index(order[np.isfinite(total.ravel()[order])], total.shape)
        ended = tokens == END
        for row, token in zip(rows[ended], tokens[ended], strict=True):
            numbers = self.live[row]
            self.done.append(Translation(numbers, float(total[row, token] / _penalty(len(numbers) + 1))))
        rows, tokens = rows[~ended], tokens[~ended]
        self.live = [(*self.live[row], int(token)) for row, token in zip(rows, tokens, strict=True)]
        self.log_p = total[rows, tokens]
        return rows

    def best(self) -> Translation:
        """The best output; if none is complete, the best beginning."""
        if self.done:
            return max(self.done, key=lambda each: each.score)
        best = int(self.log_p.argmax())
        return Translation(self.live[best], float(self.log_p[best] / _penalty(len(self.live[best]))))


class Translator:
    """A trained model with its vocabularies.

    Args:
        model: as of `numlstm.tasks.translate.network.make_model`.
        source, target: the vocabularies.
        longest: tokens of the longest source and target.
    """

    def __init__(self, model: Model, source: Vocabulary, target: Vocabulary, longest: tuple[int, int]) -> None:
        self.model, self.source, self.target, self.longest = model, source, target, longest
        self._encoder, self._step = encoder_of(model), step_of(model)
        self._forbidden = np.where(target.sayable(), 0.0, -np.inf)

    def translate(self, texts: Sequence[str], beam: int) -> list[str]:
        """The best output of a beam search for each text; 1 takes always the likeliest token."""
        numbers = self.source.numbers(texts)
        order = sorted(range(len(texts)), key=lambda index: len(numbers[index]))
        found = [""] * len(texts)
        count = max(1, _ROWS // beam)
        for begin in range(0, len(order), count):
            part = order[begin : begin + count]
            for index, best in zip(part, self.search([numbers[index] for index in part], beam), strict=True):
                found[index] = self.target.text(best.numbers)
        return found

    def search(self, sources: Sequence[Sequence[int]], beam: int) -> list[Translation]:
        """Search for the outputs of a batch of sources. The encoder runs once."""
        keys, h, c = self._encode(sources)
        searches = [_Search() for _ in sources]
        owner = np.arange(len(sources))
        for _ in range(self.longest[1] + 1):
            last = np.array([row[-1] if row else BEGIN for search in searches for row in search.live])
            log_p, h, c, _ = self._advance(last, h, c, keys[owner])
            kept, owners, begin = [], [], 0
            for index, search in enumerate(searches):
                count = len(search.live)
                rows = search.extend(log_p[begin : begin + count], beam) if count else np.zeros(0, int)
                if search.ended(self.longest[1]):
                    search.live, rows = search.live if not search.done else [], rows[:0]
                kept.append(rows + begin)
                owners += [index] * len(rows)
                begin += count
            chosen, owner = np.concatenate(kept), np.array(owners, int)
            if not len(chosen):
                break
            h, c = h[chosen], c[chosen]
        return [search.best() for search in searches]

    def attention(self, source: str, target: str) -> np.ndarray:
        """[T, S] where each token of the target, and its end, looks in the source and its end."""
        keys, h, c = self._encode(self.source.numbers([source]))
        rows = []
        for last in [BEGIN, *self.target.numbers([target])[0][:-1]]:
            _, h, c, weights = self._advance(np.array([last]), h, c, keys)
            rows.append(weights[0, 0])
        return np.array(rows)

    def _encode(self, sources: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = padded(sources)
        keys, h, c = self._encoder.predict(x, batch_size=_ROWS, verbose=0)
        return keys * (x > 0)[..., None], h, c

    def _advance(
        self, last: np.ndarray, h: np.ndarray, c: np.ndarray, keys: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        logits, h, c, weights = self._step.predict([last[:, None], h, c, keys], batch_size=_ROWS, verbose=0)
        z = logits[:, 0].astype(np.float64) + self._forbidden
        z -= z.max(axis=1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True)), h, c, weights


def _penalty(length: int) -> float:
    return float(((5 + length) / 6) ** _ALPHA)
