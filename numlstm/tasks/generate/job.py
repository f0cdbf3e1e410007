"""A language model that `numlstm train generate` trains: from the command line's text and options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numlstm.kernels import RecurrentUse
from numlstm.tasks.fitting import Checkpoint
from numlstm.tasks.generate import page, report, run, train
from numlstm.tasks.generate.config import versions
from numlstm.tasks.generate.corpus import Corpus
from numlstm.tasks.generate.settings import Settings, defaults_for
from numlstm.tasks.generate.texts import Text, read_dataset, read_text
from numlstm.tasks.task import Job

__all__ = ["Generate", "begin", "kernels_used", "resume"]

_SHOWN = 240
"""Characters of the sample on the terminal."""


class Generate:
    """A training of a language model. `numlstm.tasks.task.Job` documents the methods.

    Args:
        text: the text.
        settings: the settings.
    """

    files = run.FILES

    def __init__(self, text: Text, settings: Settings) -> None:
        self.corpus, self.settings, self.name = Corpus.of(text, settings), settings, text.name

    def introduction(self) -> str:
        """The name of the text, and the sizes of its parts."""
        vocabulary, counts = self.corpus.vocabulary, [len(content) for content in self.corpus.contents]
        symbols = f"{len(vocabulary.symbols)} different"
        if vocabulary.level == "word":
            words = sum(len(symbol) > 1 for symbol in vocabulary.symbols)
            symbols += f" symbols, {words} of them words"
        return (
            f"{self.name}: {sum(counts)} characters, {symbols}; training on {counts[0]}, validating on {counts[1]},"
            f" held out {counts[2]}"
        )

    def prepare(self, folder: Path) -> None:
        """Write the text and the settings to an existing folder."""
        run.prepare(folder, self.corpus, self.settings)

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.generate.train.train`."""
        training = train.train(self.corpus, self.settings, verbose, Checkpoint(checkpoint, every), fitted)
        stop, self._training = training.stop, training
        self.signal, self.failure = (None, None) if stop is None else (stop.signal, stop.failure)
        self.resumable, self.unmeasured = training.metrics["interrupted"], training.unmeasured

    def save(self, folder: Path) -> None:
        """Write all files except picture and report to an existing folder."""
        run.save(folder, self.corpus, self._training)

    def draw(self, path: Path) -> None:
        """Plot the learning curves, and text from the model."""
        training = self._training
        title = f"{self.name}: {report.headline(training.metrics)}"
        report.draw(
            path,
            title,
            self._curves(),
            training.metrics,
            training.sample,
        )

    def _curves(self) -> dict[str, list[float]]:
        return run.curves(self._training.member.history, self.corpus, self.settings)

    def report(self, folder: Path) -> str:
        """Tell all of the run, which `save` wrote to a folder, as a page of HTML."""
        training = self._training
        facts = page.Facts(
            corpus=self.corpus, settings=self.settings, measured=None if training.unmeasured else training.metrics,
            metrics=training.metrics, curves=self._curves(), sample=training.sample,
            versions=versions(), folder=folder,
        )  # fmt: skip
        return page.page(facts)

    def sentence(self) -> str:
        """Compare the model with its rivals on the held-out part, and show text from it."""
        sample = report.printable(self._training.sample).strip()[:_SHOWN]
        return f"held out: {report.headline(self._training.metrics)}\n\n{sample}\n"


def begin(data: Path | None, given: Mapping[str, Any]) -> Job:
    """Load the text and make the settings.

    Args:
        data: a file of text; None: a known text.
        given: the values of the options that were given, by name.

    Raises:
        OSError, ValueError: the text cannot be read, or an option does not fit.
    """
    settings = dict(given)
    dataset, encoding = settings.pop("dataset", None), settings.pop("encoding", None)
    if data is None and encoding is not None:
        raise ValueError("--encoding is for a file of your own: give one, or leave it out")
    if data is not None and dataset is not None:
        raise ValueError(f"give either a text or --dataset, not both {data} and {dataset}")
    text = read_dataset(dataset or "alice") if data is None else read_text(data, encoding or "utf-8")
    chosen = replace(defaults_for(len(text.content)), **settings)
    if "samples" in settings and chosen.level != "word":
        raise ValueError("--samples is for --level word: a softmax of characters computes all of them")
    return Generate(text, chosen)


def resume(folder: Path) -> Job:
    """Make the training again whose `prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    return Generate(*run.resume(folder))


def kernels_used() -> list[str | RecurrentUse]:
    """The contract's functions that a training without options calls."""
    return train.kernels_used(Settings())
