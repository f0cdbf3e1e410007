"""Write files completely or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from numlstm.moving import move
from numlstm.override import override

__all__ = ["PATH", "check_place", "replacing"]


class _Path(click.Path):
    """A path on the command line. The empty one would be the working folder."""

    @override
    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if not value:
            self.fail("a path must not be empty", parameter, context)
        return super().convert(value, parameter, context)


PATH = _Path(path_type=Path)
"""The type of all paths on the command line."""


def check_place(path: Path) -> None:
    """Raise before long work the errors that `replacing` would raise after it.

    Raises:
        OSError: If the path is a folder, or its parent does not exist.
    """
    number = errno.EISDIR if path.is_dir() else 0 if path.parent.is_dir() else errno.ENOENT
    if number:
        raise OSError(number, os.strerror(number), str(path))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a hidden path beside `path`, with the same suffix. It replaces `path` if the block ends without an error.

    Raises:
        OSError: If the path is a folder, or cannot be written to.
    """
    check_place(path)
    hidden = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield hidden
        move(hidden, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        hidden.unlink(missing_ok=True)
