"""Short German phrases and their English translations, from the dictionary of Debian's package trans-de-en."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from numlstm.reading import opened

__all__ = ["COMMAND", "NOTES", "read_phrases"]

COMMAND = "apt-get install trans-de-en"
NOTES = (
    "the phrases are those of two or three words and of at most 20 characters, also in English, of the dictionary in"
    " trans-de-en by Frank Richter, which is under the GPL, as is the data.tsv of this run",
    "other forms of a held-out phrase may be in the training part, as in 'kleines Haus' and 'kleine Häuser'",
)
"""What a user should know of the data."""
_PLACE = Path("/usr/share/trans/de-en")
_WORDS, _LONGEST = range(2, 4), 20
_REMARK = re.compile(r"\{[^}]*\}|\[[^]]*\]|\([^)]*\)|<[^>]*>|(?<!\S)/[^/]+/(?!\S)")
"""{f} {pl} [coll.] (of a house) <other spelling> /ABBR/"""
_PLAIN = re.compile(r"[A-Za-zÄÖÜäöüß',.!?-]+( [A-Za-zÄÖÜäöüß',.!?-]+)*")
"""Others are patterns for several phrases, as "to change/mend your ways" is, or no words."""


def read_phrases(path: Path = _PLACE) -> dict[str, list[str]]:
    """Read the short phrases, in the order of the file.

    A line is "German :: English". On both sides, | divides forms and examples, of which each is the translation of the
    one at its place, and ; divides words for the same thing, of which each is a translation of each. What stands in
    brackets is left out.

    Args:
        path: the file.

    Returns:
        German phrases, and the English ones of each.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not there, or no such dictionary. The message says what brings it.
    """
    if not path.exists():
        raise ValueError(f"the dictionary {path} is not there: `{COMMAND}` brings it")
    with opened(path) as file:
        text = file.read().decode("utf-8", "replace")
    found: dict[str, dict[str, None]] = {}
    for line in text.split("\n"):
        for german, english in _pairs(line):
            if len(german.split()) in _WORDS and max(len(german), len(english)) <= _LONGEST:
                found.setdefault(german, {})[english] = None
    if not found:
        raise ValueError(f"{path} is damaged: it holds no phrases; `{COMMAND}` brings it again")
    return {german: list(known) for german, known in found.items()}


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """The pairs of plain phrases of a line. A comment has none, nor has a line with a form that is not translated."""
    german, _, english = line.partition(" :: ")
    sides = [_REMARK.sub(" ", side).replace("’", "'").split("|") for side in (german, english)]
    if line.startswith("#") or len(sides[0]) != len(sides[1]):
        return
    for forms in zip(*sides, strict=True):
        alike = [[" ".join(word.split()) for word in form.split(";")] for form in forms]
        for pair in product(*alike):
            if all(map(_PLAIN.fullmatch, pair)):
                yield pair[0], pair[1]
