"""Checks of users' arguments, before any kernel runs."""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Iterable, Mapping
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from numlstm.messages import amount, meant, quoted

__all__ = [
    "all_below",
    "arguments_of",
    "array",
    "at_least_zero",
    "boolean",
    "booleans",
    "by_name",
    "choose",
    "fits",
    "float_dtype",
    "fraction",
    "integer",
    "model_path",
    "number",
    "numbers",
    "optional_integer",
    "optional_number",
    "positive",
    "printable_name",
    "several",
    "snake_case",
    "verbosity",
]


_DTYPES = {name: np.dtype(name) for name in ("float32", "float64")}


def array(values: Any, name: str) -> np.ndarray:
    """Convert values to an array of any dtype that NumPy has. bfloat16, which it has not, becomes float32.

    Raises:
        ValueError: If the values are lists or arrays that do not form one array.
        TypeError: If the values are a masked array, or cannot be converted.
    """
    parts = values if isinstance(values, list | tuple) else (values,)
    # Not by `np.ma`, which NumPy imports when it is first named.
    if any(isinstance(part, np.ndarray) and hasattr(part, "filled") for part in parts):
        raise TypeError(
            f"{name} is a masked array, whose mask would be lost: fill it, as by filled(0), and leave out steps by "
            "Masking, samples by sample_weight"
        )
    try:
        found = np.asarray(values)
    except ValueError:
        batches = all(isinstance(part, tuple) or getattr(part, "ndim", 0) > 2 for part in parts)
        hint = (
            "give a list of batches as an iterator, by iter()"
            if batches
            else "numlstm.utils.pad_sequences makes one of sequences of several lengths"
        )
        raise ValueError(f"{name} holds lists or arrays of several shapes, expected one array: {hint}") from None
    except (TypeError, RuntimeError) as error:  # Of other packages' arrays, such as those on a GPU.
        raise TypeError(f"{name} cannot be converted to a NumPy array: {error}") from None
    return found.astype("float32") if found.dtype.name == "bfloat16" else found


def numbers(values: Any, name: str, dtype: str) -> np.ndarray:
    """Convert values to an array of the given dtype. An array of that dtype is not copied.

    Raises:
        TypeError: If the values are not real numbers, or are a masked array.
        ValueError: If the values are lists or arrays that do not form one array.
    """
    if type(values) is np.ndarray and values.dtype is _DTYPES.get(dtype):
        return values
    found = array(values, name)
    if found.dtype.kind not in "fiub":
        raise TypeError(f"{name} holds {found.dtype} values, expected real numbers")
    with np.errstate(over="ignore"):
        return found.astype(dtype, copy=False)


def all_below(numbers: np.ndarray, end: int) -> bool:
    """Whether all int64 numbers are from 0 to `end` - 1. Read without a sign, a negative one is large."""
    return not numbers.size or int(np.maximum.reduce(numbers.view(np.uint64), axis=None)) < end


def boolean(value: Any, name: str) -> bool:
    """Return a value that is True or False.

    Raises:
        TypeError: If the value is not a boolean.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {quoted(value)}")
    return bool(value)


def booleans(values: Any, name: str, shape: tuple[int, ...], axes: str) -> np.ndarray:
    """Check an array of booleans of the given shape.

    Args:
        values: The values.
        name: Name of the values in error messages.
        shape: The expected shape.
        axes: Names of the axes, for error messages.

    Raises:
        TypeError: If the values are not booleans.
        ValueError: If the values have another shape, or do not form one array.
    """
    found = array(values, name)
    if found.dtype != bool:
        raise TypeError(f"{name} holds {found.dtype} values, expected bool")
    if found.shape != shape:
        raise ValueError(f"{name} must have shape {shape} ({axes}), not {found.shape}")
    return found


def integer(value: Any, name: str, least: int = 1, most: float = 2**63 - 1) -> int:
    """Convert an integer from `least` to `most` to int. Arrays and kernels take 64 bits.

    Raises:
        TypeError: If the value is not an integer.
        ValueError: If the value is below `least` or above `most`.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {quoted(value)}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {quoted(value)}")
    if value > most:
        raise ValueError(f"{name} must be at most {most}, not {quoted(value)}")
    return int(value)


def optional_integer(value: Any, name: str) -> int | None:
    """Convert a positive integer to int, or return None. Errors as for `integer`."""
    return None if value is None else integer(value, name)


def number(value: Any, name: str) -> float:
    """Convert a number to float. NaN and infinity are allowed.

    Raises:
        TypeError: If the value is not a number.
        ValueError: If the value is an integer that is too large for a float.
    """
    if isinstance(value, bool | np.bool_ | str):
        raise TypeError(f"{name} must be a number, not {quoted(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number below 1.8e308, not {quoted(value)}") from None
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {quoted(value)}") from None


def optional_number(value: Any, name: str) -> float | None:
    """Convert a number to float, or return None. Errors as for `number`."""
    return None if value is None else number(value, name)


def printable_name(value: Any, what: str) -> str:
    """Check a name that messages and tables show.

    Raises:
        ValueError: If it is not a string, is empty, or has characters that cannot be printed.
    """
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"{what} must be a non-empty string of printable characters, not {quoted(value)}")
    return value


