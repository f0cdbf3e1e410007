"""Record the kernel calls of one step, and replay them without running the layers' Python. Both backends use it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["call", "record", "recording"]


class _Recording(threading.local):
    """The recording of each thread: a list of functions with their arguments, or None."""

    current: list[tuple[Callable[..., Any], tuple[Any, ...]]] | None = None


recording = _Recording()


def call(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a function, and record the call if this thread is recording.

    Each function that changes arrays, or queues work that does, is called through `call`.
    """
    if recording.current is not None:
        recording.current.append((function, arguments))
    function(*arguments)


def record(step: Callable[[], None]) -> Callable[[], None]:
    """Call `step` and return a function that repeats the recorded calls with the same arguments, without checking them.

    The recording keeps the arguments, and with them the memory that the step allocates for itself.
    """
    calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
    recording.current = calls
    try:
        step()
    finally:
        recording.current = None

    def replay() -> None:
        for function, arguments in calls:
            function(*arguments)

    return replay
