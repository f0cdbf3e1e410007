"""Words of texts, and their numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["UNKNOWN", "Vocabulary", "words_of"]

UNKNOWN = 1
"""The number of every word that is not in the vocabulary; 0 is padding, which is masked."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]+|[:;=]-?[)(DPp/]")
_MOST = 50_000


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, with their apostrophes (isn't), and also ! and ?, and smileys."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


@dataclass(frozen=True)
class Vocabulary:
    """The words that have a number of their own, the most frequent first: the first one has 2."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str], least: int) -> Vocabulary:
        """Take the words that occur `least` times in the texts, at most 50,000."""
        counts = Counter(word for text in texts for word in words_of(text))
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return cls(tuple(word for word, count in ordered[:_MOST] if count >= least))

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.words) + 2

    def numbers(self, texts: Sequence[str], length: int) -> np.ndarray:
        """The numbers of the first `length` words of each text, [N, length], and zeros behind them.

        A text without words has the number of an unknown word.
        """
        number = {word: place for place, word in enumerate(self.words, start=2)}
        found = np.zeros((len(texts), length), np.int64)
        for row, text in enumerate(texts):
            ids = [number.get(word, UNKNOWN) for word in words_of(text)[:length]] or [UNKNOWN]
            found[row, : len(ids)] = ids
        return found
