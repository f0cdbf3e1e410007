"""Refuse attributes that nothing would read: misspelt ones, and methods of Keras that are not called here.

An attribute that is not there is answered with what to use instead.
"""

from __future__ import annotations

from typing import Any, ClassVar

from numlstm.messages import a, meant, quoted

__all__ = ["CheckedAttributes", "is_own"]


def is_own(cls: type) -> bool:
    """Whether a class is numlstm's, and not a user's subclass."""
    return cls.__module__.partition(".")[0] == "numlstm"


class CheckedAttributes:
    """The base of objects that take no new public attributes once they are complete. A user's subclass takes them.

    A class declares those that it sets later.

    set_elsewhere: attributes that cannot be set after `__init__`, with what to do instead
    never_called: names that Keras calls and numlstm does not, with what to do instead
    absent: attributes that Keras has and numlstm has not, with what to use instead
    """

    set_elsewhere: ClassVar[dict[str, str]] = {}
    never_called: ClassVar[dict[str, str]] = {}
    absent: ClassVar[dict[str, str]] = {}
    _complete = False
    """The base's `__init__` sets it at its end."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a class with a method that would never be called.

        Raises:
            TypeError: If a user's class has one of the names in `never_called`.
        """
        super().__init_subclass__(**options)
        for name, instead in cls.never_called.items():
            if any(name in vars(base) for base in cls.__mro__ if not is_own(base)):
                raise TypeError(f"{cls.__name__} overrides {name}, which numlstm never calls: {instead}")
        # Not by `__getattr__`: Python reads all attributes of a class that has it more slowly.
        for name in (*cls.set_elsewhere, *cls.never_called, *cls.absent) if is_own(cls) else ():
            if not any(name in vars(base) for base in cls.__mro__):
                setattr(cls, name, _Absent(name))

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
        found = getattr(cls, name, None)
        if isinstance(found, property) and found.fset is None:
            raise AttributeError(f"{name} of {a(cls.__name__)} can only be read")
        if name in vars(self) or hasattr(cls, name) or not is_own(cls) or _is_declared(cls, name):
            return
        raise AttributeError(self._not_there(name))

    def _not_there(self, name: str) -> str:
        """The sentence about an attribute that does not exist."""
        cls, hint = type(self), ""
        instead = cls.set_elsewhere | cls.never_called | cls.absent
        if name in instead:
            hint = f": {instead[name]}"
        elif name[0] != "_" and not _is_declared(cls, name):
            hint = meant(name, [known for known in dir(self) if known[0] != "_"])
        return f"{a(cls.__name__)} has no attribute {quoted(name)}{hint}"


class _Absent:
    """An attribute that is not there. A user's class may have one of the same name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            raise AttributeError(f"{owner.__name__} has no attribute {quoted(self._name)}")
        raise AttributeError(instance._not_there(self._name), name=self._name, obj=instance)


def _is_declared(cls: type, name: str) -> bool:
    """Whether a class declares an attribute by its type alone: it is set later."""
    return any(name in vars(base).get("__annotations__", ()) for base in cls.__mro__)
