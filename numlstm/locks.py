"""Files that are locked as long as their process lives. So what a dead process left can be told from what is in use.

POSIX locks the open file (flock). Windows needs no lock: it refuses to remove a file that a process has open.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["abandoned", "create", "is_held", "remove"]

_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

if sys.platform == "win32":

    def create(path: Path) -> int | None:
        """Make a file and lock it until its handle is closed, or until the process dies.

        Returns:
            The handle, open for reading and writing; None if another process has locked the file.

        Raises:
            OSError: If the file cannot be made.
        """
        try:
            path.unlink(missing_ok=True)
        except PermissionError:
            return None
        return os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL)

    @contextmanager
    def abandoned(path: Path) -> Iterator[bool]:
        """Whether a file of `create` belongs to no process. It is removed at the end, if so."""
        try:
            path.unlink()
        except OSError:
            yield False
        else:
            yield True

    def is_held(path: Path) -> bool:
        """Whether a living process has the file of `create`."""
        try:
            os.rename(path, path)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

else:
    import fcntl

    def create(path: Path) -> int | None:
        """Make a file and lock it until its handle is closed, or until the process dies.

        A file system without locks is used without them: then nobody is refused, and nothing is abandoned.

        Returns:
            The handle, open for reading and writing; None if another process has locked the file.

        Raises:
            OSError: If the file cannot be made.
        """
        while True:
            handle = os.open(path, _FLAGS | os.O_CREAT, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                if path.exists():
                    return None
                continue
            except OSError:
                return handle
            if _is_at(handle, path):
                return handle
            os.close(handle)  # Another process has removed the file between the two calls.

    @contextmanager
    def abandoned(path: Path) -> Iterator[bool]:
        """Whether a file of `create` belongs to no process. It is removed at the end, if so."""
        try:
            handle = os.open(path, _FLAGS)
        except OSError:
            yield False
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = _is_at(handle, path)
        except OSError:
            mine = False
        try:
            yield mine
        finally:
            if mine:
                with suppress(OSError):
                    path.unlink()
            os.close(handle)

    def is_held(path: Path) -> bool:
        """Whether a living process has the file of `create`. Without locks nobody knows: a file that exists is held."""
        try:
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def _is_at(handle: int, path: Path) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), path.lstat())
        except FileNotFoundError:
            return False


def remove(path: Path, handle: int) -> None:
    """Remove a file of `create` and its lock."""
    # POSIX removes it first, because an unlocked file is an abandoned one. Windows removes no open file.
    if sys.platform == "win32":
        os.close(handle)
        path.unlink(missing_ok=True)
    else:
        with suppress(OSError):
            path.unlink()
        os.close(handle)
