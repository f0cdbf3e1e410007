"""What a thread calls while a step is recorded: both backends call it again without asking Python what to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["call", "record", "tapes"]


class _Tapes(threading.local):
    """What the thread records: a list of functions and their arguments, or None."""

    current: list[tuple[Callable[..., Any], tuple[Any, ...]]] | None = None


tapes = _Tapes()


def call(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function so that a tape knows of it: one that changes arrays, or queues work that does."""
    if tapes.current is not None:
        tapes.current.append((function, arguments))
    function(*arguments)


def record(step: Callable[[], None]) -> Callable[[], None]:
    """Call `step`, whose calls are made again by what is returned: with the arguments that they had, unexamined.

    The arguments, which are kept, hold the memory that a step allocates for itself.
    """
    tape: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
    tapes.current = tape
    try:
        step()
    finally:
        tapes.current = None

    def repeat() -> None:
        for function, arguments in tape:
            function(*arguments)

    return repeat
