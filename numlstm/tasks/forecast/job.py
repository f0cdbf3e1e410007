"""A forecast that `numlstm train` trains: from the command line's data and options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from numlstm.data import complete, read_csv, sine, sunspots
from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.series import Series
from numlstm.kernels import RecurrentUse
from numlstm.messages import listed, plain, quoted
from numlstm.tasks.forecast import config, page, report, run, train
from numlstm.tasks.forecast.backtest import backtest
from numlstm.tasks.forecast.backtest_report import BacktestReport
from numlstm.tasks.forecast.settings import REAL, SINE, Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.task import Job

__all__ = ["Forecast", "begin", "kernels_used", "resume"]

_MOST_DIGITS = 18
"""Digits of a season, which has 64 bits."""


class Forecast:
    """A training of a forecaster. `numlstm.tasks.task.Job` documents the methods.

    Args:
        series: the series, without missing values.
        settings: the settings.
    """

    files = run.FILES

    def __init__(self, series: Series, settings: Settings) -> None:
        self.series, self.settings, self.name = series, settings, series.name

    def introduction(self) -> str:
        """The name of the series, its rule and the sizes of its parts; ValueError if a part is too short."""
        steps, members = len(self.series), self.settings.ensemble
        split = Split.of(self.series.clock, self.settings)
        parts = f"training on {split.validation}, validating on {split.test - split.validation}"
        if members > 1:
            parts = f"training {members} models on {split.test}, each stopped by another part of them"
        rule = ", without dates" if self.series.axis_name is None else ""
        if self.series.rule is not None:
            rule = plain(f", {self.series.axis_name}: {self.series.rule}")
        coming = self.series.coming
        known = "" if coming is None else f", known in advance {len(coming)} more of {plain(listed(coming.columns))}"
        sizes = f"{self.name}: {steps} rows{rule}; {parts}, held out {steps - split.test}{known}"
        return "\n".join([*(f"Note: {plain(note)}" for note in self.series.notes), sizes])

    def prepare(self, folder: Path) -> None:
        """Write the data and the settings to an existing folder."""
        run.prepare(folder, self.series, self.settings)

    def backtest(self, folds: int, refit: bool, tell: Callable[[str], None]) -> BacktestReport:
        """Measure the forecasts of several folds. Errors as for `numlstm.tasks.forecast.backtest.backtest`."""
        return BacktestReport(backtest(self.series, self.settings, folds, refit, tell=tell))

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.forecast.train.train`."""
        training = train.train(self.series, self.settings, verbose, train.Checkpoint(checkpoint, every), fitted)
        self._training = training
        self.signal, self.failure = training.signal, training.failure
        self.resumable, self.unmeasured = training.metrics["interrupted"], training.unmeasured

    def save(self, folder: Path) -> None:
        """Write all files except picture and report to an existing folder."""
        run.save(folder, self.series, self._training)

    def draw(self, path: Path) -> None:
        """Plot the held-out part."""
        training = self._training
        report.draw(path, self.series, training.tested, training.split, training.metrics)

    def report(self, folder: Path) -> str:
        """Tell all of the run, which `save` wrote to a folder, as a page of HTML."""
        training = self._training
        measured = training.metrics if training.unmeasured is None and training.split.holds_out else None
        facts = page.Facts(
            series=self.series, settings=self.settings, split=training.split, tested=training.tested,
            forecaster=training.forecaster, measured=measured, metrics=training.metrics,
            histories=[member.history for member in training.members], versions=config.versions(),
            time=page.time_of(folder), unmeasured=training.unmeasured,
        )  # fmt: skip
        return page.page(facts)

    def sentence(self) -> str:
        """Compare the model with its rivals on the held-out part, and say what the run predicts with."""
        training, steps = self._training, len(self.series)
        if not training.split.holds_out:
            rmse = training.metrics.get("out_of_fold_rmse")
            return "nothing held out" + ("" if rmse is None else f"; rmse out of fold {rmse:.4g}")
        text = f"held out: {report.sentence(training.metrics)}"
        if training.final is None:
            return text
        return (
            f"{text}\npredict uses a model of all {steps} rows, trained in the same way; evaluate uses the tested one"
        )


def begin(data: Path | None, given: Mapping[str, Any]) -> Job:
    """Load the data and make the settings.

    Args:
        data: a CSV file; None: bundled data.
        given: the values of the options that were given, by name.

    Raises:
        OSError, ValueError: the data cannot be read, or an option does not fit.
    """
    settings = dict(given)
    dataset, samples, target = (settings.pop(name, None) for name in ("dataset", "samples", "target"))
    features, future = (
        [name.strip() for text in settings.pop(kind, ()) for name in text.split(",")] for kind in ("features", "future")
    )
    reading = AS_SEEN.changed(settings)
    if data is None and reading != AS_SEEN:
        raise ValueError("the options of reading a table need a file: give one, or leave them out")
    series = _series(data, dataset, samples, target, features, future, reading)
    if "season" in settings:
        settings["season"] = _season(settings["season"])
    if not {"scaling", "difference"}.isdisjoint(settings):
        if settings.setdefault("rule", "none") != "none":
            raise ValueError(
                "--scaling and --difference are for --rule none: with a rule, the model sees changes of it"
            )
        settings.setdefault("ensemble", 1)
    chosen = replace(SINE if series.name == "sine" and data is None else REAL, **settings)
    return Forecast(complete(series, chosen.missing), chosen)


def resume(folder: Path) -> Job:
    """Make the training again whose `prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    return Forecast(*run.resume(folder))


def kernels_used() -> list[str | RecurrentUse]:
    """The contract's functions that a training without options calls."""
    return train.kernels_used(SINE)


def _season(text: str) -> int | str:
    """The season as a number, if it is one; ValueError if it is neither a number nor a word of the option."""
    if text in ("auto", "none"):
        return text
    if not (text.isdecimal() and text.isascii() and len(text) <= _MOST_DIGITS):
        raise ValueError(f"--season must be a whole number, auto or none, not {quoted(text)}")
    return int(text)


def _series(
    csv: Path | None,
    dataset: str | None,
    samples: int | None,
    target: str | None,
    features: list[str],
    future: list[str],
    reading: ReadOptions,
) -> Series:
    """Load the data that the command line names."""
    if csv is not None and dataset is not None:
        raise ValueError(f"give either a CSV file or --dataset, not both {csv} and {dataset}")
    if samples is not None and (csv is not None or dataset == "sunspots"):
        raise ValueError("--samples is for the sine only")
    if csv is not None:
        return read_csv(csv, target, features, options=reading, future=future)
    series = sunspots() if dataset == "sunspots" else sine() if samples is None else sine(samples)
    for name in [*([] if target is None else [target]), *features, *future]:
        if name != series.target or features or future:
            raise ValueError(f"the {series.name} data has the column {series.target!r} and no other to name")
    return series
