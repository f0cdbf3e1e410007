"""Rename files and folders on every system."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from pathlib import Path

__all__ = ["exchange", "move"]

_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between attempts. Virus scanners and readers hold a file for less."""


_HERE = -100
_EXCHANGE = 2
"""AT_FDCWD and RENAME_EXCHANGE of Linux."""


def move(source: Path, place: Path) -> None:
    """Rename a file or a folder. A file at the place is replaced.

    Windows refuses that while another process has the file, or one in the folder, open: then try again for a moment.

    Raises:
        OSError: If the system refuses.
    """
    for pause in _PAUSES if sys.platform == "win32" else ():
        try:
            os.replace(source, place)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    try:
        os.replace(source, place)
    except PermissionError as error:
        if sys.platform == "win32":
            raise PermissionError(error.errno, "another process has it open, or it is protected", str(place)) from error
        raise


def exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two files or folders in one call, so that no kill can come between.

    Returns:
        Whether system and file system have such a call. If not, nothing has changed.

    Raises:
        OSError: If the system refuses.
    """
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # The C library is older than 2018.
        return False
    if rename(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(first), None, str(second))
