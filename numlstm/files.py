"""Write a file completely or not at all. Every file that a user names is written here.

A regular file is replaced by a new one after all data are on the disk. What is no regular file, such as a device, a
FIFO or /dev/stdout, is written into. Symbolic links stay, and the file that they name is replaced. The file keeps its
mode.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path

from numlstm import locks
from numlstm.moving import move

__all__ = ["check_place", "sweep", "sync_folder", "write"]


def check_place(path: Path) -> None:
    """Raise before long work the errors that `write` would raise after it.

    Raises:
        OSError: If the path is a folder, its folder does not exist, or one of both may not be written to.
    """
    _place(path)


def write(path: Path, content: bytes) -> None:
    """Write a file. It appears, or replaces an older one, after all data are on the disk.

    Args:
        path: The file, in an existing folder.
        content: All that the file is to hold.

    Raises:
        OSError: If the file cannot be written. It names the path, and an older file is as it was.
    """
    try:
        place = _place(path)
        if place is None:
            number = _own_handle(path)
            handle = os.open(path, os.O_WRONLY) if number is None else os.dup(number)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        else:
            sweep(place.parent)
            _replace(place, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def sweep(folder: Path) -> None:
    """Remove temporary files that dead processes of `write` left in a folder."""
    for left in folder.glob(".numlstm-*.tmp"):
        with locks.abandoned(left):
            pass


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk.

    Raises:
        OSError: If the disk fails.
    """
    if sys.platform == "win32":
        return  # Windows opens no folders.
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # A folder that may be written to but not read.
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # The file system has no such call for folders.
            raise
    finally:
        os.close(handle)


def _place(path: Path) -> Path | None:
    """The regular file that a path names after all links, whether it exists or not; None for what is written into.

    Raises:
        OSError: As for `check_place`.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode) or _own_handle(path) is not None:
        return None
    place = path
    while place.is_symlink():
        place = place.parent / place.readlink()
    folder = place.parent
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder}", str(path))
    if place.exists() and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        # Writing into the file itself may be possible, but a full disk would leave half of it.
        reason = f"its folder {folder} may not be written to, so the file cannot be replaced safely"
        raise PermissionError(errno.EACCES, reason, str(path))
    return place


def _own_handle(path: Path) -> int | None:
    """The number of this process's open file that a path such as /dev/stdout names, maybe through links.

    Such a file goes on where it is: the shell and other processes write to it too.
    """
    handles = Path("/proc/self/fd").resolve()
    while path.is_symlink():
        if path.parent.resolve() == handles:
            return int(path.name)
        path = path.parent / path.readlink()
    return None


def _replace(place: Path, content: bytes) -> None:
    new, handle = _new_file(place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            _keep_attributes(place, handle)
            file.write(content)
            file.flush()
            os.fsync(handle)
            if sys.platform != "win32":  # Closing the file ends its lock. Windows moves no open file.
                move(new, place)
        if sys.platform == "win32":
            move(new, place)
    except BaseException:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    sync_folder(place.parent)


def _new_file(folder: Path) -> tuple[Path, int]:
    """Make a temporary file, and lock it against `sweep`."""
    while True:
        new = folder / f".numlstm-{secrets.token_hex(8)}.tmp"
        handle = locks.create(new)
        if handle is not None:  # Otherwise another process sweeps it before it is locked.
            return new, handle


def _keep_attributes(place: Path, handle: int) -> None:
    """Give the new file the owner and the mode of the file that it replaces, if there is one."""
    if sys.platform == "win32" or not place.exists():
        return
    old, new = place.stat(), os.fstat(handle)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        with suppress(PermissionError):  # Only root gives files away.
            os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))
