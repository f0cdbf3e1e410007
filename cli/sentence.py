"""An error in one line."""

from __future__ import annotations

import os

import click

__all__ = ["in_one_line"]

_LONGEST = 500
"""LaTeX's own errors have pages."""


def in_one_line(error: Exception) -> str:
    """The message of an error that ends a command, without line ends."""
    if isinstance(error, click.ClickException):
        text = error.format_message()
    elif isinstance(error, OSError) and error.strerror is not None:
        text = error.strerror if error.filename is None else f"{os.fspath(error.filename)}: {error.strerror}"
    elif isinstance(error, MemoryError):
        text = f"not enough memory: {error}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())[:_LONGEST]
