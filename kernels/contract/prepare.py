"""Kernels made ready before they are called, and called again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

__all__ = ["Prepare"]


class Prepare(Protocol):
    """Compilation ahead of the first call, and steps that need no deciding."""

    def preparable(self) -> list[str]:
        """What `prepare` takes."""

    def prepare(self, functions: Iterable[str], dtype: str) -> None:
        """Make what these functions run ready: compiled, or fetched from the cache.

        functions: names from this contract; "lstm_backward.x" and "rnn_backward.x" for those that give dx too,
            "lstm_forward.general" and "lstm_backward.general" for passes that take the general kernels; so
            "lstm_backward_pair.x", "lstm_forward_pair.general" and "lstm_backward_pair.general". A backend may know
            "threads" too, for what these functions need on many threads only when there is much to do
        """

    def repeatable(self, step: Callable[[], None]) -> Callable[[], None]:
        """Call `step`, and return a function with the effect of calling it again, whatever the arrays then hold.

        step: calls functions of this contract, each time the same ones on the same arrays, and does nothing else that
            counts. Not among them are `copy` and those for masks, dropout, another cell than the LSTM, pairs and
            elementwise work: a backend may call again what it called, without asking Python.
        """

    def on_compile(self, listener: Callable[[str, bool], None] | None) -> None:
        """Call `listener(kernel, True)` before one is compiled and `listener(kernel, False)` after; None: nobody.

        What comes from the cache is not announced. There is one listener at a time.
        """
