"""Train a forecaster on the part of a series before the held-out part, measure it there, and train one for use."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numlstm import layers
from numlstm.data.series import Series
from numlstm.formats import tensors
from numlstm.kernels import RecurrentUse
from numlstm.layers.input import Input
from numlstm.model import Model, Sequential
from numlstm.saved import training_state
from numlstm.seeds import set_seed
from numlstm.tasks.fitting import Checkpoint, Fit, Member, Samples, Stop, fit_model
from numlstm.tasks.forecast import member
from numlstm.tasks.forecast.choose import choose_inputs, plain_inputs, require_fed_back
from numlstm.tasks.forecast.folds import Fold, contiguous
from numlstm.tasks.forecast.forecaster import Forecaster
from numlstm.tasks.forecast.inputs import Inputs, PlainInputs, RuleInputs
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.member import LOSS, Shape
from numlstm.tasks.forecast.rules import Rivals
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split
from numlstm.terminal import say
from numlstm.training.checkpoint import CheckpointError
from numlstm.training.interruption import Interrupted

__all__ = ["Checkpoint", "Training", "inputs_of", "kernels_used", "train"]


@dataclass(frozen=True)
class Training:
    """The result of a training.

    tested: the forecaster that has not seen the held-out part
    final: the forecaster that was trained on all rows; None if there is none
    members: the models of `tested`, then those of `final`
    metrics: the result of `measure` on the held-out part, with the final loss, epochs, seconds, backend, kernel name,
        what was chosen, and whether the training was interrupted, so that it can go on
    signal: the number of the signal that stopped the training; None if none did
    failure: the error of the device that stopped the training, or which loss is not finite; None if nothing failed
    unmeasured: why the errors on the held-out part are not in `metrics`; None if they are, or if nothing is held out
    """

    tested: Forecaster
    final: Forecaster | None
    split: Split
    settings: Settings
    members: list[Member]
    metrics: dict[str, Any]
    signal: int | None
    failure: str | None
    unmeasured: str | None

    @property
    def forecaster(self) -> Forecaster:
        """The forecaster for use."""
        return self.final or self.tested

    @property
    def history(self) -> dict[str, list[float]]:
        """The "loss" and, with a validation part, "val_loss", for each finished epoch of all members."""
        names = list(dict.fromkeys(name for each in self.members for name in each.history))
        return {name: [value for each in self.members for value in each.history.get(name, [])] for name in names}


def train(
    series: Series,
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
) -> Training:
    """Train a forecaster, measure it on the held-out part, and train one on all rows if the settings ask for it.

    Nothing that is chosen, scaled or learned for the test uses a value of the held-out part. After a signal or an error
    of the device, the training ends early and keeps what was learned. When a loss becomes NaN or infinite, it ends with
    the weights of the last epoch before, or of the best one with a patience.

    Args:
        series: the series, without missing values; see `numlstm.data.complete`.
        settings: the settings.
        verbose: as for `Sequential.fit`; a training of several models tells one line of each.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended, before it is measured.

    Raises:
        ValueError: the series is too short, or the loss becomes NaN or infinite in the first epoch.
        KeyboardInterrupt: a signal came before anything was learned.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    require_fed_back(series, settings)
    split = Split.of(series.clock, settings)
    trainer = _Trainer(settings, verbose, checkpoint, fitted)
    tested, scores = trainer.part(series, split)
    assert tested is not None  # Otherwise it raised.
    final, stop = None, trainer.stop
    if settings.refit and split.holds_out and stop is None:
        try:
            final, _ = trainer.part(series, split.whole(settings))
            stop = trainer.stop
        except KeyboardInterrupt as error:  # Between two models.
            stop = Stop(error.signal if isinstance(error, Interrupted) else int(signal.SIGINT), None, True)
        except (CheckpointError, tensors.ModelFileError):
            raise
        except (ValueError, MemoryError) as error:  # It must not cost the tested forecaster.
            stop = Stop(None, f"training once more on all rows failed: {error}", False)
        final = None if stop is not None else final
    fitted()
    errors, unmeasured = _measured(tested, series, split) if split.holds_out else ({}, None)
    members = trainer.finished
    ends = [each.history["loss"][-1] for each in members[: trainer.sizes[0]] if each.history.get("loss")]
    metrics = errors | {
        **scores,
        **_chosen(tested, split),
        "refitted": final is not None,
        "members": trainer.sizes[0],
        "loss": float(np.mean(ends)) if ends else None,
        "epochs": sum(len(each.history.get("loss", [])) for each in members),
        "interrupted": stop is not None and stop.interrupted,
        "seconds": round(sum(each.seconds for each in members), 3),
        "backend": members[0].backend,
        "kernel_name": members[0].kernel_name,
    }
    number, failure = (None, None) if stop is None else (stop.signal, stop.failure)
    return Training(tested, final, split, settings, members, metrics, number, failure, unmeasured)


