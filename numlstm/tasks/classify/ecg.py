"""An electrocardiogram with a labelled stretch, from the files of the package sktime.

The excerpt is of the MIT-BIH Arrhythmia Database (Moody & Mark 2001), 7500 samples at 360 Hz. One stretch of 352
samples, around one premature beat, is labelled; no beat has a label of its own.
"""

from __future__ import annotations

import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numlstm import files
from numlstm.data.read_options import AS_SEEN
from numlstm.data.table import read_table
from numlstm.tasks.classify.sequences import read_arrays

__all__ = ["FEWEST", "RATE", "Signal", "ecg", "read_signal", "write_signal"]

RATE = 120
"""Steps in a second. A step is the mean of three samples."""
FEWEST = 30
"""Held-out beats that a class needs for a figure of its own."""
_SAMPLES = 3
_TEST = 0.4
_APART = 0.25
"""Seconds between two beats, at least."""


@dataclass(frozen=True)
class Signal:
    """A signal with marks.

    name: the name of the data
    values: [T] float64, in mV
    marked: [T] bool, the steps that are labelled as abnormal
    """

    name: str
    values: np.ndarray
    marked: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def test(self) -> int:
        """The first held-out step: the last two fifths of the signal are held out."""
        return round((1 - _TEST) * len(self))

    def beats(self) -> np.ndarray:
        """The steps of the R waves: the largest values around, above half of the largest of all."""
        above = self.values - np.median(self.values)
        apart = round(_APART * RATE)
        high = np.flatnonzero(above > 0.5 * np.quantile(above, 0.995))
        return np.array([at for at in high if above[at] >= above[max(0, at - apart) : at + apart + 1].max()], np.int64)


def ecg() -> Signal:
    """Read the signal from the package.

    Raises:
        ValueError: the package is not installed, or its file is another one.
        OSError: the file cannot be read.
    """
    found = importlib.util.find_spec("sktime")  # Finds the package and runs none of it.
    places = [] if found is None else found.submodule_search_locations or []
    paths = [Path(place) / "datasets" / "data" / "mitdb" / "mitdb.csv" for place in places]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ValueError(
            "--dataset ecg is read from the package sktime, which is not installed:"
            " `pip install --no-deps sktime==1.2.0` brings it"
        )
    frame, _ = read_table(path, AS_SEEN)
    if list(frame.columns) != ["data", "label"] or len(frame) < 100 * _SAMPLES:
        raise ValueError(f"{path} is not the excerpt that sktime 1.2.0 has")
    count = len(frame) // _SAMPLES
    table = frame.to_numpy(np.float64)[: count * _SAMPLES].reshape(count, _SAMPLES, 2)
    return Signal("ecg", table[:, :, 0].mean(axis=1), table[:, :, 1].any(axis=1))


def write_signal(path: Path, signal: Signal) -> None:
    """Write a signal to a .npz file."""
    content = io.BytesIO()
    np.savez_compressed(content, signal=signal.values, marked=signal.marked)
    files.write(path, content.getvalue())


def read_signal(path: Path, name: str) -> Signal:
    """Read the file of `write_signal`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    kept = read_arrays(path, ("signal", "marked"))
    values, marked = kept.get("signal"), kept.get("marked")
    if values is None or marked is None or values.dtype != np.float64 or marked.dtype != bool or values.ndim != 1:
        raise ValueError(f"{path} is damaged: it holds no signal with marks")
    if marked.shape != values.shape or not np.isfinite(values).all():
        raise ValueError(f"{path} is damaged: its signal has values that are no numbers, or marks of another one")
    return Signal(name, values, marked)
