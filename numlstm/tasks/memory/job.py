"""A measurement of memory that `numlstm train` makes: from options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numlstm.kernels import RecurrentUse
from numlstm.tasks.memory import page, report, run, train
from numlstm.tasks.memory.settings import LAGS_OF_COPY, Settings, lags_of
from numlstm.tasks.task import Job

__all__ = ["Memory", "begin", "kernels_used", "resume"]


class Memory:
    """A training of several cells at several lags. `numlstm.tasks.task.Job` documents the methods."""

    files = run.FILES

    def __init__(self, settings: Settings) -> None:
        self.settings, self.name = settings, settings.problem

    def introduction(self) -> str:
        """The problem, the lags and the number of trainings."""
        settings = self.settings
        return (
            f"{settings.problem}: lags {', '.join(map(str, settings.lags))}; {' and '.join(settings.cells)},"
            f" {len(train.trials_of(settings))} trainings on at most {settings.budget:,} sequences each"
        )

    def prepare(self, folder: Path) -> None:
        """Write the settings to an existing folder."""
        run.prepare(folder, self.settings)

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.memory.train.train`."""
        training = train.train(self.settings, verbose, train.Checkpoint(checkpoint, every), fitted)
        self._training, stop = training, training.stop
        self.signal, self.failure = (None, None) if stop is None else (stop.signal, stop.failure)
        self.resumable = stop is not None and stop.interrupted
        self.unmeasured: str | None = None

    def save(self, folder: Path) -> None:
        """Write all files except picture and report to an existing folder."""
        run.save(folder, self._training)

    def draw(self, path: Path) -> None:
        """Plot the sequences that were needed, and the gradients."""
        training = self._training
        report.draw(path, training.settings, training.results, training.gradients)

    def report(self, folder: Path) -> str:
        """Tell all of the run as a page of HTML."""
        training = self._training
        return page.page(training.settings, training.results, training.gradients)

    def sentence(self) -> str:
        """Compare the cells at the longest lag, and with answers that need no memory."""
        return report.sentence(self._training.settings, self._training.results)


def begin(data: Path | None, given: Mapping[str, Any]) -> Job:
    """Make the settings.

    Args:
        data: None.
        given: the values of the options that were given, by name.

    Raises:
        ValueError: there are data, or an option does not fit.
    """
    if data is not None:
        raise ValueError(f"memory draws its own sequences: leave {data} out")
    settings = dict(given)
    if "cells" in settings:
        settings["cells"] = tuple(name.strip() for text in settings["cells"] for name in text.split(","))
    if "lags" in settings:
        settings["lags"] = lags_of(settings["lags"])
    elif settings.get("problem") == "copy":
        settings["lags"] = LAGS_OF_COPY
    return Memory(Settings(**settings))


def resume(folder: Path) -> Job:
    """Make the training again whose `prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    return Memory(run.resume(folder))


def kernels_used() -> list[str | RecurrentUse]:
    """The contract's functions that a training without options calls."""
    return train.kernels_used(Settings())
