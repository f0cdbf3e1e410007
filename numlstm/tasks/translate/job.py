"""A translator that `numlstm train` trains: from pairs of texts and options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numlstm.kernels import RecurrentUse
from numlstm.messages import plain
from numlstm.tasks.task import Job
from numlstm.tasks.translate import network, page, report, run, train
from numlstm.tasks.translate.measure import require_sacrebleu
from numlstm.tasks.translate.pairs import Pairs, read_dataset, read_pairs
from numlstm.tasks.translate.settings import Settings

__all__ = ["Translation", "begin", "kernels_used", "resume"]

_USUAL: dict[str, dict[str, Any]] = {
    "cmudict": {
        "target_level": "word", "units": 128, "batch_size": 128, "learning_rate": 0.002, "dropout": 0.3, "epochs": 20,
        "patience": 0,
    },
    "german-english": {"units": 128, "batch_size": 128, "dropout": 0.1, "epochs": 10, "bleu": True},
}  # fmt: skip
"""The defaults of data sets where they differ from those of `Settings`."""


class Translation:
    """A training of a translator. `numlstm.tasks.task.Job` documents the methods.

    Args:
        pairs: pairs of texts.
        settings: the settings.
    """

    files = run.FILES

    def __init__(self, pairs: Pairs, settings: Settings) -> None:
        self.pairs, self.settings, self.name = pairs, settings, pairs.name

    def introduction(self) -> str:
        """The numbers of pairs and tokens; ValueError if there are too few pairs."""
        split = train.Split.of(self.pairs, self.settings)
        units = ["characters" if each.level == "char" else "words" for each in (split.source, split.target)]
        sizes = (
            f"{self.name}: {len(self.pairs.sources):,} pairs, from {len(split.source.tokens):,} {units[0]} to"
            f" {len(split.target.tokens):,} {units[1]}; training on {len(split.training.sources):,}, validating on"
            f" {len(split.validation.sources):,}, held out {len(split.test.sources):,}"
        )
        return "\n".join([*(f"Note: {plain(note)}" for note in self.pairs.notes), sizes])

    def prepare(self, folder: Path) -> None:
        """Write the pairs and the settings to an existing folder."""
        run.prepare(folder, self.pairs, self.settings)

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.translate.train.train`."""
        training = train.train(self.pairs, self.settings, verbose, train.Checkpoint(checkpoint, every), fitted)
        self._training, stop = training, training.stop
        self.signal, self.failure = (None, None) if stop is None else (stop.signal, stop.failure)
        self.resumable = stop is not None and stop.interrupted
        self.unmeasured: str | None = None

    def save(self, folder: Path) -> None:
        """Write all files except picture and report to an existing folder."""
        run.save(folder, self._training)

    def draw(self, path: Path) -> None:
        """Plot where the model looks, in some held-out texts."""
        training = self._training
        looks = report.looks(training.translator, list(training.split.test.answers()), training.outputs)
        report.draw(path, self.name, training.metrics, looks)

    def report(self, folder: Path) -> str:
        """Tell all of the run as a page of HTML."""
        training = self._training
        answers, history = training.split.test.answers(), training.member.history
        return page.page(self.name, training.metrics, answers, training.outputs, history, self.pairs.notes)

    def sentence(self) -> str:
        """Compare the model with its rivals on the held-out part."""
        return report.sentence(self._training.metrics)


def begin(data: Path | None, given: Mapping[str, Any]) -> Job:
    """Load the pairs and make the settings.

    Args:
        data: a table; None: generated dates.
        given: the values of the options that were given, by name.

    Raises:
        OSError, ValueError: the pairs cannot be read, or an option does not fit.
        ImportError: BLEU needs sacrebleu.
    """
    settings = dict(given)
    dataset, encoding = (settings.pop(name, None) for name in ("dataset", "encoding"))
    if dataset is not None and data is not None:
        raise ValueError(f"give either a table or --dataset {dataset}, not both {data} and {dataset}")
    if encoding is not None and data is None:
        raise ValueError("--encoding tells how a table is read: give a table, or leave it out")
    settings = _USUAL.get(dataset or "", {}) | settings
    settings.setdefault("target_level", settings.get("level", "char"))
    chosen = Settings(**settings)
    if chosen.bleu:
        require_sacrebleu()  # Not after the training.
    pairs = read_dataset(dataset or "dates") if data is None else read_pairs(data, encoding or "utf-8")
    return Translation(pairs, chosen)


def resume(folder: Path) -> Job:
    """Make the training again whose `prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    return Translation(*run.resume(folder))


def kernels_used() -> list[str | RecurrentUse]:
    """The contract's functions that a training without options calls."""
    return network.kernels_used(Settings())
