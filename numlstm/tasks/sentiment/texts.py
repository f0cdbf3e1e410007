"""Texts with their labels: from a table, from lines, and from the data sets."""

from __future__ import annotations

import csv
import io
import tarfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from numlstm.messages import listed, plain, quoted
from numlstm.reading import opened, read_text, shown_name, stands_for_stdin, stem_of

__all__ = ["DATASETS", "Texts", "generated", "read_archive", "read_texts"]

_FILES = {
    "movies": "movieReviewSnippets", "tweets": "tweets", "amazon": "amazonReviewSnippets", "nyt": "nytEditorialSnippets"
}  # fmt: skip
DATASETS = ("generated", *_FILES)
"""The names of the data sets."""
_ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
_COMMAND = "pip download --no-deps --no-binary :all: vaderSentiment==3.3.2"
_MOST = 1 << 26
"""Bytes of a file in the archive, at most."""
_MOST_LABELS = 100


@dataclass(frozen=True)
class Texts:
    """Texts.

    name: the name of the data
    texts: N texts
    labels: their labels; None: they have none
    columns: the names of the columns of text and label
    notes: sentences on what a user should know of them
    """

    name: str
    texts: tuple[str, ...]
    labels: tuple[str, ...] | None
    columns: tuple[str, str] = ("text", "label")
    notes: tuple[str, ...] = ()

    def part(self, index: np.ndarray) -> Texts:
        """Some of the texts."""
        labels = None if self.labels is None else tuple(self.labels[row] for row in index)
        return Texts(self.name, tuple(self.texts[row] for row in index), labels, self.columns)


def read_texts(
    path: Path,
    columns: tuple[str | None, str | None],
    encoding: str = "utf-8",
    labeled: bool = True,
    threshold: float | None = None,
) -> Texts:
    """Read a table, or a file with one text a line if its name ends neither in .csv nor in .tsv.

    Args:
        path: the file. With .tsv there are tabs between the columns, otherwise commas. "-" is standard input,
            which is a table if there must be labels or if its first line names the column of text.
        columns: the names of the columns of text and label; None: text or label, or else the only ones there can be.
        encoding: the encoding of the file.
        labeled: whether there must be labels, at least two different ones.
        threshold: ratings above it become the label positive, ratings below it negative; None: they are labels.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file, or has no such columns, no texts, or empty ones.
    """
    content, name = read_text(path, encoding), shown_name(path)
    separator = _separator(path, content, columns[0] or "text", labeled)
    if separator is None:
        if labeled:
            raise ValueError(f"{name} has no labels: give a table whose name ends in .csv or .tsv")
        lines = tuple(line.strip() for line in content.splitlines() if line.strip())
        if not lines:
            raise ValueError(f"{name} holds no text")
        return Texts(stem_of(path), lines, None)
    try:
        table = list(csv.reader(io.StringIO(content), delimiter=separator, strict=True))
    except csv.Error as error:
        raise ValueError(plain(f"{name} is damaged: {error}")) from error
    table = [row for row in table if any(field.strip() for field in row)]
    if len(table) < 2:
        raise ValueError(
            f"{name} holds no texts: a row with the names of the columns and a row for each text are needed"
        )
    header = [field.strip() for field in table[0]]
    for number, row in enumerate(table[1:], start=2):
        if len(row) != len(header):
            raise ValueError(f"{name}: row {number} has {len(row)} fields, but there are {len(header)} columns")
    known = header.index(columns[1] or "label") if (columns[1] or "label") in header else None
    text = _column(name, header, columns[0], "text", known)
    label = _column(name, header, columns[1], "label", text) if labeled or known is not None else None
    texts = tuple(" ".join(row[text].split()) for row in table[1:])
    empty = next((number for number, each in enumerate(texts, start=2) if not each), None)
    if empty is not None:
        raise ValueError(f"{name}: row {empty} has no text in the column {quoted(header[text])}")
    if label is None:
        return Texts(stem_of(path), texts, None, (header[text], columns[1] or "label"))
    found = Texts(
        plain(stem_of(path)), texts, tuple(row[label].strip() for row in table[1:]), (header[text], header[label])
    )
    if not labeled and not any(found.labels or ()):
        return replace(found, labels=None)
    if threshold is not None:
        found = _rated(found, threshold)
    return _checked(found) if labeled else found


def read_archive(name: str, path: Path | None) -> Texts:
    """Read a data set of the archive of vaderSentiment (Hutto & Gilbert 2014), rated by people from -4 to 4.

    The labels are negative and positive, after the mean rating.

    Args:
        name: one of `DATASETS`, but not "generated".
        path: the archive; None: it is in the working folder.

    Raises:
        OSError: the archive cannot be read.
        ValueError: it is not there, or damaged. The message says what brings it.
    """
    place = path or Path(_ARCHIVE)
    if not place.exists():
        raise ValueError(f"{place} is not there: `{_COMMAND}` brings it; give its path before --dataset {name}")
    try:
        with opened(place) as file, tarfile.open(fileobj=file) as outer:
            inner = _member(outer, "hutto_ICWSM_2014.tar.gz")
            with tarfile.open(fileobj=inner) as archive:
                content = _member(archive, f"{_FILES[name]}_GroundTruth.txt").read().decode("utf-8")
        rows = [line.split("\t") for line in content.splitlines() if line.strip()]
        parts = [(" ".join(text.split()), rating) for _, rating, text in rows]
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")  # tarfile lists all that it has tried.
        raise ValueError(
            plain(
                f"{place} is not the archive of vaderSentiment 3.3.2, or is damaged: {reason}; `{_COMMAND}` brings it"
            )
        ) from error
    texts, ratings = zip(*(part for part in parts if part[0]), strict=True)
    return _checked(_rated(Texts(name, texts, ratings), 0))


