"""Words for a terminal. No work depends on them: a terminal that is closed, or lacks their letters, stops nothing."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import suppress
from typing import TextIO

__all__ = ["MovingLine", "can_print", "is_terminal", "say"]


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


class MovingLine:
    """A line of a terminal whose text changes, and which disappears. Elsewhere there is none.

    Args:
        error: Whether it is on standard error instead of standard output.
        pause: Seconds after a text in which no other is shown.
    """

    def __init__(self, *, error: bool = False, pause: float = 0.0) -> None:
        self._error, self._pause, self._next, self._shown = error, pause, time.perf_counter() + pause, False
        self._live = is_terminal(sys.stderr if error else sys.stdout)

    def show(self, text: str) -> None:
        """Show another text, of which as much is shown as fits."""
        if self._live and time.perf_counter() >= self._next:
            say(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}", error=self._error)
            self._next, self._shown = time.perf_counter() + self._pause, True

    def erase(self) -> None:
        """Leave an empty line."""
        if self._shown:
            say("\r\x1b[K", error=self._error)
            self._shown = False


def can_print(text: str) -> bool:
    """Whether the encoding of standard output has all characters of the text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True
