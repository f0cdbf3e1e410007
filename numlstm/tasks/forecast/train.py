"""Train a forecaster on the first part of a series, stop by the second part, and measure it on the last part."""

from __future__ import annotations

import hashlib
import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import callbacks, checks, layers, losses, optimizers
from numlstm.backend import DeviceError
from numlstm.data.scaling import Scaler
from numlstm.data.series import Series
from numlstm.data.windows import sliding_windows
from numlstm.kernels import RecurrentUse
from numlstm.model import Sequential
from numlstm.override import override
from numlstm.seeds import set_seed
from numlstm.tasks.forecast.forecaster import Forecaster, learned, measure
from numlstm.tasks.forecast.rules import Rivals
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split
from numlstm.training import compiled
from numlstm.training.interruption import Interrupted

__all__ = ["Checkpoint", "Training", "fit_scaler", "kernels_used", "train"]

_LOSS = "mean_squared_error"


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of a training is kept. If the file exists, the training goes on from it.

    path: the file
    every: the time or the number of steps between two checkpoints, as for `Sequential.fit`
    """

    path: Path
    every: str | int


@dataclass(frozen=True)
class Training:
    """The result of a training.

    history: "loss" and, with a validation part, "val_loss", for each finished epoch
    metrics: the result of `measure` on the held-out part, with the final loss, epochs, seconds, backend, kernel name,
        and whether the training was interrupted, so that it can go on
    signal: the number of the signal that stopped the training; None if none did
    failure: the error of the device that stopped the training, or which loss is not finite; None if nothing failed
    unmeasured: why the errors on the held-out part are not in `metrics`; None if they are
    """

    forecaster: Forecaster
    split: Split
    history: dict[str, list[float]]
    metrics: dict[str, Any]
    signal: int | None
    failure: str | None
    unmeasured: str | None


def train(
    series: Series,
    settings: Settings,
    verbose: int = 1,
    checkpoint: Checkpoint | None = None,
    fitted: Callable[[], None] = lambda: None,
) -> Training:
    """Train a forecaster and measure it on the held-out part.

    The scaler and the gradients never use a value from the validation or the held-out part. After a signal or an error
    of the device, the training ends early and keeps the learned weights. When a loss becomes NaN or infinite, it ends
    with the weights of the last epoch before, or of the best one with a patience.

    Args:
        series: the series, without missing values; see `numlstm.data.complete`.
        settings: the settings.
        verbose: as for `Sequential.fit`.
        checkpoint: where the state of the training is kept; None: nowhere.
        fitted: called as soon as the training has ended, before it is measured.

    Raises:
        ValueError: the series is too short, or the loss becomes NaN or infinite in the first epoch.
        KeyboardInterrupt: a signal came before anything was learned.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    split = Split.of(len(series), settings)
    rivals = Rivals.choose(series, settings, split)
    scaler = fit_scaler(series, settings, split)
    scaled = scaler.transform(learned(series.values, settings))
    set_seed(settings.seed)
    model = _compiled(settings, len(series.columns), settings.device, verbose)
    outcome = _fit(model, scaled, split, settings, verbose, checkpoint, fitted)
    if outcome.watch.failure is not None and outcome.weights is None:
        if checkpoint is not None:
            checkpoint.path.unlink(missing_ok=True)  # A training that goes on from it fails again.
        raise ValueError(outcome.watch.failure)
    backend, kernel_name = model.backend_name, model.kernel_name
    if outcome.failure is not None:
        assert outcome.weights is not None
        # The device's memory is lost, or the weights are not finite: continue on the CPU.
        model = _compiled(settings, len(series.columns), "cpu", verbose)
        model.set_weights(outcome.weights)

    forecaster = Forecaster(model, scaler, settings, series.columns, rivals)
    errors, unmeasured = _measured(forecaster, series, split)
    loss = outcome.history.get("loss", [])
    metrics = errors | {
        "loss": loss[-1] if loss else None,
        "epochs": len(loss),
        "interrupted": outcome.interrupted,
        "seconds": round(outcome.seconds, 3),
        "backend": backend,
        "kernel_name": kernel_name,
    }
    return Training(forecaster, split, outcome.history, metrics, outcome.signal, outcome.failure, unmeasured)


def fit_scaler(series: Series, settings: Settings, split: Split) -> Scaler:
    """Fit the scaler on the training part."""
    return Scaler.fit(learned(series.values, settings)[: split.validation - settings.difference], settings.scaling)


@dataclass(frozen=True)
class _Outcome:
    """What `_fit` leaves beside the model. Names as in `Training`.

    seconds: the time that it took
    """

    history: dict[str, list[float]]
    signal: int | None
    device_failure: str | None
    seconds: float
    watch: _Watch
    stopping: callbacks.EarlyStopping | None

    @property
    def failure(self) -> str | None:
        return self.watch.failure or self.device_failure

    @property
    def interrupted(self) -> bool:
        return self.watch.failure is None and (self.signal is not None or self.device_failure is not None)

    @property
    def weights(self) -> list[np.ndarray] | None:
        """The weights that survive a failure: those of the best epoch with a patience, otherwise of the last one."""
        best = None if self.stopping is None or self.watch.weights is None else self.stopping.best_weights
        return best or self.watch.weights


