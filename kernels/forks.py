"""Locks in a process that forks. The child has one thread, so a lock that another thread held would never be free.

Our own locks are free in the child: what they guard is whole between any two steps of Python. Locks of other packages
may guard data that are not, such as LLVM's. A fork waits for those.
"""

from __future__ import annotations

import importlib
import logging  # noqa: F401  Imported by a backend while a fork waits, it would release a lock that it did not take.
import os
import threading
from contextlib import AbstractContextManager, ExitStack
from types import ModuleType
from typing import Any

__all__ = ["complete", "import_module", "lock"]

Held = AbstractContextManager[Any, Any]

_importing = threading.RLock()
_complete: list[Held] = [_importing]
"""The locks that a fork waits for, in the order in which a thread takes several of them."""


def lock() -> threading.RLock:
    """Make a lock that is free in a forked child."""
    made = threading.RLock()
    if hasattr(os, "register_at_fork"):  # Windows has no fork.
        os.register_at_fork(after_in_child=made._at_fork_reinit)  # type: ignore[attr-defined]  # As logging does.
    return made


def import_module(name: str) -> ModuleType:
    """Import a module on its first use. A fork waits for it: in the child, nobody would finish the import."""
    with _importing:
        return importlib.import_module(name)


def complete(*locks: Held) -> None:
    """Let a fork wait until nobody holds these locks. A thread that holds several takes them in this order."""
    _complete.extend(locks)


_held = ExitStack()
"""What the thread that forks holds. It holds `_importing` first, so this is one thread at a time."""


def _acquire() -> None:
    for each in _complete:
        _held.enter_context(each)


def _release() -> None:
    # All are taken from the list before one is released: then another thread may fork and fill the list.
    _held.pop_all().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_acquire, after_in_parent=_release, after_in_child=_release)
