"""Read sequences from arrays in a .npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from numlstm.messages import listed
from numlstm.tasks.classify.sequences import Sequences, joined, read_arrays

__all__ = ["read_npz"]

_NAMES = ("x", "y", "lengths", "x_test", "y_test", "lengths_test")


def read_npz(path: Path, labelled: bool = True) -> Sequences:
    """Read x, [N, T, F] or [N, T]; y, [N] classes; lengths, [N], if sequences are shorter than T.

    Without lengths, steps at the end of a sequence that hold nothing but NaN are beyond its end. x_test, y_test and
    lengths_test are held out, if there are any.

    Raises:
        OSError, MemoryError: as for `read_arrays`.
        ValueError: the file or one of its arrays is not as it should be.
    """
    found = read_arrays(path, _NAMES)
    if "x" not in found:
        raise ValueError(f"{path} has no array x, but {listed(found)}: expected x, y, and lengths or x_test, y_test")
    training = _sequences(path, found, "", labelled or "x_test" in found)
    return joined(training, _sequences(path, found, "_test", True)) if "x_test" in found else training


def _sequences(path: Path, found: dict[str, np.ndarray], part: str, labelled: bool) -> Sequences:
    x, y, lengths = (found.get(f"{name}{part}") for name in ("x", "y", "lengths"))
    assert x is not None
    if x.ndim not in (2, 3) or x.dtype.kind not in "biuf" or not x.size:
        raise ValueError(f"{path}: x{part} must hold numbers of shape (N, T, F) or (N, T), not {x.dtype} {x.shape}")
    if y is None and labelled:
        raise ValueError(f"{path} has no array y{part} with a class for each sequence")
    values = x.reshape(*x.shape[:2], -1).astype(np.float64)
    for name, array in (("y", y), ("lengths", lengths)):
        if array is not None and array.shape != (len(x),):
            raise ValueError(f"{path}: {name}{part} must have the shape ({len(x)},), not {array.shape}")
    if y is not None and y.dtype.kind not in "biuUfS":
        raise ValueError(f"{path}: y{part} must hold text or numbers, not {y.dtype}")
    if lengths is None:
        lengths = x.shape[1] - np.argmax(~np.isnan(values[:, ::-1]).all(axis=2), axis=1)
        lengths[np.isnan(values).all(axis=(1, 2))] = 0
    elif lengths.dtype.kind not in "iu" or lengths.min() < 1 or lengths.max() > x.shape[1]:
        raise ValueError(f"{path}: lengths{part} must be whole numbers from 1 to {x.shape[1]}")
    columns = ("value",) if values.shape[2] == 1 else tuple(f"column {n + 1}" for n in range(values.shape[2]))
    return Sequences(
        path.stem,
        columns,
        tuple(str(number + 1) for number in range(len(x))),
        tuple(each[:length] for each, length in zip(values, lengths, strict=True)),
        None,
        None if y is None else _texts(y),
    )


def _texts(y: np.ndarray) -> np.ndarray:
    """Classes as text; whole numbers without a point."""
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8", "replace")
    whole = y.dtype.kind == "f" and np.isfinite(y).all() and (y % 1 == 0).all()
    return (y.astype(np.int64) if whole else y).astype(np.str_)
