"""Read .ts files, the format of the UCR and UEA archives (timeseriesclassification.com).

A header of lines such as "@dimensions 12" ends with "@data". Then each line is a sequence: its dimensions with ":"
between them, each a list of numbers with "," between them, and last its class. "?" is a missing value.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from numlstm import checks
from numlstm.messages import listed, quoted
from numlstm.reading import opened
from numlstm.tasks.classify.sequences import Sequences, joined

__all__ = ["find_pair", "read_pair", "read_ts"]

_GROWTH = 4
"""Bytes of memory for each byte of the file, at most: its text and its numbers."""


def find_pair(path: Path) -> tuple[Path, Path] | None:
    """The files NAME_TRAIN.ts and NAME_TEST.ts that a path means: their folder, or the first of them.

    Returns:
        None if the path is another file.

    Raises:
        ValueError: the folder holds no pair, or several of which none has its name.
    """
    if path.is_dir():
        pairs = [found for each in sorted(path.glob("*_TRAIN.ts")) if (found := find_pair(each))]
        named = [pair for pair in pairs if pair[0].name == f"{path.resolve().name}_TRAIN.ts"]
        if len(named or pairs) != 1:
            what = f"the pairs {listed(pair[0].name for pair in pairs)}" if pairs else "no pair"
            raise ValueError(f"{path} holds {what}: expected NAME_TRAIN.ts and NAME_TEST.ts; give the first of them")
        return (named or pairs)[0]
    test = path.with_name(path.name.replace("_TRAIN.ts", "_TEST.ts"))
    return (path, test) if test != path and test.is_file() else None


def read_pair(training: Path, test: Path) -> Sequences:
    """Read two files, of which the second is held out. Errors as for `read_ts` and `joined`."""
    return joined(read_ts(training), read_ts(test))


def read_ts(path: Path) -> Sequences:
    """Read one file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no .ts file of sequences with or without classes.
        MemoryError: it is larger than the memory.
    """
    with opened(path) as file:
        checks.fits(_GROWTH * path.stat().st_size, f"reading {path}")
        content = file.read()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: a .ts file is") from error
    start = next((n for n, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise ValueError(f"{path} is no .ts file: it has no line @data")
    has_classes = _has_classes(path, lines[:start])
    values, labels = [], []
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if line.strip() and not line.startswith(("#", "%")):
            fields = line.strip().split(":")
            if has_classes:
                labels.append(fields.pop().strip())
            values.append(_steps(f"{path}, line {number}", fields))
            if values[-1].shape[1] != values[0].shape[1]:
                raise ValueError(
                    f"{path}, line {number} has {values[-1].shape[1]} dimensions, but the first has"
                    f" {values[0].shape[1]}"
                )
    if not values:
        raise ValueError(f"{path} holds no sequences after @data")
    columns = tuple(f"dimension {number + 1}" for number in range(values[0].shape[1]))
    ids = tuple(str(number + 1) for number in range(len(values)))
    name = path.stem.removesuffix("_TRAIN").removesuffix("_TEST")
    return Sequences(name, columns, ids, tuple(values), None, np.array(labels) if has_classes else None)


def _has_classes(path: Path, header: list[str]) -> bool:
    """Whether the sequences have classes; ValueError if they are what this task does not take."""
    said = {}
    for line in header:
        key, _, value = line.strip().partition(" ")
        said[key.lower()] = value.strip().lower()
    if said.get("@timestamps", "false") == "true":
        raise ValueError(f"{path} has timestamps, which are not read: give a table with --time")
    if said.get("@targetlabel", "false").startswith("true"):
        raise ValueError(f"{path} has numbers as targets, not classes")
    return said.get("@classlabel", "false").startswith("true")


def _steps(where: str, fields: list[str]) -> np.ndarray:
    """[T, F] of the texts of the dimensions. The missing end of a shorter dimension is NaN."""
    try:
        found = [np.array(field.replace("?", "nan").split(","), dtype=np.float64) for field in fields]
    except ValueError as error:
        raise ValueError(f"{where} holds what is no number: {quoted(str(error))}") from error
    if not found:
        raise ValueError(f"{where} has no dimensions")
    steps = np.full((max(map(len, found)), len(found)), np.nan)
    for column, values in enumerate(found):
        steps[: len(values), column] = values
    return steps
