"""Recordings with their texts, from a folder of WAV files."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numlstm.messages import listed, plain, quoted
from numlstm.reading import opened
from numlstm.tasks.transcribe.audio import read_wav
from numlstm.tasks.transcribe.features import log_mel

__all__ = ["Recordings", "normalised", "read_recordings"]

_COLUMNS = ("file", "text", "voice")
_MOST = 1 << 24
"""The largest table of transcripts in bytes."""


@dataclass(frozen=True)
class Recordings:
    """Recordings as frames.

    name: the name of the data
    kind: "morse", "digits" or "folder"
    files: N names
    frames: N arrays, [T, BANDS] float16
    texts: N texts; None: nobody has written them down
    voices: N names of speakers, who are all in one part of the data; None: they are not known
    notes: sentences on what a user should know of them
    """

    name: str
    kind: str
    files: tuple[str, ...]
    frames: tuple[np.ndarray, ...]
    texts: tuple[str, ...] | None
    voices: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def part(self, rows: Sequence[int] | np.ndarray) -> Recordings:
        """Some of the recordings."""

        def of(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
            return None if values is None else tuple(values[row] for row in rows)

        files, frames = tuple(self.files[row] for row in rows), tuple(self.frames[row] for row in rows)
        return Recordings(self.name, self.kind, files, frames, of(self.texts), of(self.voices), self.notes)


def normalised(text: str) -> str:
    """A text in lower case, with single spaces, and characters composed as in Unicode's NFC."""
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


def read_recordings(path: Path, with_texts: bool = False) -> Recordings:
    """Read a WAV file, or a folder of them. Its only .tsv file, if there is one, has the columns file, text and voice.

    Args:
        path: the file or the folder.
        with_texts: whether the texts are needed.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not what it should be, or there is none.
    """
    if not path.is_dir():
        if with_texts:
            with opened(path):
                raise ValueError(f"{path} is no folder: give one with WAV files and a .tsv file with their texts")
        return _read(path.name, [path], None, None)
    tables = sorted(each for each in path.iterdir() if each.suffix.lower() == ".tsv")
    if len(tables) > 1:
        raise ValueError(f"{path} has {len(tables)} .tsv files: leave the one with the columns file and text")
    if not tables:
        if with_texts:
            raise ValueError(f"{path} has no .tsv file with the columns file and text")
        found = sorted(each for each in path.iterdir() if each.suffix.lower() == ".wav")
        if not found:
            raise ValueError(f"{path} has no .wav files")
        return _read(path.resolve().name, found, None, None)
    rows = _rows(tables[0])
    texts = tuple(normalised(row[1]) for row in rows)
    voices = tuple(row[2] for row in rows) if len(rows[0]) == len(_COLUMNS) else None
    return _read(path.resolve().name, [path / row[0] for row in rows], texts, voices)


def _read(
    name: str, paths: Sequence[Path], texts: tuple[str, ...] | None, voices: tuple[str, ...] | None
) -> Recordings:
    frames, clipped = [], []
    for path in paths:
        sound = read_wav(path)
        frames.append(log_mel(sound.samples))
        if not len(frames[-1]):
            raise ValueError(f"{path} is too short: it has less than 25 ms")
        clipped += [path.name] * sound.clipped
    notes = (f"clipped, which means recorded too loud: {listed(clipped)}",) if clipped else ()
    return Recordings(name, "folder", tuple(path.name for path in paths), tuple(frames), texts, voices, notes)


def _rows(path: Path) -> list[list[str]]:
    """The rows of a table of transcripts, with the columns file and text, and maybe voice, in this order."""
    with opened(path) as file:
        content = file.read(_MOST + 1)
    try:
        if len(content) > _MOST:
            raise ValueError("it is larger than 16 MiB")
        if b"\0" in content:
            raise ValueError("it holds null characters")
        lines = content.decode("utf-8-sig").splitlines()
    except ValueError as error:
        raise ValueError(plain(f"{path} is no table of transcripts in UTF-8: {error}")) from error
    header, *rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)) or [[]]
    places = [header.index(name) for name in _COLUMNS if name in header]
    if not {"file", "text"} <= set(header):
        raise ValueError(f"{path} has the columns {listed(header) or 'of nothing'}, expected file and text, by tabs")
    rows = [row for row in rows if row]
    if not rows:
        raise ValueError(f"{path} has no rows")
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(f"row {number} of {path} has {len(row)} cells, expected {len(header)}")
        name, text = row[header.index("file")], row[header.index("text")]
        if not normalised(text):
            raise ValueError(f"row {number} of {path} has no text for {quoted(name)}")
        if not name or Path(name).name != name or name in (".", ".."):
            raise ValueError(f"row {number} of {path} names {quoted(name)}, expected a file of the same folder")
        if not (path.parent / name).exists():
            raise ValueError(f"row {number} of {path} names {quoted(name)}, which is not in the folder")
        if name in seen:
            raise ValueError(f"{path} has two texts for {quoted(name)}")
        seen.add(name)
    return [[row[place] for place in places] for row in rows]
