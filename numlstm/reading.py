"""Read files that may be anything: a pipe, a device, a folder, or larger than memory."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["opened"]

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
