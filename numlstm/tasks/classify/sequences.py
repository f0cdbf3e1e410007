"""Sequences with classes, and the file that keeps them in a run folder."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import checks, files
from numlstm.messages import listed, quoted
from numlstm.reading import opened

__all__ = ["Sequences", "joined", "read_arrays", "read_sequences", "write_sequences"]

_KEPT = ("values", "lengths", "times", "ids", "labels", "held_out")


@dataclass(frozen=True)
class Sequences:
    """N sequences of one data set.

    name: the name of the data
    columns: the names of the F columns of values
    ids: N names of the sequences
    values: N arrays [T, F] float64, T of each its own; NaN where a value is missing
    times: N arrays [T], when the steps are, in units of the data, days for dates; None: the steps are counted
    labels: [N] the classes, as text; None: they are not known
    held_out: [N] bool, the sequences that the data themselves hold out; None: the data leave that open
    notes: sentences on what a user should know

    Raises:
        ValueError: there are no sequences, one has no steps, or a value is infinite.
    """

    name: str
    columns: tuple[str, ...]
    ids: tuple[str, ...]
    values: tuple[np.ndarray, ...]
    times: tuple[np.ndarray, ...] | None = None
    labels: np.ndarray | None = None
    held_out: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.name} holds no sequences")
        for name, values in zip(self.ids, self.values, strict=True):
            if not len(values):
                raise ValueError(f"{self.name}: the sequence {quoted(name)} has no steps")
            if np.isinf(values).any():
                raise ValueError(f"{self.name}: the sequence {quoted(name)} holds an infinite value")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def lengths(self) -> np.ndarray:
        """[N] the number of steps of each sequence."""
        return np.array([len(each) for each in self.values])

    @property
    def missing(self) -> str | None:
        """The id of the first sequence with a missing value; None if there is none."""
        gaps = (name for name, each in zip(self.ids, self.values, strict=True) if np.isnan(each).any())
        return next(gaps, None)

    def part(self, rows: np.ndarray) -> Sequences:
        """Some of the sequences: those at the indices `rows`, in their order."""
        return Sequences(
            self.name,
            self.columns,
            tuple(self.ids[row] for row in rows),
            tuple(self.values[row] for row in rows),
            None if self.times is None else tuple(self.times[row] for row in rows),
            None if self.labels is None else self.labels[rows],
            None if self.held_out is None else self.held_out[rows],
            self.notes,
        )


def joined(training: Sequences, test: Sequences) -> Sequences:
    """One data set of two, whose second part is held out.

    Raises:
        ValueError: they have other columns, or only one of them has times.
    """
    if training.columns != test.columns:
        raise ValueError(
            f"the training part of {training.name} has the columns {listed(training.columns)}, its test part"
            f" {listed(test.columns)}"
        )
    if training.labels is None or test.labels is None:
        raise ValueError(f"both parts of {training.name} need a class for each sequence")
    return Sequences(
        training.name,
        training.columns,
        (*(f"train-{name}" for name in training.ids), *(f"test-{name}" for name in test.ids)),
        training.values + test.values,
        None if training.times is None or test.times is None else training.times + test.times,
        np.concatenate([training.labels, test.labels]),
        np.arange(len(training) + len(test)) >= len(training),
        training.notes,
    )


def write_sequences(path: Path, sequences: Sequences) -> None:
    """Write sequences with classes and a held-out part to a .npz file."""
    kept: dict[str, Any] = {
        "values": np.concatenate(sequences.values),
        "lengths": sequences.lengths,
        "ids": np.array(sequences.ids),
        "labels": sequences.labels,
        "held_out": sequences.held_out,
    }
    if sequences.times is not None:
        kept["times"] = np.concatenate(sequences.times)
    content = io.BytesIO()
    np.savez_compressed(content, **kept)
    files.write(path, content.getvalue())


def read_sequences(path: Path, name: str, columns: tuple[str, ...]) -> Sequences:
    """Read the file of `write_sequences`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    kept = read_arrays(path, _KEPT)
    try:
        values, lengths, held_out, labels = (kept[key] for key in ("values", "lengths", "held_out", "labels"))
        ids = kept["ids"]
        if values.dtype != np.float64 or values.ndim != 2 or values.shape[1] != len(columns):
            raise ValueError(f"its values are not float64 of {len(columns)} columns")
        if lengths.dtype.kind != "i" or lengths.ndim != 1 or lengths.min(initial=1) < 1 or lengths.sum() != len(values):
            raise ValueError("its lengths are not those of its values")
        for key, array, kind in (("held_out", held_out, "b"), ("labels", labels, "U"), ("ids", ids, "U")):
            if array.dtype.kind != kind or array.shape != lengths.shape:
                raise ValueError(f"its {key} are not one for each sequence")
        times, ends = kept.get("times"), np.cumsum(lengths)[:-1]
        if times is not None and (times.dtype != np.float64 or times.shape != values.shape[:1]):
            raise ValueError("its times are not one for each step")
        return Sequences(
            name, columns, tuple(ids.tolist()), tuple(np.split(values, ends)),
            None if times is None else tuple(np.split(times, ends)), labels, held_out,
        )  # fmt: skip
    except (KeyError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is damaged: {reason}") from error


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read the arrays of these names that a .npz file has. Nothing is unpickled.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no .npz file, is damaged, or holds Python objects.
        MemoryError: it would be larger than the memory.
    """
    with opened(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                checks.fits(2 * sum(entry.file_size for entry in archive.infolist()), f"reading {path}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as found:
                return {name: found[name] for name in names if name in found}
        except ValueError as error:
            if "allow_pickle" in str(error):
                raise ValueError(f"{path} holds Python objects, which are not read: save arrays of numbers") from error
            raise ValueError(f"{path} is damaged: {error}") from error
        except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"{path} is damaged, or no .npz file: {error}") from error