def _fit(
    model: Sequential,
    scaled: np.ndarray,
    split: Split,
    settings: Settings,
    verbose: int,
    checkpoint: Checkpoint | None,
    fitted: Callable[[], None],
) -> _Outcome:
    """Fit the model to the training part of the scaled series, [N, C]. Errors as for `train`."""
    validation = _windows(scaled, split.validation, split.test, settings) if split.validation < split.test else None
    inputs, targets = _windows(scaled, 0, split.validation, settings)
    watch, stopping = _Watch(settings.learning_rate, hashlib.sha256(scaled.tobytes()).hexdigest()), None
    if settings.patience and validation is not None:
        stopping = callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True)
    hooks = [watch] if stopping is None else [watch, stopping]
    path, every = (None, "60s") if checkpoint is None else (checkpoint.path, checkpoint.every)
    number, failure = None, None
    begin = time.perf_counter()
    try:
        model.fit(
            inputs, targets, batch_size=settings.batch_size, epochs=settings.epochs, validation_data=validation,
            callbacks=hooks, verbose=verbose, checkpoint=path, checkpoint_every=every,
            resume=path if path is not None and path.exists() else None,
        )  # fmt: skip
    except KeyboardInterrupt as stop:
        fitted()
        if not _history_of(model) and (path is None or not path.exists()):
            raise
        number = stop.signal if isinstance(stop, Interrupted) else int(signal.SIGINT)
        for hook in hooks:
            hook.on_train_end()
    except DeviceError as error:
        if watch.weights is None:
            raise
        failure = str(error)
    fitted()
    seconds = time.perf_counter() - begin
    return _Outcome(_finite(_history_of(model)), number, failure, seconds, watch, stopping)


def _windows(scaled: np.ndarray, start: int, stop: int, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The windows whose targets lie in [start, stop) of the series. Their inputs may begin before `start`."""
    lag = int(settings.difference)
    begin = max(start - settings.window - lag, 0)
    return sliding_windows(scaled[begin : stop - lag], settings.window, settings.horizon)


def _finite(history: dict[str, list[float]]) -> dict[str, list[float]]:
    """The epochs before the first one with a loss that is not finite."""
    bad = [epoch for numbers in history.values() for epoch, value in enumerate(numbers) if not math.isfinite(value)]
    return {name: numbers[: min(bad)] if bad else numbers for name, numbers in history.items()}


def _measured(forecaster: Forecaster, series: Series, split: Split) -> tuple[dict[str, Any], str | None]:
    """The errors on the held-out part, or none and the reason: it must not cost the training."""
    try:
        return measure(forecaster.over(series, split.test)), None
    except (ValueError, MemoryError) as error:
        return {}, str(error) or "not enough memory"


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that `train` calls with these settings, as arguments of `Backend.prepare`."""
    choices = compiled.Compiled(_optimizer(settings), [compiled.OutputChoice(losses.get(_LOSS))], device="cpu")
    return compiled.kernels_used(_make_model(settings, columns=1), choices)


def _make_model(settings: Settings, columns: int) -> Sequential:
    H = settings.units
    count = 4 * H * (columns + H + 1) + (settings.layers - 1) * 4 * H * (2 * H + 1) + (H + 1) * settings.horizon
    # Weights, gradients and the two moments of Adam in float32.
    checks.fits(16 * count, f"a model of {settings.layers} x {H} units")
    model = Sequential()
    for number in range(settings.layers):
        shape = (settings.window, columns) if number == 0 else None
        model.add(layers.LSTM(settings.units, return_sequences=number < settings.layers - 1, input_shape=shape))
    model.add(layers.Dense(settings.horizon))
    return model


def _compiled(settings: Settings, columns: int, device: str, verbose: int) -> Sequential:
    model = _make_model(settings, columns)
    model.compile(_optimizer(settings), _LOSS, device=device, verbose=verbose)
    return model


def _history_of(model: Sequential) -> dict[str, list[float]]:
    return model.history.history if model.history else {}


def _optimizer(settings: Settings) -> optimizers.Optimizer:
    config = {"learning_rate": settings.learning_rate, "global_clipnorm": settings.clip_norm or None}
    return optimizers.get({"class_name": settings.optimizer, "config": config})


class _Watch(callbacks.Callback):
    """Copies the weights to the host after every epoch, and ends the training when a loss is NaN or infinite.

    weights: the weights after the last epoch with finite losses; they survive an error of the device
    failure: a sentence on the loss that is not finite

    Args:
        learning_rate: The learning rate, for the sentence.
        data: A digest of the data, which a training that goes on must have.
    """

    def __init__(self, learning_rate: float, data: str) -> None:
        self._learning_rate, self._data = learning_rate, data
        self.weights: list[np.ndarray] | None = None
        self.failure: str | None = None

    @override
    def state(self) -> dict[str, Any]:
        return {"weights": self.weights, "failure": self.failure, "data": self._data}

    @override
    def set_state(self, state: dict[str, Any]) -> None:
        if state["data"] != self._data:
            raise ValueError(
                "the data or the settings of the run are not those of its checkpoint: put its data.csv and config.json"
                " back"
            )
        self.weights, self.failure = state["weights"], state["failure"]

    @override
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        wrong = next((name for name, value in (logs or {}).items() if not math.isfinite(value)), None)
        if wrong is None:
            self.weights = self.model.get_weights()
            return
        self.failure = self.failure or (
            f"{wrong} is no longer a finite number in epoch {epoch + 1}{self._steps(wrong)}: train with a learning rate"
            f" below {self._learning_rate:g}, or with the values scaled"
        )
        self.model.stop_training = True

    def _steps(self, name: str) -> str:
        """The steps by which the loss can have become NaN, as words."""
        steps = self.model.history.not_finite
        if name != "loss" or steps is None:
            return ""
        first, last = steps
        return f", step {first}" if first == last else f", steps {first} to {last}"
