"""Ctrl-C while the command `numlstm` still imports its modules: it ends as it does later, without a traceback."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

__all__ = ["begin", "end"]

_NAMES = ("numlstm", "numlstm.exe", "numlstm-script.py", "numlstm-script.pyw")


_is_command = False
"""Whether this process is the command, and not a script that imports numlstm."""


def begin() -> None:
    """Take SIGINT if this process is the command. A script that imports numlstm gets its KeyboardInterrupt as ever."""
    global _is_command
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    # While `python -m` looks for its module, "-m" stands in the place of the program: so the module is numlstm.
    _is_command = program in (*_NAMES, "-m")
    if _is_command and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # Another thread imports it.
            signal.signal(signal.SIGINT, _leave)


def end() -> None:
    """The command runs. It treats KeyboardInterrupt, and its process may be forked."""
    from numlstm.kernels import forked

    forked.allowed = _is_command
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(number: int, frame: FrameType | None) -> None:
    # An exception would go through the imports of other packages, which may turn it into another one.
    with suppress(OSError):
        os.write(2, b"Interrupted.\n")
    os._exit(128 + number)
