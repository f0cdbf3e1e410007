"""Refuse attributes that nothing would read: misspelt ones, and methods of Keras that are not called here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from numlstm.messages import a, quoted

__all__ = ["CheckedAttributes", "is_own"]


def is_own(cls: type) -> bool:
    """Whether a class is numlstm's, and not a user's subclass."""
    return cls.__module__.partition(".")[0] == "numlstm"


class CheckedAttributes:
    """The base of objects that take no new public attributes once they are complete. A user's subclass takes them.

    A class declares those that it sets later.

    set_elsewhere: attributes that cannot be set after `__init__`, with what to do instead
    never_called: names that Keras calls and numlstm does not, with what to do instead
    """

    set_elsewhere: ClassVar[Mapping[str, str]] = {}
    never_called: ClassVar[Mapping[str, str]] = {}
    _complete = False
    """The base's `__init__` sets it at its end."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a class with a method that would never be called.

        Raises:
            TypeError: If the class has one of the names in `never_called`.
        """
        super().__init_subclass__(**options)
        for name, instead in cls.never_called.items():
            if hasattr(cls, name):
                raise TypeError(f"{cls.__name__} overrides {name}, which numlstm never calls: {instead}")

    def __setattr__(self, name: str, value: Any) -> None:
        if self._complete and name[0] != "_":
            self._check_name(name)
        super().__setattr__(name, value)

    def _check_name(self, name: str) -> None:
        """Raise AttributeError if nothing would read an attribute of this name."""
        cls = type(self)
        for names in (cls.never_called, cls.set_elsewhere):
            if name in names:
                raise AttributeError(f"{name} of {a(cls.__name__)} cannot be set: {names[name]}")
        if name in vars(self) or hasattr(cls, name) or not is_own(cls):
            return
        if any(name in vars(base).get("__annotations__", ()) for base in cls.__mro__):
            return
        from difflib import get_close_matches  # Only a mistake needs it.

        near = get_close_matches(name, [known for known in dir(self) if known[0] != "_"], 1)
        hint = f": did you mean {near[0]}?" if near else ""
        raise AttributeError(f"{a(cls.__name__)} has no attribute {quoted(name)}{hint}")
