"""The data of a classifier: from a file, from an installed package, or generated."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from numlstm.messages import quoted
from numlstm.tasks.classify.arrays import read_npz
from numlstm.tasks.classify.generated import shapes, visits
from numlstm.tasks.classify.sequences import Sequences
from numlstm.tasks.classify.table import Columns, read_sequences_of_table
from numlstm.tasks.classify.ts import find_pair, read_pair, read_ts

__all__ = ["DATASETS", "dataset", "read"]

_OF_AEON = ("JapaneseVowels", "ItalyPowerDemand", "GunPoint", "BasicMotions")
"""Sets of the UCR and UEA archives that are files of the package aeon."""
_GENERATED: dict[str, Callable[[], Sequences]] = {"shapes": shapes, "visits": visits}
DATASETS = (*_GENERATED, *(name.lower() for name in _OF_AEON))
"""The names of the data sets with classes, the default first."""


def dataset(name: str) -> Sequences:
    """One of `DATASETS`.

    Raises:
        ValueError: the package with its files is not installed.
        OSError: a file cannot be read.
    """
    if name in _GENERATED:
        return _GENERATED[name]()
    folder = next(each for each in _OF_AEON if each.lower() == name)
    found = importlib.util.find_spec("aeon")  # Finds the package and runs none of it.
    for place in () if found is None else found.submodule_search_locations or ():
        training = Path(place) / "datasets" / "data" / folder / f"{folder}_TRAIN.ts"
        pair = find_pair(training) if training.is_file() else None
        if pair is not None:
            return read_pair(*pair)
    raise ValueError(
        f"--dataset {name} is read from the package aeon, which is not installed:"
        " `pip install --no-deps aeon==1.6.0` brings it"
    )


def read(path: Path, columns: Columns, labelled: bool = True) -> Sequences:
    """Read sequences: .ts and .npz files, otherwise a table. A folder or a first file of two stands for both.

    Args:
        path: the file or the folder.
        columns: how a table is read.
        labelled: whether classes are needed, as for a training. Otherwise the second of two files is read alone.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not what its name says, or misses what is needed.
        MemoryError: it is larger than the memory.
        ImportError: it is a Parquet file, and pyarrow is not installed.
    """
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".ts":
        pair = find_pair(path)
        if pair is not None and (labelled or path.is_dir()):
            return read_pair(*pair) if labelled else read_ts(pair[1])
        found = read_ts(path)
    elif suffix == ".npz":
        found = read_npz(path, labelled)
    else:
        return read_sequences_of_table(path, columns, labelled)
    if labelled and found.labels is None:
        raise ValueError(f"{path} has no classes to learn: @classLabel is not true")
    if labelled and columns != Columns():
        raise ValueError(f"{quoted(path.name)} is no table: leave out the options of columns and of reading")
    return found