def inputs_of(series: Series, settings: Settings, split: Split, season: int | None) -> Inputs:
    """The inputs that the settings ask for, fitted to the part before the held-out part."""
    if settings.rule == "none":
        return plain_inputs(series, settings, split)
    return choose_inputs(series, settings, split, season)


class _Trainer:
    """Trains models one after the other, and keeps account of them for the checkpoint.

    finished: the members that were trained, those of an earlier process included
    sizes: the number of members of each part
    stop: what ended the training; None if nothing did
    """

    def __init__(
        self, settings: Settings, verbose: int, checkpoint: Checkpoint | None, ended: Callable[[], None]
    ) -> None:
        self._settings, self._verbose, self._checkpoint, self._ended = settings, verbose, checkpoint, ended
        self._resume = checkpoint is not None and checkpoint.path.exists()
        self._earlier = _members_in(checkpoint) if checkpoint is not None and self._resume else []
        self.finished: list[Member] = []
        self.sizes: list[int] = []
        self.stop: Stop | None = None

    def part(self, series: Series, split: Split) -> tuple[Forecaster | None, dict[str, float]]:
        """Train a forecaster on the part before the held-out part. Errors as for `train`.

        Returns:
            The forecaster, None if it was stopped before its first model; and `out_of_fold_rmse`, its error on what
            each model had not learned from.
        """
        settings = self._settings
        rivals = Rivals.choose(series, settings, split)
        inputs = inputs_of(series, settings, split, rivals.season)
        values = series.values[: split.test]
        origins = np.arange(inputs.reach - 1, split.test - inputs.horizon)
        coming = np.append(series.clock[1 : split.test], series.clock[-1])
        x, y = inputs.windows(values, coming, origins), inputs.targets(values, origins)
        digest = _digest(inputs, series, x)
        shape = Shape(inputs.window, x.shape[2], inputs.horizon, isinstance(inputs, RuleInputs))
        models, parts = [], []
        for number, fold in enumerate(_folds(settings, split, origins)):
            samples = _samples(x, y, fold, digest)
            set_seed(settings.seed + number)
            model = self._member(samples, shape, number)
            if model is not None:
                models.append(model)
                parts.append(fold.validation)
            if self.stop is not None:
                break
        self.sizes.append(len(models))
        if not models:
            return None, {}
        device = settings.device
        if self.stop is not None and self.stop.failure is not None:
            # The device's memory is lost, or the weights are not finite: continue on the CPU.
            device = "cpu"
            models = [_with_weights(each, settings, shape, device) for each in self.finished[-len(models) :]]
        blocks = settings.horizon // inputs.horizon
        mean = _mean_of(models, settings, shape, device)
        forecaster = Forecaster(mean, inputs, series.columns, rivals, blocks=blocks)
        return _with_intervals(forecaster, settings, models, parts, values, coming, origins)

    def _member(self, samples: Samples, shape: Shape, number: int) -> Sequential | None:
        """Train the next model, or make it from the checkpoint."""
        settings, several = self._settings, self._settings.ensemble > 1
        index = len(self.finished)
        if index < len(self._earlier):
            self.finished.append(self._earlier[index])
            return _with_weights(self._earlier[index], settings, shape, settings.device)
        model = member.make_model(settings, shape, settings.device, 0 if several else self._verbose)
        resume, self._resume = self._resume, False
        fit = fit_model(
            model, samples, member.choices_of(settings, samples.inputs.shape), list(self.finished),
            0 if several else self._verbose, self._checkpoint, resume, self._ended,
        )  # fmt: skip
        self.stop = fit.stop
        if fit.member is None:
            return None
        self.finished.append(fit.member)
        if several and self._verbose:
            self._tell(fit, number)
        return model

    def _tell(self, fit: Fit, number: int) -> None:
        assert fit.member is not None
        history = fit.member.history
        best = min(history.get("val_loss") or history.get("loss") or [np.nan])
        what = "refit" if self.sizes else "model"
        say(
            f"{what} {number + 1}/{self._settings.ensemble}: {len(history.get('loss', []))} epochs, best val_loss"
            f" {best:.4f}, {fit.member.seconds:.1f} s\n"
        )


