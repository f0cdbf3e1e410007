"""How well texts are translated, beside rivals that learn nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any
from zlib import crc32

import numpy as np

from numlstm.tasks.translate.network import padded
from numlstm.tasks.translate.pairs import Pairs
from numlstm.tasks.translate.vocabulary import tokens_of

__all__ = ["RIVALS", "Answers", "Nearest", "edit_distances", "measure", "require_sacrebleu", "scores"]

RIVALS = {
    "copy": "copying the source",
    "frequent": "the most frequent output",
    "nearest": "the nearest training source",
}
"""The words for each rival in a report."""
_NEAREST = 200
"""How many texts the nearest source is looked for."""
_ROWS = 4096
_KINDS, _CHUNK = 64, 1000

Answers = Mapping[str, Sequence[str]]
"""Texts, each with all its right translations."""


def measure(
    answers: Answers, outputs: Sequence[str], training: Pairs, levels: tuple[str, str], bleu: bool = False
) -> dict[str, Any]:
    """Compute the errors of outputs, and of the rivals.

    Args:
        answers: N texts.
        outputs: N outputs.
        training: the pairs that rivals may know.
        levels: what sources and targets are cut into.
        bleu: whether BLEU and chrF are computed.

    Returns:
        "texts", and the results of `scores`; these for each rival, as "copy_exact"; and "nearest_texts", which the
        nearest source was looked for.

    Raises:
        ImportError: `bleu` needs sacrebleu.
    """
    level, targets = levels[1], training.targets or ()
    found = {"texts": len(answers), **scores(answers, outputs, level, bleu)}
    frequent = Counter(targets).most_common(1)[0][0]
    part, nearest = dict(list(answers.items())[:_NEAREST]), Nearest(training.sources, levels[0])
    rivals: dict[str, tuple[Answers, list[str]]] = {
        "copy": (answers, list(answers)),
        "frequent": (answers, [frequent] * len(answers)),
        "nearest": (part, [targets[nearest.find(text)] for text in part]),
    }
    for name, (asked, given) in rivals.items():
        found |= {f"{name}_{score}": value for score, value in scores(asked, given, level, bleu).items()}
    return found | {"nearest_texts": len(part)}


def scores(answers: Answers, outputs: Sequence[str], level: str, bleu: bool = False) -> dict[str, float]:
    """The share of right outputs, and the edits to the closest right answers for each of their tokens.

    Args:
        answers: N texts.
        outputs: N outputs.
        level: what targets are cut into.
        bleu: whether BLEU and chrF are computed, too.

    Returns:
        "exact" and "error_rate"; with `bleu` also "bleu" (Papineni et al. 2002) and "chrf" (Popović 2015), from 0 to
        100, of all outputs together, against all right answers, by sacrebleu with its defaults (Post 2018).

    Raises:
        ImportError: `bleu` needs sacrebleu.
    """
    pairs = [(right, output) for rights, output in zip(answers.values(), outputs, strict=True) for right in rights]
    distances = edit_distances([right for right, _ in pairs], [output for _, output in pairs], level)
    edits = tokens = exact = begin = 0
    for rights in answers.values():
        own = distances[begin : begin + len(rights)]
        best = int(own.argmin())
        edits, tokens = edits + int(own[best]), tokens + len(tokens_of(rights[best], level))
        exact, begin = exact + int(own[best] == 0), begin + len(rights)
    found = {"exact": exact / len(answers), "error_rate": edits / tokens}
    return found | (_bleu(answers, outputs) if bleu else {})


def require_sacrebleu() -> None:
    """Raise ImportError if sacrebleu is not there."""
    try:
        import sacrebleu  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "BLEU and chrF need sacrebleu: pip install 'numlstm[bleu]', or train with --no-bleu"
        ) from error


def _bleu(answers: Answers, outputs: Sequence[str]) -> dict[str, float]:
    require_sacrebleu()
    from sacrebleu.metrics import BLEU, CHRF

    # The first answers of all, the second ones, and so on; None where there are no more.
    references = list(zip_longest(*answers.values()))
    metrics = {"bleu": BLEU(), "chrf": CHRF()}
    return {name: float(metric.corpus_score(outputs, references).score) for name, metric in metrics.items()}


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


class Nearest:
    """Looks for the text with the fewest edits in others; of several, for any.

    Texts that have too many or too few tokens of some kind are not compared: the difference is a bound of the edits.

    Args:
        known: the texts.
        level: what they are cut into.
    """

    def __init__(self, known: Sequence[str], level: str) -> None:
        self._known, self._level = known, level
        self._counts = np.array([self._count(text) for text in known])

    def find(self, text: str) -> int:
        """The index of the nearest text."""
        more = self._counts - self._count(text)
        bound = np.maximum(np.maximum(more, 0).sum(axis=1), np.maximum(-more, 0).sum(axis=1))
        order = bound.argsort(kind="stable")
        best, least = 0, np.inf
        for begin in range(0, len(order), _CHUNK):
            part = order[begin : begin + _CHUNK]
            if bound[part[0]] >= least:
                break
            edits = edit_distances([text] * len(part), [self._known[index] for index in part], self._level)
            if edits.min() < least:
                best, least = int(part[edits.argmin()]), edits.min()
        return best

    def _count(self, text: str) -> np.ndarray:
        """[kinds] tokens of each kind. A kind is that of several tokens, so that there are few."""
        kinds = [crc32(token.encode()) % _KINDS for token in tokens_of(text, self._level)]
        return np.bincount(kinds, minlength=_KINDS).astype(np.int16)
