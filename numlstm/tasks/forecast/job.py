"""A forecast that `numlstm train` trains: from the command line's data and options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numlstm.data import complete
from numlstm.data.panel import Panel, panel_of, read_panel
from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.series import Series
from numlstm.kernels import RecurrentUse
from numlstm.messages import listed, option, plain, quoted
from numlstm.tasks.forecast import config, multiples, page, panel_page, report, run, train
from numlstm.tasks.forecast.backtest import backtest
from numlstm.tasks.forecast.backtest_report import BacktestReport
from numlstm.tasks.forecast.datasets import PACKAGED, read_dataset
from numlstm.tasks.forecast.settings import REAL, SINE, Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import splits_of
from numlstm.tasks.forecast.verdict import verdict
from numlstm.tasks.task import Job

__all__ = ["Forecast", "begin", "kernels_used", "resume"]

_MOST_DIGITS = 18
"""Digits of a season, which has 64 bits."""


class Forecast:
    """A training of a forecaster. `numlstm.tasks.task.Job` documents the methods.

    Args:
        data: the series, without missing values. Those of a panel have one model.
        settings: the settings.
    """

    files = run.FILES

    def __init__(self, data: Series | Panel, settings: Settings) -> None:
        self.panel, self.settings, self.name = panel_of(data), settings, data.name

    def introduction(self) -> str:
        """The name of the data, their rule and the sizes of the parts; ValueError if a part is too short."""
        panel, members = self.panel, self.settings.ensemble
        splits = splits_of(panel, self.settings)
        validation, test, steps = (
            panel.rows(each)
            for each in zip(*((each.validation, each.test, each.steps) for each in splits), strict=True)
        )
        parts = f"training on {validation}, validating on {test - validation}"
        if members > 1:
            parts = f"training {members} models on {test}, each stopped by another part of them"
        first, rules = panel.series[0], {each.rule for each in panel}
        rule = ", without dates" if first.axis_name is None else ""
        if first.rule is not None and len(rules) == 1:
            rule = plain(f", {first.axis_name}: {first.rule}")
        count = "" if panel.alone else f"{len(panel)} series with "
        coming = panel.rows(len(each.coming or ()) for each in panel)
        known = f", known in advance {coming} more of {plain(listed(first.future))}" if first.future else ""
        sizes = f"{self.name}: {count}{steps} rows{rule}; {parts}, held out {steps - test}{known}"
        notes = [*panel.notes, *_filled_in(panel, splits)]
        return "\n".join([*(f"Note: {plain(note)}" for note in notes), sizes])

    def prepare(self, folder: Path) -> None:
        """Write the data and the settings to an existing folder."""
        run.prepare(folder, self.panel, self.settings)

    def backtest(self, folds: int, refit: bool, tell: Callable[[str], None]) -> BacktestReport:
        """Measure the forecasts of several folds. Errors as for `numlstm.tasks.forecast.backtest.backtest`."""
        return BacktestReport(backtest(self.panel, self.settings, folds, refit, tell=tell))

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.forecast.train.train`."""
        training = train.train(self.panel, self.settings, verbose, train.Checkpoint(checkpoint, every), fitted)
        self._training = training
        self.signal, self.failure = training.signal, training.failure
        self.resumable, self.unmeasured = training.metrics["interrupted"], training.unmeasured

    def save(self, folder: Path) -> None:
        """Write all files except picture and report to an existing folder."""
        run.save(folder, self.panel, self._training)

    def draw(self, path: Path) -> None:
        """Plot the held-out part."""
        training = self._training
        if self.panel.alone:
            report.draw(path, self.panel.series[0], training.tested, training.split, training.metrics)
            return
        found = [
            multiples.Drawn(series, result.tested, result.split)
            for series, result in zip(self.panel, training.results, strict=True)
        ]
        multiples.draw(path, self.panel, found, training.metrics)

    def report(self, folder: Path) -> str:
        """Tell all of the run, which `save` wrote to a folder, as a page of HTML."""
        training, metrics = self._training, self._training.metrics
        measured = metrics if training.unmeasured is None and training.split.holds_out else None
        histories = [member.history for member in training.members]
        each = [measured] * len(self.panel) if self.panel.alone or measured is None else measured["series"].values()
        facts = [
            page.Facts(
                series=series, settings=self.settings, split=result.split, tested=result.tested,
                forecaster=result.forecaster, measured=found, metrics=metrics, histories=histories,
                versions=config.versions(), time=page.time_of(folder), unmeasured=training.unmeasured,
            )
            for series, result, found in zip(self.panel, training.results, each, strict=True)
        ]  # fmt: skip
        return page.page(facts[0]) if self.panel.alone else panel_page.page(self.panel, facts, measured)

    def sentence(self) -> str:
        """Compare the model with its rivals on the held-out part, and say what the run predicts with."""
        training, steps = self._training, self.panel.rows(map(len, self.panel))
        if not training.split.holds_out:
            rmse = training.metrics.get("out_of_fold_rmse")
            return "nothing held out" + ("" if rmse is None else f"; rmse out of fold {rmse:.4g}")
        words = report.sentence if self.panel.alone else multiples.sentences
        whole = "" if self.panel.alone else "over all series, "
        text = f"held out: {words(training.metrics)}\n{whole}{verdict(training.metrics)}"
        if training.final is None:
            return text
        return (
            f"{text}\npredict uses a model of all {steps} rows, trained in the same way; evaluate uses the tested one"
        )


