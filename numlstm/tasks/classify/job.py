"""A classifier that `numlstm train classify` trains: from the command line's data and options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from numlstm.data.read_options import AS_SEEN
from numlstm.kernels import RecurrentUse
from numlstm.messages import plain
from numlstm.tasks.classify import report, run, train
from numlstm.tasks.classify.anomaly_job import begin_anomalies, resume_anomalies
from numlstm.tasks.classify.anomaly_run import KIND
from numlstm.tasks.classify.data import DATASETS, dataset, read
from numlstm.tasks.classify.inputs import refuse_gaps
from numlstm.tasks.classify.sequences import Sequences
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.classify.split import Split, hold_out
from numlstm.tasks.classify.table import WIDE, Columns
from numlstm.tasks.fitting import Checkpoint
from numlstm.tasks.folder import read_config
from numlstm.tasks.task import Job

__all__ = ["Classification", "begin", "kernels_used", "resume"]

_FRAMES = 40
"""Frames of the sequences of the default data."""


class Classification:
    """A training of a classifier. `numlstm.tasks.task.Job` documents the methods.

    Args:
        sequences: with classes and a held-out part.
        columns: how a table was read.
        settings: the settings.

    Raises:
        ValueError: the sequences do not fit, or values are missing that the settings refuse.
    """

    files = run.FILES

    def __init__(self, sequences: Sequences, columns: Columns, settings: Settings) -> None:
        self.sequences, self.columns, self.settings, self.name = sequences, columns, settings, sequences.name
        self._split = Split(sequences)
        refuse_gaps(sequences, settings.missing)

    def introduction(self) -> str:
        """The notes on the data, and the sizes of their parts."""
        sequences, split = self.sequences, self._split
        least, most = sequences.lengths.min(), sequences.lengths.max()
        steps = f"{least} steps" if least == most else f"{least} to {most} steps"
        F = len(sequences.columns)
        sizes = (
            f"{plain(self.name)}: {len(sequences)} sequences of {steps} and {F} column{'s' * (F > 1)},"
            f" {len(split.classes)} classes; training on {len(split.training)}, held out {len(split.test)}"
        )
        return "\n".join([*(f"Note: {plain(note)}" for note in sequences.notes), sizes])

    def prepare(self, folder: Path) -> None:
        """Write the data and the settings to an existing folder."""
        run.prepare(folder, self.sequences, self.columns, self.settings)

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.classify.train.train`."""
        training = train.train(self.sequences, self.settings, verbose, Checkpoint(checkpoint, every), fitted)
        self._training = training
        stop = training.stop
        self.signal, self.failure = (None, None) if stop is None else (stop.signal, stop.failure)
        self.resumable, self.unmeasured = training.metrics["interrupted"], training.unmeasured

    def save(self, folder: Path) -> None:
        """Write all files except the picture to an existing folder."""
        run.save(folder, self.sequences, self.columns, self.settings, self._training)

    def draw(self, path: Path) -> None:
        """Draw the report on the held-out part."""
        report.draw(path, self._training.classifier, self._split.test, self._training.metrics)

    def report(self, folder: Path) -> str:
        """Tell all of the run as a page of HTML."""
        return run.page_of(self._training.classifier, self._split, self.settings, self._training.metrics)

    def sentence(self) -> str:
        """Compare the classifier with its rivals on the held-out part."""
        return f"held out: {report.sentence(self._training.metrics)}"


def begin(data: Path | None, given: Mapping[str, Any]) -> Job:
    """Load the data and make the settings.

    Args:
        data: a file or a folder; None: a data set by its name.
        given: the values of the options that were given, by name.

    Raises:
        OSError, ValueError: the data cannot be read, or an option does not fit.
    """
    chosen = dict(given)
    name = chosen.pop("dataset", None)
    if data is not None and name is not None:
        raise ValueError(f"give either a file or --dataset, not both {data} and {name}")
    if name == "ecg":
        return begin_anomalies(chosen)
    features = tuple(each.strip() for text in chosen.pop("features", ()) for each in text.split(","))
    reading = AS_SEEN.changed(chosen)
    named = {field.name: chosen.pop(field.name) for field in fields(Columns) if field.name in chosen}
    columns = Columns(**named, features=features, reading=reading)
    if data is None and columns != Columns():
        raise ValueError("the options of columns and of reading need a table: give one, or leave them out")
    sequences = dataset(name or DATASETS[0]) if data is None else read(data, columns)
    if name == "visits":
        chosen.setdefault("missing", "indicate")
    settings = Settings(**chosen)
    sequences = hold_out(sequences, settings.test_fraction, settings.seed)
    if columns.id is not None:  # Other data are read in the same way, whatever they look like.
        long = sequences.columns != WIDE
        columns = replace(columns, long=long, features=sequences.columns if long else columns.features)
    return Classification(sequences, columns, settings)


def resume(folder: Path) -> Job:
    """Make the training again whose `prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    if read_config(folder).get("kind") == KIND:
        return resume_anomalies(folder)
    return Classification(*run.resume(folder))


def kernels_used() -> list[str | RecurrentUse]:
    """The contract's functions that a training without options calls."""
    return train.kernels_used(Settings(), _FRAMES)