def generated(count: int = 2000) -> Texts:
    """Sentences of a small grammar, each once, with negation, degrees and contrast: what follows "but" counts."""
    random = np.random.default_rng(1997)
    labels: dict[str, str] = {}
    while len(labels) < count:
        good = bool(random.integers(2))
        text = _clause(random, good)
        if random.random() < 0.3:
            text = f"{_clause(random, not good)}, but {text}"
        labels[text] = "positive" if good else "negative"
    note = "the sentences are generated by a small grammar: they show how the task works, not how well"
    return Texts("generated", tuple(labels), tuple(labels.values()), notes=(note,))


_NOUNS = ("plot", "acting", "music", "ending", "camera", "dialogue", "pace", "cast", "script", "story")
_GOOD = ("good", "brilliant", "moving", "funny", "clever", "charming", "fresh", "gripping")
_BAD = ("bad", "dull", "clumsy", "boring", "shallow", "annoying", "stale", "lifeless")
_DEGREES = ("", "", "very ", "really ", "quite ", "rather ")
_NOT = ("is not", "isn't", "was never", "is hardly")


def _clause(random: np.random.Generator, good: bool) -> str:
    """A clause that praises or blames: a plain one, or the denial of its contrary."""
    denied = random.random() < 0.3
    noun, degree = random.choice(_NOUNS), random.choice(_DEGREES)
    word = random.choice(_GOOD if good != denied else _BAD)
    return f"the {noun} {random.choice(_NOT) if denied else 'is'} {degree}{word}"


def _rated(texts: Texts, threshold: float) -> Texts:
    """Make labels of ratings. Texts with a rating that is the threshold are left out, and counted in a note."""
    assert texts.labels is not None
    ratings = np.full(len(texts.labels), np.nan)
    for row, text in enumerate(texts.labels):
        with suppress(ValueError):
            ratings[row] = float(text)
        if np.isnan(ratings[row]):
            raise ValueError(f"{texts.name}: text {row + 1} has the rating {quoted(text)}, which is no number")
    kept = texts.part(np.flatnonzero(ratings != threshold))
    labels = tuple("positive" if rating > threshold else "negative" for rating in ratings[ratings != threshold])
    left = len(ratings) - len(labels)
    notes = (f"texts with the rating {threshold:g} are left out: {left}",) if left else ()
    return replace(kept, labels=labels, notes=notes)


def _checked(texts: Texts) -> Texts:
    """Check the labels; ValueError if one is empty, all are the same, or there are more than a hundred."""
    labels, name = texts.labels or (), texts.name
    if "" in labels:
        raise ValueError(f"{name}: text {labels.index('') + 1} has no label in the column {quoted(texts.columns[1])}")
    names = sorted(set(labels))
    if len(names) < 2:
        raise ValueError(f"{name} has the labels {listed(names)}: at least 2 are needed")
    if len(names) > _MOST_LABELS:
        raise ValueError(
            f"{name} has {len(names)} labels such as {listed(names[:2])}, but at most {_MOST_LABELS} are told apart:"
            " --threshold makes two of ratings"
        )
    return texts


def _separator(path: Path, content: str, text: str, labeled: bool) -> str | None:
    """What stands between the columns; None if the file has one text a line."""
    if not stands_for_stdin(path):
        return {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower())
    first = content.partition("\n")[0]
    separator = "\t" if "\t" in first else ","
    names = [name.strip().strip('"') for name in first.split(separator)]
    return separator if labeled or text in names else None


def _column(file: str, header: Sequence[str], name: str | None, usual: str, other: int | None) -> int:
    """The index of a column."""
    if name is not None or usual in header:
        wanted = usual if name is None else name
        if wanted not in header:
            raise ValueError(f"{file} has no column {quoted(wanted)}, but {listed(header)}")
        if header.count(wanted) > 1:
            raise ValueError(f"{file} has two columns named {quoted(wanted)}")
        return header.index(wanted)
    left = [place for place in range(len(header)) if place != other]
    if len(header) > 2 or not left:
        raise ValueError(f"{file} has the columns {listed(header)}: say by --{usual} which one is the {usual}")
    return left[0]


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file of an archive, whose path is not looked at."""
    found: Any = next((each for each in archive if each.isfile() and each.name.endswith(f"/{name}")), None)
    if found is None:
        raise ValueError(f"it has no {name}")
    if found.size > _MOST:
        raise ValueError(f"{name} has {found.size:,} bytes")
    file = archive.extractfile(found)
    assert file is not None  # It is a file.
    return io.BytesIO(file.read())