def _filled_in(panel: Panel, splits: Sequence[Split]) -> list[str]:
    """A note on held-out steps that the data did not have."""
    count = sum(int((series.rows[each.test :] == 0).sum()) for series, each in zip(panel, splits, strict=True))
    if not count:
        return []
    return [
        f"{count} of the held-out steps {'is' if count == 1 else 'are'} filled in, and the errors take them for true:"
        f" give {option('missing', 'drop')} to measure only what is known"
    ]


def begin(data: Path | None, given: Mapping[str, Any]) -> Job:
    """Load the data and make the settings.

    Args:
        data: a CSV file; None: a data set.
        given: the values of the options that were given, by name.

    Raises:
        OSError, ValueError: the data cannot be read, or an option does not fit.
    """
    settings = dict(given)
    dataset, samples = (settings.pop(name, None) for name in ("dataset", "samples"))
    targets, groups = (_texts(settings.pop(name, ())) for name in ("target", "group"))
    features, future = (
        [name.strip() for text in settings.pop(kind, ()) for name in text.split(",")] for kind in ("features", "future")
    )
    reading = AS_SEEN.changed(settings)
    if data is not None and dataset is not None:
        raise ValueError(f"give either a CSV file or --dataset, not both {data} and {dataset}")
    if samples is not None and (data is not None or dataset not in (None, "sine")):
        raise ValueError("--samples is for the sine only")
    if data is None:
        dataset = dataset or "sine"
        _check_no_file(dataset, reading, groups, future)
        panel = read_dataset(dataset, samples, targets, [*features, *future])
        if dataset in PACKAGED:
            settings.setdefault("missing", PACKAGED[dataset].missing)
    else:
        panel = read_panel(data, targets, features, groups, options=reading, future=future)
    if "season" in settings:
        settings["season"] = _season(settings["season"])
    if not {"scaling", "difference"}.isdisjoint(settings):
        if settings.setdefault("rule", "none") != "none":
            raise ValueError(
                "--scaling and --difference are for --rule none: beside a naive forecast, the model sees changes"
            )
        settings.setdefault("ensemble", 1)
    chosen = replace(SINE if dataset == "sine" else REAL, **settings)
    panel = panel.map(lambda series: complete(series, chosen.missing))
    return Forecast(panel.of_targets(len(panel.series[0].columns) - len(features) - len(future)), chosen)


def resume(folder: Path) -> Job:
    """Make the training again whose `prepare` wrote a folder.

    Raises:
        OSError, ValueError: one of its files is missing or damaged.
    """
    return Forecast(*run.resume(folder))


def kernels_used() -> list[str | RecurrentUse]:
    """The contract's functions that a training without options calls."""
    return train.kernels_used(SINE)


def _check_no_file(dataset: str, reading: ReadOptions, groups: Sequence[str], future: Sequence[str]) -> None:
    """Raise ValueError for an option of a data set that needs a file."""
    if reading != AS_SEEN:
        raise ValueError("the options of reading a table need a file: give one, or leave them out")
    if groups:
        raise ValueError("--group needs a file with a column that tells series apart")
    if future and dataset in PACKAGED:
        raise ValueError(f"--future needs a file with rows to come, which --dataset {dataset} has not")


def _season(text: str) -> int | str:
    """The season as a number, if it is one; ValueError if it is neither a number nor a word of the option."""
    if text in ("auto", "none"):
        return text
    if not (text.isdecimal() and text.isascii() and len(text) <= _MOST_DIGITS):
        raise ValueError(f"--season must be a whole number, auto or none, not {quoted(text)}")
    return int(text)


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    """The values of an option that may be repeated."""
    return (given,) if isinstance(given, str) else tuple(given)
