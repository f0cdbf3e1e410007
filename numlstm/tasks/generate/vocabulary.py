"""What a language model reads: characters, or words beside characters that spell the words it does not know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log2
from typing import Any

import numpy as np

from numlstm.messages import listed, plain, quoted
from numlstm.tasks.generate.settings import Settings

__all__ = ["Encoded", "Vocabulary"]

_WORD = re.compile(r" ?\w+| ?[^\w\s]+|\s")
"""A word or a row of marks with the space before it, or white space. Every text is a row of them."""

CODE_POINT = log2(0x110000)
"""Bits of a character that the vocabulary lacks, beside those of symbol 0."""


@dataclass(frozen=True)
class Encoded:
    """A text as symbols.

    parts: [N], the text of each symbol
    ids: [N] int64
    units: the number of characters, or of words, of which some may be spelled
    """

    parts: list[str]
    ids: np.ndarray
    units: int

    @property
    def characters(self) -> int:
        """The number of characters."""
        return sum(map(len, self.parts))

    @property
    def unknown(self) -> list[str]:
        """The characters that the vocabulary lacks, each once. They are symbol 0."""
        return sorted({self.parts[position] for position in np.flatnonzero(self.ids == 0)})


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of a model. The first stands for all characters that the vocabulary lacks.

    level: "char" or "word"
    symbols: the characters in their order, then the words, the most frequent first
    """

    level: str
    symbols: tuple[str, ...]
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_numbers", {symbol: number for number, symbol in enumerate(self.symbols, start=1)})

    @classmethod
    def of(cls, text: str, settings: Settings) -> Vocabulary:
        """The vocabulary of the training part: all characters, and the most frequent words that occur twice."""
        characters = sorted(set(text))
        if settings.level == "char":
            return cls("char", tuple(characters))
        counts = Counter(_WORD.findall(text))
        frequent = [word for word, count in counts.most_common() if count > 1 and len(word) > 1]
        return cls("word", (*characters, *frequent[: settings.vocabulary]))

    @classmethod
    def from_dict(cls, content: Any) -> Vocabulary:
        """Read and check the result of `to_dict`; ValueError if it is none."""
        level, symbols = content["level"], content["symbols"]
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) and symbol for symbol in symbols):
            raise ValueError("the symbols of its vocabulary are no list of texts")
        if not symbols or len(set(symbols)) < len(symbols):
            raise ValueError("its vocabulary is empty, or has a symbol twice")
        if level not in ("char", "word") or (level == "char" and any(len(symbol) > 1 for symbol in symbols)):
            raise ValueError(f"its vocabulary has no symbols of the level {quoted(level)}")
        return cls(level, tuple(symbols))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for config.json."""
        return {"level": self.level, "symbols": list(self.symbols)}

    def __len__(self) -> int:
        """The number of symbols, the one for unknown characters among them."""
        return len(self.symbols) + 1

    @property
    def unit(self) -> str:
        """The word for what the model predicts."""
        return "character" if self.level == "char" else "word"

    def encode(self, text: str) -> Encoded:
        """The text as symbols. A word that the vocabulary lacks is spelled."""
        number, parts = self._numbers, list(text)
        units = len(parts)
        if self.level == "word":
            words = _WORD.findall(text)
            parts, units = [part for word in words for part in ([word] if word in number else word)], len(words)
        ids = np.fromiter((number.get(part, 0) for part in parts), np.int64, len(parts))
        return Encoded(parts, ids, units)

    def encode_prompt(self, prompt: str) -> np.ndarray:
        """The prompt as symbols; ValueError with the characters that the vocabulary lacks."""
        encoded = self.encode(prompt)
        if encoded.unknown:
            known = plain("".join(symbol for symbol in self.symbols if len(symbol) == 1 and symbol.isprintable()))
            raise ValueError(
                f"the prompt has {listed(encoded.unknown)}, which the training text has not: this model knows {known}"
            )
        return encoded.ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of symbols other than 0."""
        return "".join(self.symbols[number - 1] for number in ids)
