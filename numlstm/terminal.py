"""Words for a terminal. No work depends on them: a terminal that is closed, or lacks their letters, stops nothing."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TextIO

__all__ = ["can_print", "is_terminal", "say"]


def say(text: str, *, error: bool = False) -> None:
    """Write a text, as it is. What cannot be written is lost without an error.

    Args:
        text: The text, with its line ends.
        error: Whether to write to standard error instead of standard output.
    """
    stream: TextIO | None = sys.stderr if error else sys.stdout
    if stream is None:  # It was closed before Python began.
        return
    with suppress(OSError, ValueError):  # A closed pipe, a full disk; a closed file, an encoding without the letters.
        try:
            stream.write(text)
        except UnicodeEncodeError:
            stream.write(text.encode("ascii", "replace").decode("ascii"))
        stream.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal. An object without `isatty` is none, nor is a closed stream."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False


def can_print(text: str) -> bool:
    """Whether the encoding of standard output has all characters of the text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True
