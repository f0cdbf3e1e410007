"""Signals during a training: it ends between two batches, where its state is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "Signals", "caught"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP.


class Interrupted(KeyboardInterrupt):
    """A signal ended a training that writes checkpoints.

    Args:
        number: The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"{signal.Signals(number).name} ended the training")
        self.signal = number


class Signals:
    """The signal that came, if one did.

    number: the signal's number; None: none came
    at_once: whether a signal raises `Interrupted` wherever the program is
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.at_once = False

    def arrive(self, number: int, frame: FrameType | None) -> None:
        """Note a signal. The second one does not wait for the end of the batch."""
        second, self.number = self.number is not None, number
        if second or self.at_once:
            raise Interrupted(number)


@contextmanager
def caught(signals: Signals) -> Iterator[None]:
    """Send SIGINT, SIGTERM and SIGHUP to `signals`. In other threads Python allows no handlers: do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    try:
        for name in _NAMES:
            number = vars(signal).get(name)
            # `nohup` and shells ignore signals on purpose. A handler that is None is not Python's.
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, signals.arrive)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
