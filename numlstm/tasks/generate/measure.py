"""The bits per character of a model and its rivals on a part of a text."""

from __future__ import annotations

import bz2
from typing import Any

import numpy as np

from numlstm.tasks.generate.corpus import Corpus
from numlstm.tasks.generate.language import LanguageModel
from numlstm.tasks.generate.ngram import ngram_bits
from numlstm.tasks.generate.vocabulary import CODE_POINT, Encoded

__all__ = ["bits_of", "measure"]

_CONTEXT = 2000
"""Symbols before a part that a model reads first."""


def bits_of(model: LanguageModel, part: Encoded, before: Encoded | None) -> np.ndarray:
    """The bits of each symbol of a part, [N], after the end of what is before it, and the part itself."""
    context = np.empty(0, np.int64) if before is None else before.ids[-_CONTEXT:]
    return model.bits(np.concatenate([context, part.ids]), len(context))


def measure(model: LanguageModel, corpus: Corpus, other: str | None = None) -> dict[str, Any]:
    """Compare a model with bzip2 and n-grams, which have seen the same training part.

    Args:
        model: the model.
        corpus: the text of its training.
        other: another text; None: the held-out part.

    Returns:
        Bits per character of all, the ratio to the best rival (None if that needs no bits), the perplexity of a
        character or of a word, and how many characters the model does not know.
    """
    _, validation, test = corpus.encoded
    part = test if other is None else model.vocabulary.encode(other)
    content, characters = corpus.contents[2] if other is None else other, part.characters
    before = validation if other is None else None
    total = float(bits_of(model, part, before).sum())
    order, counted = _ngrams(corpus, part, before)
    rivals = {"bzip2": _bzip2_bits(corpus.contents[0], content) / characters, "ngram": counted / characters}
    bits, rival = total / characters, min(rivals, key=lambda name: rivals[name])
    return {
        "bits_per_character": bits,
        **{f"{name}_bits_per_character": value for name, value in rivals.items()},
        "ngram_order": order,
        "rival": rival,
        "ratio": bits / rivals[rival] if rivals[rival] > 0 else None,
        f"perplexity_per_{model.vocabulary.unit}": float(2 ** min(total / part.units, 1000)),
        "characters": characters,
        "unknown_characters": int((part.ids == 0).sum()),
    }


def _bzip2_bits(train: str, part: str) -> int:
    """The bits that a part adds to the training part in bzip2's format."""
    first, second = (text.encode("utf-8", "surrogatepass") for text in (train, part))
    return 8 * (len(bz2.compress(first + second)) - len(bz2.compress(first)))


def _ngrams(corpus: Corpus, part: Encoded, before: Encoded | None) -> tuple[int, float]:
    """The length of n-grams that is best on the validation part, and their bits of a part."""
    train, validation, _ = corpus.encoded
    size = len(corpus.vocabulary)
    order = int(ngram_bits(train.ids, validation.ids, size).sum(axis=1).argmin())
    context = np.empty(0, np.int64) if before is None else before.ids[-_CONTEXT:]
    bits = ngram_bits(train.ids, np.concatenate([context, part.ids]), size)[order, len(context) :]
    return order + 1, float(bits.sum() + CODE_POINT * (part.ids == 0).sum())
