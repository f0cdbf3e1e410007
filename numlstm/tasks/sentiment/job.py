"""A classifier of texts that `numlstm train` trains: from texts and options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numlstm.kernels import RecurrentUse
from numlstm.messages import listed, plain
from numlstm.tasks.sentiment import page, report, run, train
from numlstm.tasks.sentiment.report import Example
from numlstm.tasks.sentiment.settings import Settings
from numlstm.tasks.sentiment.texts import Texts, generated, read_archive, read_texts
from numlstm.tasks.task import Job

__all__ = ["Sentiment", "begin", "kernels_used", "resume"]


class Sentiment:
    """A training of a classifier of texts. `numlstm.tasks.task.Job` documents the methods.

    Args:
        texts: texts with labels.
        settings: the settings.
    """

    files = run.FILES

    def __init__(self, texts: Texts, settings: Settings) -> None:
        self.texts, self.settings, self.name = texts, settings, texts.name

    def introduction(self) -> str:
        """The numbers of texts and words; ValueError if there are too few texts."""
        split = train.Split.of(self.texts, self.settings)
        notes = [f"Note: {plain(note)}" for note in self.texts.notes]
        sizes = (
            f"{self.name}: {len(self.texts.texts):,} texts, labels {listed(split.labels)},"
            f" {len(split.vocabulary.words):,} words; training {self.settings.ensemble} models on"
            f" {len(split.training):,}, validating on {len(split.validation):,}, held out {len(split.test):,}"
        )
        return "\n".join([*notes, sizes])

    def prepare(self, folder: Path) -> None:
        """Write the texts and the settings to an existing folder."""
        run.prepare(folder, self.texts, self.settings)

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.sentiment.train.train`."""
        training = train.train(self.texts, self.settings, verbose, train.Checkpoint(checkpoint, every), fitted)
        self._training, stop = training, training.stop
        self.signal, self.failure = (None, None) if stop is None else (stop.signal, stop.failure)
        self.resumable = stop is not None and stop.interrupted
        self.unmeasured: str | None = None

    def save(self, folder: Path) -> None:
        """Write all files except picture and report to an existing folder."""
        run.save(folder, self._training)

    def draw(self, path: Path) -> None:
        """Plot the confusion of the held-out part, and the words that decided."""
        report.draw(path, self.name, self._training.metrics, self._examples())

    def report(self, folder: Path) -> str:
        """Tell all of the run as a page of HTML."""
        return page.page(self.name, self._training.metrics, self._examples(), self.texts.notes)

    def sentence(self) -> str:
        """Compare the model with its rivals on the held-out part."""
        return report.sentence(self._training.metrics)

    def _examples(self) -> list[Example]:
        return run.examples_of(self.texts, self._training.split, self._training.classifier)


def begin(data: Path | None, given: Mapping[str, Any]) -> Job:
    """Load the texts and make the settings.

    Args:
        data: a table, or the archive of a data set; None: generated sentences.
        given: the values of the options that were given, by name.

    Raises:
        OSError, ValueError: the texts cannot be read, or an option does not fit.
    """
    settings = dict(given)
    dataset, text, label, encoding = (settings.pop(name, None) for name in ("dataset", "text", "label", "encoding"))
    named = [f"--{name}" for name in ("text", "label", "encoding", "threshold") if name in given]
    if named and (data is None or dataset is not None):
        raise ValueError(
            f"{', '.join(named)} tells how a table is read: give a table without --dataset, or leave it out"
        )
    chosen = Settings(**settings)
    if dataset not in (None, "generated"):
        texts = read_archive(dataset, data)
    elif data is None:
        texts = generated()
    elif dataset is not None:
        raise ValueError(f"give either a table or --dataset {dataset}, not both {data} and {dataset}")
    else:
        texts = read_texts(data, (text, label), encoding or "utf-8", threshold=chosen.threshold)
    return Sentiment(texts, chosen)


def resume(folder: Path) -> Job:
    """Make the training again whose `prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    return Sentiment(*run.resume(folder))


def kernels_used() -> list[str | RecurrentUse]:
    """The contract's functions that a training without options calls."""
    return train.kernels_used(Settings())
