"""Compilation before the first call, and replay of recorded steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Prepare", "RecurrentUse"]


@dataclass(frozen=True)
class RecurrentUse:
    """The passes of a cell that training will run, as `prepare` takes them.

    cell: the cell's `name`
    with_options: whether the passes need the kernels with options
    with_dx: whether the gradient of x is needed
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
    """Compilation before the first call, and replay of recorded steps."""

    def preparable(self) -> list[str | RecurrentUse]:
        """Return everything that `prepare` accepts."""

    def prepare(self, functions: Iterable[str | RecurrentUse], dtype: str) -> None:
        """Make the kernels that these functions run ready: compile them, or load them from the cache.

        functions: names of functions in this contract, and uses of cells. A backend may also accept "threads", for the
            kernels that run on many threads only when there is much work
        """

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        """Call `step`, and return a function that replays it: with the same effect on what the arrays then hold.

        step: calls functions of this contract, each time the same functions on the same arrays, and has no other effect
            that matters. It calls neither `copy` nor the functions for masks, dropout, pairs and element-wise work. The
            backend may record the calls and repeat them without running `step`.
        """

    def join_steps(self, steps: Sequence[Callable[[], None]]) -> list[Callable[[], None]]:
        """Return functions that have the effect of some others one after the other, in fewer calls if that is faster.

        steps: as for `record`, each; they are called again and again, and none keeps a state of its own
        """

    def on_compile(self, listener: Callable[[str, bool], None] | None) -> None:
        """Set the listener that is told of compilations, or remove it with None. There is one listener at a time.

        `listener(kernel, True)` is called before a kernel is compiled, and `listener(kernel, False)` after. A kernel
        that is loaded from the cache causes no call.
        """
