"""Checks of what users hand in, made before any kernel runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "array",
    "at_least_zero",
    "boolean",
    "booleans",
    "choose",
    "float_dtype",
    "fraction",
    "integer",
    "model_path",
    "number",
    "numbers",
    "optional_integer",
    "optional_number",
    "positive",
    "several",
    "verbosity",
]


_DTYPES = {name: np.dtype(name) for name in ("float32", "float64")}


def array(values: Any, name: str) -> np.ndarray:
    """Values as an array of whatever dtype.

    Raises:
        ValueError: If they are lists or arrays that do not make one array.
    """
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(
            f"{name} holds lists or arrays of several shapes, expected one array: "
            "numlstm.utils.pad_sequences makes one of sequences of several lengths"
        ) from None


def numbers(values: Any, name: str, dtype: str) -> np.ndarray:
    """Values as an array of the given dtype, copied only where they are none yet.

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If they are lists or arrays that do not make one array.
    """
    if isinstance(values, np.ndarray) and values.dtype is _DTYPES.get(dtype):
        return values
    found = array(values, name)
    if found.dtype.kind not in "fiub":
        raise TypeError(f"{name} holds {found.dtype} values, expected real numbers")
    with np.errstate(over="ignore"):
        return found.astype(dtype, copy=False)


def boolean(value: Any, name: str) -> bool:
    """The value, if it is True or False.

    Raises:
        TypeError: If it is not.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def booleans(values: Any, name: str, shape: tuple[int, ...], axes: str) -> np.ndarray:
    """Values as an array of booleans of the given shape.

    Args:
        values: What is to be checked.
        name: What they are called, for the message.
        shape: The shape that they must have.
        axes: What its axes are.

    Raises:
        TypeError: If they are not booleans.
        ValueError: If they have another shape, or do not make one array.
    """
    found = array(values, name)
    if found.dtype != bool:
        raise TypeError(f"{name} holds {found.dtype} values, expected bool")
    if found.shape != shape:
        raise ValueError(f"{name} must have shape {shape} ({axes}), not {found.shape}")
    return found


def integer(value: Any, name: str, least: int = 1) -> int:
    """The value as an int.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is below `least`.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return int(value)


def optional_integer(value: Any, name: str) -> int | None:
    """The value as a positive int, or None. Errors as for `integer`."""
    return None if value is None else integer(value, name)


def number(value: Any, name: str) -> float:
    """The value as a float, NaN and infinity among them.

    Raises:
        TypeError: If it is no number.
    """
    if isinstance(value, bool | np.bool_ | str):
        raise TypeError(f"{name} must be a number, not {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {value!r}") from None


def optional_number(value: Any, name: str) -> float | None:
    """The value as a float, or None. Errors as for `number`."""
    return None if value is None else number(value, name)


def several(values: Any, name: str) -> None:
    """See that values are a list, a tuple, an array or the like.

    Raises:
        TypeError: If they are not.
    """
    if not hasattr(values, "__len__") or isinstance(values, str):
        raise TypeError(f"{name} must be a list, not {values!r}")


def verbosity(value: Any) -> int:
    """How much a callback says, from 0 on, as an int; True and False count as 1 and 0.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is below 0.
    """
    return int(value) if isinstance(value, bool | np.bool_) else integer(value, "verbose", least=0)


def positive(value: Any, name: str) -> float:
    """The value as a float.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not above 0, or not finite.
    """
    if not 0 < number(value, name) < float("inf"):
        raise ValueError(f"{name} must be a positive number, not {value}")
    return float(value)


def at_least_zero(value: Any, name: str) -> float:
    """The value as a float.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is below 0, or not finite.
    """
    if not 0 <= number(value, name) < float("inf"):
        raise ValueError(f"{name} must be a number from 0 on, not {value}")
    return float(value)


def fraction(value: Any, name: str) -> float:
    """The value as a float.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is below 0, or not below 1.
    """
    if not 0 <= number(value, name) < 1:
        raise ValueError(f"{name} must be from 0 to below 1, not {value}")
    return float(value)


def model_path(path: str | os.PathLike[str]) -> Path:
    """The path of a file that a model, or its weights, are to be written to.

    Raises:
        ValueError: If its name says that it is one of Keras' own: whoever opened it would be misled.
    """
    path = Path(path)
    if path.suffix.lower() in (".h5", ".hdf5", ".keras"):
        raise ValueError(
            f"{path} would be no file of Keras': numlstm writes safetensors, so name it "
            f"{path.with_suffix('.safetensors')}"
        )
    return path


def float_dtype(dtype: Any) -> str:
    """The dtype's name: "float32", which None stands for, or "float64".

    Raises:
        ValueError: If it is another.
    """
    try:
        name = "float32" if dtype is None else np.dtype(dtype).name
    except (TypeError, ValueError):
        name = str(dtype)
    if name not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32' or 'float64', not {name!r}")
    return name


def choose(value: Any, kind: str, classes: Mapping[str, type]) -> Any:
    """An object by its name, or by the `{"class_name": ..., "config": ...}` that files keep.

    Args:
        value: The name, or the dict.
        kind: What it is, for the message.
        classes: Name to class.

    Raises:
        ValueError: If there is no such name.
    """
    if isinstance(value, str) and value in classes:
        return classes[value]()
    if isinstance(value, dict) and value.get("class_name") in classes:
        return classes[value["class_name"]](**value.get("config", {}))
    names = ", ".join(repr(name) for name in sorted(classes) if name.islower())
    raise ValueError(f"{kind} must be one of {names}, not {value!r}")
