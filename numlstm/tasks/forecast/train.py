"""Train a forecaster on the part of a series before the held-out part, measure it there, and train one for use."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from numlstm.data.panel import Panel, panel_of
from numlstm.data.series import Series
from numlstm.formats import tensors
from numlstm.kernels import RecurrentUse
from numlstm.tasks.fitting import Checkpoint, Member, Stop
from numlstm.tasks.forecast import member
from numlstm.tasks.forecast.choose import require_fed_back, require_transform
from numlstm.tasks.forecast.fitted import FittedForecaster
from numlstm.tasks.forecast.inputs import RuleInputs
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.member import Shape
from numlstm.tasks.forecast.pooled import measure_all, naive_scale
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.sources import Trained
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.trainer import Trainer
from numlstm.training.checkpoint import CheckpointError
from numlstm.training.interruption import Interrupted

__all__ = ["Checkpoint", "Result", "Training", "kernels_used", "splits_of", "train"]


@dataclass(frozen=True)
class Result:
    """What a training made for one series. All series have the same models.

    tested: the forecaster that has not seen the held-out part
    final: the forecaster that was trained on all rows; None if there is none
    split: the parts of the series
    """

    tested: FittedForecaster
    final: FittedForecaster | None
    split: Split

    @property
    def forecaster(self) -> FittedForecaster:
        """The forecaster for use."""
        return self.final or self.tested


@dataclass(frozen=True)
class Training:
    """The result of a training. `tested`, `final`, `split` and `forecaster` are those of the first series.

    results: of each series
    members: the models of `tested`, then those of `final`
    metrics: the result of `measure` on the held-out part, or of `measure_all`, with the final loss, epochs, seconds,
        backend, kernel name, what was chosen, and whether the training was interrupted, so that it can go on
    signal: the number of the signal that stopped the training; None if none did
    failure: the error of the device that stopped the training, or which loss is not finite; None if nothing failed
    unmeasured: why the errors on the held-out part are not in `metrics`; None if they are, or if nothing is held out
    """

    results: tuple[Result, ...]
    settings: Settings
    members: list[Member]
    metrics: dict[str, Any]
    signal: int | None
    failure: str | None
    unmeasured: str | None

    @property
    def tested(self) -> FittedForecaster:
        """The forecaster that has not seen the held-out part."""
        return self.results[0].tested

    @property
    def final(self) -> FittedForecaster | None:
        """The forecaster that was trained on all rows; None if there is none."""
        return self.results[0].final

    @property
    def split(self) -> Split:
        """The parts of the series."""
        return self.results[0].split

    @property
    def forecaster(self) -> FittedForecaster:
        """The forecaster for use."""
        return self.results[0].forecaster

    @property
    def history(self) -> dict[str, list[float]]:
        """The "loss" and, with a validation part, "val_loss", for each finished epoch of all members."""
        names = list(dict.fromkeys(name for each in self.members for name in each.history))
        return {name: [value for each in self.members for value in each.history.get(name, [])] for name in names}


def train(
    data: Series | Panel,
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
    splits: Sequence[Split] | None = None,
) -> Training:
    """Train a forecaster, measure it on the held-out part, and train one on all rows if the settings ask for it.

    Nothing that is chosen, scaled or learned for the test uses a value of the held-out part. After a signal or an error
    of the device, the training ends early and keeps what was learned. When a loss becomes NaN or infinite, it ends with
    the weights of the last epoch before, or of the best one with a patience.

    Args:
        data: the series, without missing values; see `numlstm.data.complete`. The series of a panel have one model.
        settings: the settings.
        verbose: as for `Sequential.fit`; a training of several models tells one line of each.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended, before it is measured.
        splits: the split of each series; None: those of the settings.

    Raises:
        ValueError: a series is too short, or the loss becomes NaN or infinite in the first epoch.
        KeyboardInterrupt: a signal came before anything was learned.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    panel = panel_of(data)
    require_fed_back(panel.targets, panel.series[0], settings)
    splits = splits_of(panel, settings) if splits is None else splits
    if settings.refit:  # Otherwise the held-out rows would be refused after the test.
        panel.each(lambda series: require_transform(series, settings))
    trainer = Trainer(settings, verbose, checkpoint, fitted)
    tested, final, stop = trainer.part(panel, splits), None, trainer.stop
    assert tested  # Otherwise it raised.
    if settings.refit and splits[0].holds_out and stop is None:
        final, stop = _refitted(trainer, panel, [split.whole(settings) for split in splits])
    fitted()
    results = tuple(
        Result(each.forecaster, last.forecaster if last else None, split)
        for each, last, split in zip_longest(tested, final or (), splits)
    )
    errors, unmeasured = _measured(panel, results) if splits[0].holds_out else ({}, None)
    members = trainer.finished
    ends = [each.history["loss"][-1] for each in members[: trainer.sizes[0]] if each.history.get("loss")]
    metrics = (
        errors
        | _told(panel, tested, splits, errors)
        | {
            "refitted": final is not None,
            "members": trainer.sizes[0],
            "loss": float(np.mean(ends)) if ends else None,
            "epochs": sum(len(each.history.get("loss", [])) for each in members),
            "interrupted": stop is not None and stop.interrupted,
            "seconds": round(sum(each.seconds for each in members), 3),
            "backend": members[0].backend,
            "kernel_name": members[0].kernel_name,
        }
    )
    number, failure = (None, None) if stop is None else (stop.signal, stop.failure)
    return Training(results, settings, members, metrics, number, failure, unmeasured)


