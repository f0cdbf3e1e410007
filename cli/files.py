"""Write files completely or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from numlstm.moving import move

__all__ = ["check_place", "replacing"]


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
