"""How far texts are from the right ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from numlstm.tasks.transcribe.morse import by_rule
from numlstm.tasks.transcribe.recordings import Recordings

__all__ = ["RIVALS", "constant", "distance", "measure", "rivals"]

RIVALS = {"rule": "a decoder by rule", "constant": "always the same text"}
"""The words for each rival in a report. There is a rule for Morse code alone."""


def distance(first: Sequence[str], second: Sequence[str]) -> int:
    """The least number of items to insert, delete or replace that makes one sequence the other (Levenshtein 1966)."""
    above = list(range(len(second) + 1))
    for row, left in enumerate(first, start=1):
        current = [row]
        for column, right in enumerate(second, start=1):
            current.append(min(above[column] + 1, current[-1] + 1, above[column - 1] + (left != right)))
        above = current
    return above[-1]


def measure(texts: Sequence[str], said: Sequence[str]) -> dict[str, Any]:
    """Compute the error rates: all changes over all characters or words of the right texts.

    Args:
        texts: the right texts, none of which is empty.
        said: those of a model.

    Returns:
        "error_rate" of characters, "word_error_rate", "exact": the share of texts without an error.
    """
    pairs = list(zip(texts, said, strict=True))
    words = [(text.split(), other.split()) for text, other in pairs]
    return {
        "error_rate": sum(distance(*pair) for pair in pairs) / sum(map(len, texts)),
        "word_error_rate": sum(distance(*pair) for pair in words) / sum(len(text) for text, _ in words),
        "exact": sum(text == other for text, other in pairs) / len(pairs),
    }


def constant(texts: Sequence[str]) -> str:
    """The most frequent character, as often as a text has characters in the median."""
    (most, _), *_ = Counter("".join(texts).replace(" ", "")).most_common(1)
    return most * max(1, int(np.median([len(text) for text in texts])))


def rivals(learned: Sequence[str], tested: Recordings) -> dict[str, float]:
    """The error rates of the rivals on recordings.

    Args:
        learned: the texts of the training part.
        tested: the recordings, with texts.
    """
    assert tested.texts is not None
    answers = {"constant": [constant(learned)] * len(tested.texts)}
    if tested.kind == "morse":
        answers["rule"] = [by_rule(frames) for frames in tested.frames]
    return {f"{name}_error_rate": measure(tested.texts, said)["error_rate"] for name, said in answers.items()}
