"""A transcriber that `numlstm train` trains: from recordings and options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numlstm.kernels import RecurrentUse
from numlstm.messages import plain
from numlstm.tasks.task import Job
from numlstm.tasks.transcribe import network, page, report, run, train
from numlstm.tasks.transcribe.morse import morse
from numlstm.tasks.transcribe.recordings import Recordings, read_recordings
from numlstm.tasks.transcribe.report import Example
from numlstm.tasks.transcribe.settings import Settings
from numlstm.tasks.transcribe.spoken import digits

__all__ = ["Transcribe", "begin", "kernels_used", "resume"]


_USUAL: dict[str, dict[str, Any]] = {
    "digits": {
        "count": 7200, "stack": 3, "units": 96, "layers": 2, "dropout": 0.2, "masks": 2, "warp": 0.3, "stretch": 0.3,
        "gains": 4, "batch_size": 16, "learning_rate": 0.003, "schedule": "cosine", "epochs": 40, "patience": 0,
    },
}  # fmt: skip
"""The defaults of data sets where they differ from those of `Settings`."""


class Transcribe:
    """A training of a transcriber. `numlstm.tasks.task.Job` documents the methods.

    Args:
        recordings: recordings with texts.
        settings: the settings.
    """

    files = run.FILES

    def __init__(self, recordings: Recordings, settings: Settings) -> None:
        self.recordings, self.settings, self.name = recordings, settings, recordings.name

    def introduction(self) -> str:
        """The numbers of recordings and characters; ValueError if there are too few recordings."""
        split, recordings = train.Split.of(self.recordings, self.settings), self.recordings
        notes = [f"Note: {plain(note)}" for note in recordings.notes]
        minutes = sum(map(len, recordings.frames)) / 6000
        voices = "" if recordings.voices is None else f" of {len(set(recordings.voices))} voices"
        sizes = (
            f"{self.name}: {len(recordings.files):,} recordings{voices}, {minutes:.1f} minutes,"
            f" {len(split.characters)} characters; training on {len(split.training):,}, validating on"
            f" {len(split.validation):,}, held out {len(split.test):,}"
        )
        return "\n".join([*notes, sizes])

    def prepare(self, folder: Path) -> None:
        """Write the recordings and the settings to an existing folder."""
        run.prepare(folder, self.recordings, self.settings)

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.transcribe.train.train`."""
        training = train.train(self.recordings, self.settings, verbose, train.Checkpoint(checkpoint, every), fitted)
        self._training, stop = training, training.stop
        self.signal, self.failure = (None, None) if stop is None else (stop.signal, stop.failure)
        self.resumable = stop is not None and stop.interrupted
        self.unmeasured: str | None = None

    def save(self, folder: Path) -> None:
        """Write all files except picture and report to an existing folder."""
        run.save(folder, self._training)

    def draw(self, path: Path) -> None:
        """Plot some held-out recordings with the text where the model wrote it."""
        report.draw(path, self.name, self._training.metrics, self._examples())

    def report(self, folder: Path) -> str:
        """Tell all of the run as a page of HTML."""
        return page.page(self.name, self._training.metrics, self._examples(), self.recordings.notes)

    def sentence(self) -> str:
        """Compare the model with its rivals on the held-out part."""
        return report.sentence(self._training.metrics)

    def _examples(self) -> list[Example]:
        return report.examples_of(self.recordings.part(self._training.split.test), self._training.transcriber)


def begin(data: Path | None, given: Mapping[str, Any]) -> Job:
    """Load the recordings and make the settings.

    Args:
        data: a folder of WAV files with a table of their texts; None: generated Morse code.
        given: the values of the options that were given, by name.

    Raises:
        OSError, ValueError: the recordings cannot be read, or an option does not fit.
    """
    chosen = dict(given)
    dataset = chosen.pop("dataset", None)
    settings = Settings(**(_USUAL.get(dataset, {}) | chosen))
    if data is not None:
        for name in ("dataset", "count"):
            if name in given:
                raise ValueError(f"give either a folder or --{name}, not both {data} and {given[name]}")
        return Transcribe(read_recordings(data, with_texts=True), settings)
    generate = digits if dataset == "digits" else morse
    return Transcribe(generate(settings.count, settings.seed), settings)


def resume(folder: Path) -> Job:
    """Make the training again whose `prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    return Transcribe(*run.resume(folder))


def kernels_used() -> list[str | RecurrentUse]:
    """The contract's functions that a training without options calls."""
    return network.kernels_used(Settings())
