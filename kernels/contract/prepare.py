"""Kernels made ready before they are called, and called again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Prepare", "RecurrentUse"]


@dataclass(frozen=True)
class RecurrentUse:
    """Passes of a cell that will run in training, as `prepare` takes them.

    cell: its `name`
    with_options: whether they take the kernels with options
    with_dx: whether the gradient of x is wanted
    pair: whether both directions run at once
    """

    cell: str
    with_options: bool = False
    with_dx: bool = False
    pair: bool = False

    def __str__(self) -> str:
        said = [self.cell]
        said += ["with options"] * self.with_options + ["with dx"] * self.with_dx + ["both directions"] * self.pair
        return ", ".join(said)


class Prepare(Protocol):
    """Compilation ahead of the first call, and steps that need no deciding."""

    def preparable(self) -> list[str | RecurrentUse]:
        """All that `prepare` takes."""

    def prepare(self, functions: Iterable[str | RecurrentUse], dtype: str) -> None:
        """Make what these functions run ready: compiled, or fetched from the cache.

        functions: names from this contract, and the use of cells. A backend may know "threads" too, for what these
            functions need on many threads only when there is much to do
        """

    def repeatable(self, step: Callable[[], None]) -> Callable[[], None]:
        """Call `step`, and return a function with the effect of calling it again, whatever the arrays then hold.

        step: calls functions of this contract, each time the same ones on the same arrays, and does nothing else that
            counts. Not among them are `copy` and those for masks, dropout, pairs and elementwise work: a backend may
            call again what it called, without asking Python.
        """

    def on_compile(self, listener: Callable[[str, bool], None] | None) -> None:
        """Call `listener(kernel, True)` before one is compiled and `listener(kernel, False)` after; None: nobody.

        What comes from the cache is not announced. There is one listener at a time.
        """
