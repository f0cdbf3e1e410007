"""Characters or words of texts, and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["BEGIN", "END", "FIRST", "LEVELS", "Vocabulary", "tokens_of"]

LEVELS = ("char", "word")
"""What a text is cut into."""
BEGIN, END, _UNKNOWN = 1, 2, 3
"""The numbers of the begin and the end of a text, and of what training did not show; 0 is padding, which is masked."""
FIRST = 4
"""The number of the first token of the vocabulary."""


def tokens_of(text: str, level: str) -> list[str]:
    """The characters of a text, or its words, which stand between spaces."""
    return list(text) if level == "char" else text.split()


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that have a number of their own, from 4 on.

    tokens: characters or words, sorted
    level: of `LEVELS`
    """

    tokens: tuple[str, ...]
    level: str

    @classmethod
    def of(cls, texts: Iterable[str], level: str) -> Vocabulary:
        """Take all tokens of the texts."""
        return cls(tuple(sorted({token for text in texts for token in tokens_of(text, level)})), level)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.tokens) + FIRST

    def unknown(self, text: str) -> list[str]:
        """The tokens of a text that have no number of their own, each once."""
        known = set(self.tokens)
        return list(dict.fromkeys(token for token in tokens_of(text, self.level) if token not in known))

    def numbers(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of each text's tokens, and `END`."""
        number = {token: place for place, token in enumerate(self.tokens, start=FIRST)}
        return [[*(number.get(token, _UNKNOWN) for token in tokens_of(text, self.level)), END] for text in texts]

    def text(self, numbers: Iterable[int]) -> str:
        """The text of numbers from 4 on."""
        return ("" if self.level == "char" else " ").join(self.tokens[number - FIRST] for number in numbers)

    def sayable(self) -> np.ndarray:
        """[size] whether a number may be in an output: those of tokens and `END`."""
        found = np.arange(self.size) >= FIRST
        found[END] = True
        return found