def fits(nbytes: int, what: str) -> None:
    """Check before an allocation that it can succeed: systems grant more memory than they have, and then stop programs.

    Args:
        nbytes: The bytes that are needed.
        what: What needs them, for the error message.

    Raises:
        MemoryError: If this machine has less memory. Where the machine does not tell, nothing is checked.
    """
    memory = _memory()
    if nbytes > memory:
        raise MemoryError(f"{what} would need {amount(nbytes)}, but this machine has {amount(memory)}")


@functools.cache
def _memory() -> float:
    """The bytes of this machine's memory; infinity if they are not known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf.
        return math.inf


def several(values: Any, name: str) -> None:
    """Check that values are a list, a tuple, an array or another sized container.

    Raises:
        TypeError: If the values have no length, or are a string.
    """
    if not hasattr(values, "__len__") or isinstance(values, str):
        raise TypeError(f"{name} must be a list, not {quoted(values)}")


def verbosity(value: Any) -> int:
    """Convert a callback's verbosity, at least 0, to int. True is 1, False is 0.

    Raises:
        TypeError: If the value is not an integer.
        ValueError: If the value is below 0.
    """
    return int(value) if isinstance(value, bool | np.bool_) else integer(value, "verbose", least=0)


def positive(value: Any, name: str) -> float:
    """Convert a finite number above 0 to float.

    Raises:
        TypeError: If the value is not a number.
        ValueError: If the value is not above 0, or not finite.
    """
    if not 0 < number(value, name) < float("inf"):
        raise ValueError(f"{name} must be a positive number, not {quoted(value)}")
    return float(value)


def at_least_zero(value: Any, name: str) -> float:
    """Convert a finite number from 0 to float.

    Raises:
        TypeError: If the value is not a number.
        ValueError: If the value is below 0, or not finite.
    """
    if not 0 <= number(value, name) < float("inf"):
        raise ValueError(f"{name} must be a number from 0 on, not {quoted(value)}")
    return float(value)


def fraction(value: Any, name: str) -> float:
    """Convert a number from 0 to below 1 to float.

    Raises:
        TypeError: If the value is not a number.
        ValueError: If the value is below 0, or not below 1.
    """
    if not 0 <= number(value, name) < 1:
        raise ValueError(f"{name} must be from 0 to below 1, not {quoted(value)}")
    return float(value)


def model_path(path: str | os.PathLike[str]) -> Path:
    """Check the path of a file for a model or its weights.

    Raises:
        ValueError: If the suffix is that of a Keras file (.h5, .hdf5 or .keras), because the format is another one.
    """
    path = Path(path)
    if path.suffix.lower() in (".h5", ".hdf5", ".keras"):
        raise ValueError(
            f"{path} would be no file of Keras': numlstm writes safetensors, so name it "
            f"{path.with_suffix('.safetensors')}"
        )
    return path


def float_dtype(dtype: Any) -> str:
    """The name of a dtype: "float32" or "float64". None is "float32".

    Raises:
        ValueError: If it is another dtype.
    """
    try:
        name = "float32" if dtype is None else np.dtype(dtype).name
    except (TypeError, ValueError):
        name = str(dtype)
    if name not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32' or 'float64', not {quoted(name)}")
    return name


def choose(value: Any, what: str, classes: Mapping[str, type]) -> Any:
    """Make an object from its name, or from the `{"class_name": ..., "config": ...}` of a file.

    Args:
        value: The name or the dict.
        what: The word for the object in error messages.
        classes: The classes by name.

    Raises:
        ValueError: If there is no class of that name.
        TypeError: If the value is a class or a function.
    """
    if isinstance(value, type):
        raise TypeError(f"{what} must be an object or its name, not a class: make one, as by {value.__name__}()")
    if callable(value):
        raise TypeError(
            f"{what} cannot be {quoted(value)}, because functions are not supported: give an object of numlstm or its "
            f"name, such as {min(classes, key=len)!r}"
        )
    if isinstance(value, str) and value in classes:
        return classes[value]()
    if isinstance(value, dict) and value.get("class_name") in classes:
        return classes[value["class_name"]](**value.get("config", {}))
    lower = [name for name in sorted(classes) if name.islower()]
    if isinstance(value, str) and (hint := meant(value, lower, repr)):
        raise ValueError(f"there is no {what} {quoted(value)}{hint}")
    names = ", ".join(map(repr, lower))
    raise ValueError(f"{what} must be one of {names}, not {quoted(value)}")


def arguments_of(cls: type) -> list[str]:
    """The names of the arguments with which a class or one of its bases is made."""
    makers = [vars(base)["__init__"] for base in cls.__mro__[:-1] if "__init__" in vars(base)]
    return sorted({name for maker in makers for name in signature(maker).parameters} - {"self", "others"})


def by_name(files: Iterable[ModuleType], short: Mapping[str, type]) -> dict[str, type]:
    """The classes that some files export, by short names, by class name, and by that with underscores.

    Args:
        files: The files.
        short: Further names of some classes. They are accepted in capitals too.
    """
    classes = [getattr(file, name) for file in files for name in file.__all__]
    names = {name: cls for cls in classes for name in (cls.__name__, snake_case(cls.__name__))}
    return {name: cls for each, cls in short.items() for name in (each, each.upper())} | names


def snake_case(name: str) -> str:
    """Convert a class name to snake case, as Keras does: SimpleRNN to simple_rnn."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
