"""How well texts are translated, beside rivals that learn nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from numlstm.tasks.translate.network import padded
from numlstm.tasks.translate.pairs import Pairs
from numlstm.tasks.translate.vocabulary import tokens_of

__all__ = ["RIVALS", "Answers", "edit_distances", "measure", "scores"]

RIVALS = {
    "copy": "copying the source",
    "frequent": "the most frequent output",
    "nearest": "the nearest training source",
}
"""The words for each rival in a report."""
_NEAREST, _SEARCHED = 200, 2000
"""How many texts the nearest source is looked for, and in how many training pairs: it compares each with each."""
_ROWS = 4096

Answers = Mapping[str, Sequence[str]]
"""Texts, each with all its right translations."""


def measure(answers: Answers, outputs: Sequence[str], training: Pairs, levels: tuple[str, str]) -> dict[str, Any]:
    """Compute the errors of outputs, and of the rivals.

    Args:
        answers: N texts.
        outputs: N outputs.
        training: the pairs that rivals may know.
        levels: what sources and targets are cut into.

    Returns:
        "texts", "exact" and "error_rate" as of `scores`; both for each rival, as "copy_exact"; and "nearest_texts" and
        "nearest_pairs", which the nearest source was looked for and in.
    """
    level, targets = levels[1], training.targets or ()
    found = {"texts": len(answers), **scores(answers, outputs, level)}
    frequent = Counter(targets).most_common(1)[0][0]
    part = dict(list(answers.items())[:_NEAREST])
    step = -(-len(training.sources) // _SEARCHED)
    known, said = training.sources[::step], targets[::step]
    rivals: dict[str, tuple[Answers, list[str]]] = {
        "copy": (answers, list(answers)),
        "frequent": (answers, [frequent] * len(answers)),
        "nearest": (part, [said[_nearest(text, known, levels[0])] for text in part]),
    }
    for name, (asked, given) in rivals.items():
        found |= {f"{name}_{score}": value for score, value in scores(asked, given, level).items()}
    return found | {"nearest_texts": len(part), "nearest_pairs": len(known)}


def scores(answers: Answers, outputs: Sequence[str], level: str) -> dict[str, float]:
    """The share of right outputs, and the edits to the closest right answers for each of their tokens.

    Args:
        answers: N texts.
        outputs: N outputs.
        level: what targets are cut into.
    """
    pairs = [(right, output) for rights, output in zip(answers.values(), outputs, strict=True) for right in rights]
    distances = edit_distances([right for right, _ in pairs], [output for _, output in pairs], level)
    edits = tokens = exact = begin = 0
    for rights in answers.values():
        own = distances[begin : begin + len(rights)]
        best = int(own.argmin())
        edits, tokens = edits + int(own[best]), tokens + len(tokens_of(rights[best], level))
        exact, begin = exact + int(own[best] == 0), begin + len(rights)
    return {"exact": exact / len(answers), "error_rate": edits / tokens}


def edit_distances(ones: Sequence[str], others: Sequence[str], level: str) -> np.ndarray:
    """[N] the fewest insertions, deletions and substitutions of tokens between texts (Levenshtein 1966)."""
    number: dict[str, int] = {}
    a, b = (
        [[number.setdefault(token, len(number) + 1) for token in tokens_of(text, level)] for text in texts]
        for texts in (ones, others)
    )
    parts = range(0, len(a), _ROWS)
    return np.concatenate([_distances(a[begin : begin + _ROWS], b[begin : begin + _ROWS]) for begin in parts])


def _distances(ones: list[list[int]], others: list[list[int]]) -> np.ndarray:
    """One row of the usual table at a time, for all pairs at once."""
    a, b = padded(ones), padded(others)
    along = np.arange(b.shape[1] + 1)
    lengths = np.array([len(row) for row in ones])[:, None]
    table = np.tile(along, (len(a), 1))
    for step in range(a.shape[1]):
        row = np.full_like(table, step + 1)
        row[:, 1:] = np.minimum(table[:, 1:] + 1, table[:, :-1] + (a[:, step, None] != b))
        row = np.minimum.accumulate(row - along, axis=1) + along  # Insertions.
        table = np.where(step < lengths, row, table)
    return table[np.arange(len(a)), [len(row) for row in others]]


def _nearest(text: str, known: Sequence[str], level: str) -> int:
    return int(edit_distances([text] * len(known), known, level).argmin())