def _digest(inputs: Inputs, series: Series, x: np.ndarray) -> str:
    """What identifies the data: without a rule the scaled values alone, as in checkpoints of earlier versions."""
    seen = [inputs.scaled(series.values)] if isinstance(inputs, PlainInputs) else [series.values, x]
    digest = hashlib.sha256()
    for array in seen:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _folds(settings: Settings, split: Split, origins: np.ndarray) -> list[Fold]:
    """What each member learns from and stops by."""
    horizon = settings.outputs
    if settings.ensemble > 1:
        return contiguous(len(origins), settings.ensemble, settings.horizon)
    index = np.arange(len(origins))
    first = origins + 1
    return [Fold(index[first + horizon <= split.validation], index[first >= split.validation])]


def _samples(x: np.ndarray, y: np.ndarray, fold: Fold, digest: str) -> Samples:
    validation = (_rows(x, fold.validation), _rows(y, fold.validation)) if len(fold.validation) else None
    return Samples(_rows(x, fold.training), _rows(y, fold.training), validation, digest)


def _rows(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Rows of an array; without a copy if they follow each other."""
    follow = len(index) and index[-1] - index[0] + 1 == len(index)
    return array[index[0] : index[-1] + 1] if follow else array[index]


def _mean_of(models: list[Sequential], settings: Settings, shape: Shape, device: str) -> Model:
    """One model whose output is the mean of the outputs of several."""
    if len(models) == 1:
        return models[0]
    inputs = Input((shape.window, shape.features))
    model = Model(inputs, layers.Average()([each(inputs) for each in models]))
    model.compile(member.optimizer_of(settings), LOSS, device=device)
    return model


def _with_intervals(
    forecaster: Forecaster,
    settings: Settings,
    models: list[Sequential],
    parts: list[np.ndarray],
    values: np.ndarray,
    coming: np.ndarray,
    origins: np.ndarray,
) -> tuple[Forecaster, dict[str, float]]:
    """Add the intervals that follow from each model's errors on the part that it had not learned from."""
    inputs, horizon = forecaster.inputs, forecaster.horizon
    held = [origins[part][origins[part] + horizon < len(values)] for part in parts]
    if not any(len(at) for at in held) or (settings.ensemble == 1 and not settings.levels):
        return forecaster, {}
    true = np.lib.stride_tricks.sliding_window_view(values[:, 0], horizon)
    found, squares = [], []
    for model, at in zip(models, held, strict=True):
        if not len(at):
            continue
        forecast = replace(forecaster, model=model).transformed(values, coming, at)
        found.append((inputs.transform(true[at + 1]) - forecast) / inputs.spread(values, at)[:, None])
        with np.errstate(over="ignore", invalid="ignore"):
            squares.append((inputs.restore(forecast) - true[at + 1]) ** 2)
    rmse = float(np.sqrt(np.mean(np.concatenate(squares))))
    scores = {"out_of_fold_rmse": rmse} if np.isfinite(rmse) else {}
    return replace(forecaster, intervals=Intervals.fit(np.concatenate(found), settings.levels)), scores


def _measured(forecaster: Forecaster, series: Series, split: Split) -> tuple[dict[str, Any], str | None]:
    """The errors on the held-out part, or none and the reason: it must not cost the training."""
    try:
        return measure(forecaster.over(series, split.test)), None
    except (ValueError, MemoryError) as error:
        return {}, str(error) or "not enough memory"


def _chosen(forecaster: Forecaster, split: Split) -> dict[str, Any]:
    """What was chosen, for metrics.json."""
    inputs = forecaster.inputs
    chosen: dict[str, Any] = {"season": forecaster.rivals.season, "window": inputs.window, "fitted_rows": split.test}
    if isinstance(inputs, RuleInputs):
        chosen |= {"rule": inputs.rule, "transform": inputs.transform_.name, "calendar": list(inputs.calendar)}
    return chosen


def _members_in(checkpoint: Checkpoint) -> list[Member]:
    """The members that a checkpoint keeps beside the one that it is of.

    Raises:
        CheckpointError, numlstm.formats.tensors.ModelFileError: the file is damaged.
    """
    state = training_state(tensors.read(checkpoint.path), checkpoint.path)
    try:
        watch = next(each["state"] for each in state["callbacks"] if each["class"] == "_Watch")
        return [Member(**kept) for kept in watch.get("finished", [])]
    except (AttributeError, KeyError, StopIteration, TypeError) as error:
        raise CheckpointError("the checkpoint is none of a forecast") from error


def _with_weights(kept: Member, settings: Settings, shape: Shape, device: str) -> Sequential:
    """Make the model of a member; CheckpointError if the weights are those of another model."""
    model = member.make_model(settings, shape, device, 0)
    try:
        model.set_weights(kept.weights)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint keeps weights of another model: {error}") from error
    return model


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that `train` calls with these settings and a single column."""
    assert settings.window is not None
    return member.kernels_used(settings, Shape(settings.window, 1, settings.horizon, False))
