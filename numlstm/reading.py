"""Read files that may be anything: a pipe, a device, a folder, or larger than memory. And standard input."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from numlstm import checks
from numlstm.messages import plain, quoted

__all__ = [
    "binary_kind", "opened", "read_all", "read_bytes", "read_text", "shown_name", "standard_input", "stands_for_stdin",
    "stem_of",
]  # fmt: skip

_PART = 1 << 18
"""Bytes that are read at once, as pandas does."""
_GROWTH = 20
"""Bytes of memory for each byte of a text that is divided into many: up to four for a character, and the parts' own."""

_BINARY = {
    rb"\x1f\x8b": ("compressed by gzip", ".gz"), rb"\xfd7zXZ\0": ("compressed by xz", ".xz"),
    rb"BZh[1-9]1AY&SY": ("compressed by bzip2", ".bz2"), rb"\x28\xb5\x2f\xfd": ("compressed by zstd", ".zst"),
    rb"PK\x03\x04": ("a ZIP archive or a workbook", ".zip if it is an archive"),
    rb"PAR1.*PAR1$": ("a Parquet file", ".parquet"),
}  # fmt: skip
"""What a file is whose first 12 and last 4 bytes match, and the ending by which it is read."""

_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, without waiting for a writer if it is a pipe.

    Raises:
        OSError: If there is no such file, it may not be read, or it is a folder, a pipe or a device. It names the file,
            also if the system fails while it is read.
    """
    # Opening a pipe would wait for a writer. Windows has no such pipes, and no such flag.
    at_once = os.O_NONBLOCK if hasattr(os, "O_NONBLOCK") else 0
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | at_once)) as file:
        kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
        if kind != stat.S_IFREG:
            raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'no file')}, expected a file", str(path))
        try:
            yield file
        except OSError as error:
            if error.filename is not None or error.errno is None:
                raise
            raise OSError(error.errno, error.strerror, str(path)) from error  # Reading names no file.


def binary_kind(content: bytes) -> tuple[str, str] | None:
    """What bytes are that are compressed or of another format, and the ending of such files; None for all others."""
    ends = content[:12] + content[-4:]
    return next((found for pattern, found in _BINARY.items() if re.match(pattern, ends, re.DOTALL)), None)


def stands_for_stdin(path: Path) -> bool:
    """Whether a path is that of standard input, or of a pipe that the shell has opened."""
    return str(path) in ("-", "/dev/stdin") or path.parent == Path("/dev/fd")


def shown_name(path: Path) -> str:
    """The file in messages."""
    return "standard input" if stands_for_stdin(path) else str(path)


def stem_of(path: Path) -> str:
    """The name of the data in a file: the file's without its ending."""
    return "stdin" if stands_for_stdin(path) else path.stem


@contextmanager
def standard_input(path: Path) -> Iterator[BinaryIO]:
    """Open a path that stands for standard input.

    Raises:
        OSError: it cannot be opened.
        ValueError: standard input is closed.
    """
    if str(path) != "-":
        with path.open("rb") as source:
            yield source
    elif sys.stdin is None:
        raise ValueError("standard input is closed: give a file")
    else:
        yield sys.stdin.buffer


def read_all(source: BinaryIO, path: Path, growth: int) -> bytes:
    """Read a source to its end. Its size is not known before: a pipe or a small compressed file can have any.

    Args:
        source: what is read.
        path: its path, for messages.
        growth: bytes of memory that each of its bytes needs.

    Raises:
        MemoryError: it is larger than the memory.
    """
    parts, size = [], 0
    while part := source.read(_PART):
        parts.append(part)
        size += len(part)
        checks.fits(growth * size, f"reading {shown_name(path)}")
    return b"".join(parts)


def read_bytes(path: Path, growth: int = _GROWTH) -> bytes:
    """Read a whole file; "-" is standard input. Arguments as for `read_all`.

    Raises:
        OSError: it cannot be read, or is a folder, a pipe or a device.
        ValueError: standard input is closed.
        MemoryError: it is larger than the memory.
    """
    if stands_for_stdin(path):
        with standard_input(path) as source:
            return read_all(source, path, growth)
    with opened(path) as file:
        checks.fits(growth * os.fstat(file.fileno()).st_size, f"reading {path}")
        return file.read()


def read_text(path: Path, encoding: str = "utf-8", growth: int = _GROWTH) -> str:
    """Read a whole file of text; "-" is standard input. Lines end with a line feed, and there is no byte order mark.

    Args:
        path: the file.
        encoding: its encoding, which a user gives by --encoding.
        growth: as for `read_all`.

    Raises:
        OSError, MemoryError: as for `read_bytes`.
        ValueError: the encoding is not known, or the file is no text in it; or standard input is closed.
    """
    try:
        "".encode(encoding)
    except (LookupError, ValueError):  # ValueError: the name has a null character.
        raise ValueError(
            f"there is no text encoding {quoted(encoding)}: try utf-8, latin-1, cp1252 or utf-16"
        ) from None
    content, name = read_bytes(path, growth), shown_name(path)
    found = binary_kind(content)
    if found is not None:
        raise ValueError(f"{name} is no text but {found[0]}: decompress it first, or save it as text")
    try:
        text = content.decode(encoding).lstrip("\ufeff").replace("\r\n", "\n")
    except UnicodeError as error:
        advice = "give its --encoding, such as latin-1 or cp1252"
        if b"\0" in content:
            advice = "it is no text, or needs --encoding utf-16"
        raise ValueError(plain(f"{name} is not {encoding}: {error}; {advice}")) from error
    if "\0" in text:  # No text has it, but bytes of an image or of UTF-16, read as another encoding.
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{name} is no {encoding} text, as line {line} has a zero byte: try --encoding utf-16")
    return text
