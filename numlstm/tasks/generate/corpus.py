"""A text in its three parts: for training, for validation, and held out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from numlstm.tasks.generate.settings import Settings
from numlstm.tasks.generate.texts import Text
from numlstm.tasks.generate.vocabulary import Encoded, Vocabulary

__all__ = ["Corpus"]

_FEWEST = 2
"""Symbols of a part."""


@dataclass(frozen=True)
class Corpus:
    """A text in three parts, of which each follows the one before.

    contents: the characters of the parts: training, validation, held out
    vocabulary: what occurs in the training part
    encoded: the parts as symbols
    """

    text: Text
    contents: tuple[str, str, str]
    vocabulary: Vocabulary
    encoded: tuple[Encoded, Encoded, Encoded]

    @classmethod
    def of(cls, text: Text, settings: Settings, vocabulary: Vocabulary | None = None) -> Corpus:
        """Divide a text.

        Args:
            text: the text.
            settings: the settings.
            vocabulary: the vocabulary of the training part, if it is known.

        Raises:
            ValueError: a part is too short.
        """
        content, length = text.content, len(text.content)
        test = length - int(settings.test_fraction * length)
        validation = test - int(settings.validation_fraction * length)
        contents = content[:validation], content[validation:test], content[test:]
        known = vocabulary or Vocabulary.of(contents[0], settings)
        encoded = known.encode(contents[0]), known.encode(contents[1]), known.encode(contents[2])
        names = ("the training part", "the validation part", "the held-out part")
        needed = settings.streams + 1, _FEWEST, _FEWEST
        for name, part, fewest in zip(names, encoded, needed, strict=True):
            if len(part.ids) < fewest:
                raise ValueError(
                    f"{name} of {text.name} has {len(part.ids)} {known.unit}s, and needs {fewest}: give a longer text,"
                    " or fewer streams and other fractions"
                )
        return cls(text, contents, known, encoded)

    @property
    def digest(self) -> str:
        """Identifies the symbols of the training."""
        found = hashlib.sha256("\0".join(self.vocabulary.symbols).encode("utf-8", "surrogatepass"))
        for part in self.encoded[:2]:
            found.update(part.ids.tobytes())
        return found.hexdigest()
