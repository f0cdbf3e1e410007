"""Standard output as the product of a command."""

from __future__ import annotations

import errno
import os
import sys

import click

__all__ = ["discard_unwritten", "named", "product"]


def product(text: str) -> None:
    """Write what a command is for to standard output. Mere words go to `numlstm.terminal.say`.

    Raises:
        BrokenPipeError: If standard output is a pipe that its reader has closed. It names no file.
        OSError: If standard output cannot be written to.
    """
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        # With PYTHONUNBUFFERED, Python drops what the system did not write at once. Then the next line has the error.
        sys.stdout.writelines(text.splitlines(keepends=True))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def named(error: Exception) -> Exception:
    """The error of a command; where click could not write a help to standard output, with that name."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if isinstance(error, OSError) and last is not None and last.tb_frame.f_code is click.echo.__code__:
        return OSError(error.errno, error.strerror, "standard output")
    return error


def discard_unwritten() -> None:
    """Discard what could not be written: the interpreter would try again at its exit, and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
