"""The output of `fit`: a live bar on a terminal or in a notebook, a line per epoch; and messages about compilation."""

from __future__ import annotations

import shutil
import sys
import time

from numlstm.kernels import Backend
from numlstm.messages import quoted
from numlstm.notebook import NotebookLine, is_notebook
from numlstm.terminal import can_print, is_terminal, say

__all__ = ["Compilation", "Progress"]

_INTERVAL = 0.1
_WIDTH = 20
_ERASE = "\r\x1b[K"


class Progress:
    """Prints the progress of a run over a data set.

    Args:
        verbose: 0 nothing, 1 a live bar, 2 a line at the end of each epoch; "auto" is 1. In a notebook 1 is both, and
            the bar disappears at the end. With neither a terminal nor a notebook 1 is 2.
        steps: Steps per epoch; None if the number is not known.
        epochs: The number of epochs; None for a run without epochs, as in `evaluate`.

    Raises:
        ValueError: If `verbose` is another value.
    """

    def __init__(self, verbose: int | str, steps: int | None, epochs: int | None = None) -> None:
        if verbose not in (0, 1, 2, "auto"):
            raise ValueError(f"verbose must be 0, 1, 2 or 'auto', not {quoted(verbose)}")
        self._silent = verbose == 0
        live = verbose in (1, "auto")
        self._notebook = NotebookLine() if live and is_notebook(sys.stdout) else None
        self._terminal = live and self._notebook is None and is_terminal(sys.stdout)
        self._live = self._terminal or self._notebook is not None
        self._steps, self._epochs = steps, epochs
        self._title = ""
        self._started = self._next = time.perf_counter()
        self._length = 0
        self._unfinished = False

    def begin(self, epoch: int = 0) -> None:
        """Begin an epoch, counted from 0."""
        self._title = "" if self._epochs is None else f"Epoch {epoch + 1}/{self._epochs}"
        self._started = time.perf_counter()
        self._next = self._started + _INTERVAL
        if self._terminal and self._title:
            say(self._title + "\n")

    def due(self) -> bool:
        """Whether to redraw the bar now, at most ten times per second."""
        return self._live and time.perf_counter() >= self._next

    def show(self, step: int, logs: dict[str, float]) -> None:
        """Redraw the live bar after this number of steps."""
        elapsed = time.perf_counter() - self._started
        left = elapsed if self._steps is None else elapsed / step * (self._steps - step)
        line = " ".join([self._bar(step, self._steps), f"{left:.0f}s", _pace(elapsed / step), _numbers(logs)])
        if self._notebook is None:
            self._redraw(_fitting(line))
        else:
            self._notebook.show(self._titled(line))
            self._unfinished = True
        self._next = time.perf_counter() + _INTERVAL

    def end(self, logs: dict[str, float], steps: int) -> None:
        """Print the end of an epoch of this number of steps."""
        if self._silent:
            return
        elapsed = time.perf_counter() - self._started
        pace = _pace(elapsed / max(1, steps))
        if self._terminal:
            self._redraw(" ".join([self._bar(steps, steps), f"{elapsed:.0f}s", pace, _numbers(logs)]))
            self.close()
        else:
            line = f"{steps}/{steps} - {elapsed:.0f}s - {pace} {_numbers(logs)}"
            say(self._titled(line).rstrip() + "\n")
            self._unfinished = False

    def close(self) -> None:
        """End the line of the live bar on a terminal. In a notebook erase it, unless its epoch was interrupted."""
        if self._length:
            self._length = 0
            say("\n")
        if self._notebook is not None and not self._unfinished:
            self._notebook.erase()

    def _titled(self, line: str) -> str:
        return f"{self._title} - {line}" if self._title else line

    def _bar(self, step: int, steps: int | None) -> str:
        if steps is None:
            return f"{step}/Unknown"
        full, rest = ("━", "─") if can_print("━─") else ("=", ".")
        filled = _WIDTH * step // max(1, steps)
        return f"{step:>{len(str(steps))}}/{steps} {full * filled}{rest * (_WIDTH - filled)}"

    def _redraw(self, line: str) -> None:
        say("\r" + line.ljust(self._length))
        self._length = len(line)


class Compilation:
    """A context manager that reports compiled kernels on stderr. Kernels from the cache are not reported.

    On a terminal the line changes with each kernel and is erased at the end. In a notebook it changes too, and says at
    the end how many kernels were compiled. Elsewhere one line is printed in all.

    Args:
        backend: The backend that compiles its kernels.
        verbose: 0 reports nothing. 2 prints one line in a notebook too.
    """

    def __init__(self, backend: Backend, verbose: int | str) -> None:
        self._backend, self._silent = backend, verbose == 0
        self._notebook = NotebookLine() if verbose != 2 and is_notebook(sys.stderr) else None
        self._terminal = self._notebook is None and is_terminal(sys.stderr)
        self._count = 0
        self._began = self._seconds = 0.0

    def __enter__(self) -> None:
        if not self._silent:
            self._backend.on_compile(self._tell)

    def __exit__(self, *exception: object) -> None:
        if not self._silent:
            self._backend.on_compile(None)
        if self._notebook is not None and self._count:
            done = f"Compiled kernels, once: {self._count} in {self._seconds:.0f} s"
            self._notebook.show(f"{done}; the next run finds them in the cache")

    def _tell(self, kernel: str, begins: bool) -> None:
        self._count += begins
        if self._notebook is not None:
            self._tell_notebook(self._notebook, kernel, begins)
        elif self._terminal:
            line = _fitting(f"Compiling kernels, once: {self._count} ({kernel})")
            say(f"{_ERASE}{line}" if begins else _ERASE, error=True)
        elif begins and self._count == 1:
            say("Compiling kernels, once: the next run finds them in the cache\n", error=True)

    def _tell_notebook(self, line: NotebookLine, kernel: str, begins: bool) -> None:
        """Show the kernel that is compiled now, and the seconds that the kernels before it took."""
        now = time.perf_counter()
        if begins:
            self._began = now
            line.show(f"Compiling kernels, once: {self._count} ({kernel}), {self._seconds:.0f} s")
        else:
            self._seconds += now - self._began


def _fitting(line: str) -> str:
    """Cut a line to the width of the terminal: a wrapped line cannot be redrawn."""
    return line[: shutil.get_terminal_size().columns - 1]


def _pace(seconds: float) -> str:
    """Format seconds per step as Keras does."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}/step"
    return f"{seconds * 1e6:.0f}us/step"


def _numbers(logs: dict[str, float]) -> str:
    """Format the logs as Keras does: small numbers have an exponent."""
    return " ".join(f"- {name}: {value:{'.4f' if abs(value) > 1e-3 else '.4e'}}" for name, value in logs.items())
