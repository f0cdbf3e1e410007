"""Rename files and folders on every system."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

__all__ = ["move"]

_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between attempts. Virus scanners and readers hold a file for less."""


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