def splits_of(panel: Panel, settings: Settings) -> list[Split]:
    """The split of each series.

    Raises:
        ValueError: a series is too short, or a date does not fit it. The sentence names the series.
    """
    return panel.each(lambda series: Split.of(series.clock, settings))


def _refitted(trainer: Trainer, panel: Panel, splits: Sequence[Split]) -> tuple[list[Trained] | None, Stop | None]:
    """Train once more, on all rows; or what stopped it, which must not cost the tested forecaster."""
    try:
        final, stop = trainer.part(panel, splits), trainer.stop
    except KeyboardInterrupt as error:  # Between two models.
        return None, Stop(error.signal if isinstance(error, Interrupted) else int(signal.SIGINT), None, True)
    except (CheckpointError, tensors.ModelFileError):
        raise
    except (ValueError, MemoryError) as error:
        return None, Stop(None, f"training once more on all rows failed: {error}", False)
    return (final, None) if stop is None else (None, stop)


def _measured(panel: Panel, results: Sequence[Result]) -> tuple[dict[str, Any], str | None]:
    """The errors on the held-out part, or none and the reason: it must not cost the training."""
    try:
        forecasts = [each.tested.over(series, each.split.test) for series, each in zip(panel, results, strict=True)]
        if panel.alone:
            return measure(forecasts[0]), None
        scales = [naive_scale(series, each.split) for series, each in zip(panel, results, strict=True)]
        return measure_all(panel.names, forecasts, scales), None
    except (ValueError, MemoryError) as error:
        return {}, str(error) or "not enough memory"


def _told(panel: Panel, tested: Sequence[Trained], splits: Sequence[Split], errors: dict[str, Any]) -> dict[str, Any]:
    """The errors out of fold, and what was chosen, for metrics.json: of all series, and of each under "series"."""
    each = [
        ({} if one.out_of_fold is None else {"out_of_fold_rmse": one.out_of_fold}) | _chosen(one.forecaster, split)
        for one, split in zip(tested, splits, strict=True)
    ]
    if panel.alone:
        return each[0]
    found = errors.get("series", {})
    named = {name: found.get(name, {}) | chosen for name, chosen in zip(panel.names, each, strict=True)}
    shared = {name: each[0][name] for name in ("season", "window", "calendar") if name in each[0]}
    rmse = _out_of_fold(panel, tested, splits)
    rows = {"fitted_rows": panel.rows(split.test for split in splits)}
    return ({} if rmse is None else {"out_of_fold_rmse": rmse}) | shared | rows | {"series": named}


def _out_of_fold(panel: Panel, tested: Sequence[Trained], splits: Sequence[Split]) -> float | None:
    """The error out of fold of all series, each in parts of its naive error."""
    squares, count = 0.0, 0
    for series, one, split in zip(panel, tested, splits, strict=True):
        if one.out_of_fold is None:
            return None
        squares += one.origins * (one.out_of_fold / naive_scale(series, split)) ** 2
        count += one.origins
    return float(np.sqrt(squares / count))


def _chosen(forecaster: FittedForecaster, split: Split) -> dict[str, Any]:
    """What was chosen, for metrics.json."""
    inputs = forecaster.inputs
    chosen: dict[str, Any] = {"season": forecaster.rivals.season, "window": inputs.window, "fitted_rows": split.test}
    if isinstance(inputs, RuleInputs):
        chosen |= {"rule": inputs.rule, "transform": inputs.transform_.name, "calendar": list(inputs.calendar)}
    return chosen


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that `train` calls with these settings and a single column."""
    assert settings.window is not None
    return member.kernels_used(settings, Shape(settings.window, 1, settings.horizon, False))
