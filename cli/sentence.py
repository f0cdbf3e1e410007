"""An error in one line."""

from __future__ import annotations

import os

import click

from numlstm.messages import plain

__all__ = ["in_one_line"]


def in_one_line(error: Exception) -> str:
    """The message of an error that ends a command, short and without control characters."""
    if isinstance(error, click.ClickException):
        text = error.format_message()
    elif isinstance(error, OSError) and error.strerror is not None:
        text = error.strerror if error.filename is None else f"{os.fspath(error.filename)}: {error.strerror}"
    elif isinstance(error, MemoryError):
        text = f"not enough memory: {error}" if str(error) else "not enough memory"
    else:
        text = str(error) or type(error).__name__
    return plain(text)
