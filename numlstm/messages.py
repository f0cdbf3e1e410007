"""Text for messages: foreign content on one line, without control characters, and short."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any

__all__ = [
    "a", "amount", "argument", "in_python", "listed", "meant", "offers", "on_command_line", "option", "plain", "quoted"
]  # fmt: skip

_MESSAGE = 300
_NAMES = 8
_OTHER_SIDE = {"day_first": "month_first"}
"""The flag for False where it is not --no- and the name."""
_options: ContextVar[frozenset[str] | None] = ContextVar("options", default=None)
"""The names of the options of the command that runs; None: the reader of a sentence writes Python."""


class _Reader(reprlib.Repr):
    def repr_ndarray(self, array: Any, level: int) -> str:
        return repr(array) if array.size <= 4 else f"<array of shape {array.shape}>"


_reader = _Reader()
_reader.maxstring = _reader.maxother = 60
_reader.maxlong = 40


def a(noun: str) -> str:
    """A noun with its article. Capitals are read as letters: an Embedding, an LSTM, a GRU, a UserModel."""
    spelled = noun[0].isupper() and not noun[1:2].islower()
    return f"{'an' if noun[0] in ('AEFHILMNORSX' if spelled else 'AEIOaeio') else 'a'} {noun}"


def plain(text: str, most: int = _MESSAGE) -> str:
    """The text on one line, with escapes for characters that cannot be printed. A long text loses its middle."""
    line = " ".join(text[: 8 * most].split() + text[8 * most :][-most:].split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    if len(line) <= most:
        return line
    return f"{line[: 2 * most // 3]} … {line[len(line) - most // 3 + 3 :]}"


def quoted(value: Any) -> str:
    """The value as Python writes it, shortened. Unlike `repr` it takes any value: deep, long or without a `repr`."""
    try:
        return plain(_reader.repr(value), 120)
    except (ValueError, RecursionError):  # Python refuses to write an integer of more than 4300 digits.
        return f"a very long {type(value).__name__}"


def listed(names: Iterable[Any]) -> str:
    """The first names in quotes, and how many more there are: 'a', 'b' and 7 more; "none" without names."""
    names = list(names)
    shown = ", ".join(quoted(str(name)) for name in islice(names, _NAMES))
    return (f"{shown} and {len(names) - _NAMES} more" if len(names) > _NAMES else shown) or "none"


def meant(name: str, known: Iterable[str], write: Callable[[str], str] = str) -> str:
    """The end of a sentence about an unknown name, ": did you mean X?"; empty if no known name is like it.

    Args:
        name: The unknown name. Capitals do not count.
        known: The names that it may stand for.
        write: Writes the known name.
    """
    from difflib import get_close_matches  # Only a mistake needs it.

    lower = {each.lower(): each for each in known}
    near = get_close_matches(name[:100].lower(), lower, 1, cutoff=0.7)
    return f": did you mean {write(lower[near[0]])}?" if near else ""


def amount(nbytes: float) -> str:
    """A number of bytes with its unit: 14.2 GB."""
    nbytes = float(min(nbytes, 1e300))
    for unit in ("bytes", "KB", "MB"):
        if nbytes < 1024:
            return f"{nbytes:.0f} {unit}" if unit == "bytes" else f"{nbytes:.1f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.1f} GB" if nbytes < 1e6 else f"{nbytes:.2g} GB"


@contextmanager
def on_command_line(names: Iterable[str]) -> Iterator[None]:
    """Within it, sentences name options as a command with the options of these names takes them."""
    token = _options.set(frozenset(names))
    try:
        yield
    finally:
        _options.reset(token)


def in_python() -> bool:
    """Whether the reader of a sentence has called a function, not a command."""
    return _options.get() is None


def offers(name: str) -> bool:
    """Whether the reader of a sentence can give an option: always in Python, where it is an argument."""
    names = _options.get()
    return names is None or name in names


def option(name: str, *values: Any) -> str:
    """An option in a sentence, as its reader writes it.

    Args:
        name: its name in Python.
        values: what can be given: of ("missing", "ffill", "drop") becomes --missing ffill or drop on the command line,
            and missing='ffill' or 'drop' in Python. (): the option is only named, --missing or missing=.
    """
    if in_python():
        return f"{name}={_either(map(quoted, values))}"
    if values[:1] == (False,):
        name = _OTHER_SIDE.get(name, f"no_{name}")
    flag = f"--{name.replace('_', '-')}"
    if not values or isinstance(values[0], bool):
        return flag
    # A space is quoted for the shell.
    words = (str(value) if re.fullmatch(r"[\w.,/-]+", str(value)) else quoted(value) for value in values)
    return f"{flag} {_either(words)}"


def argument(name: str) -> str:
    """The name of an argument in a sentence: top_k in Python, --top-k on the command line."""
    return name if in_python() else option(name)


def _either(words: Iterable[str]) -> str:
    """a, b or c."""
    *first, last = [*words] or [""]
    return f"{', '.join(first)} or {last}" if first else last
