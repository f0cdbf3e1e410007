"""One model of a forecast: its layers, and its training until a loss, a signal or an error of the device ends it."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import callbacks, checks, layers, losses, optimizers
from numlstm.backend import DeviceError
from numlstm.kernels import RecurrentUse
from numlstm.model import Sequential
from numlstm.override import override
from numlstm.tasks.forecast.settings import Settings
from numlstm.training import compiled
from numlstm.training.interruption import Interrupted

__all__ = [
    "LOSS", "Checkpoint", "Fit", "Member", "Samples", "Shape", "Stop", "fit_member", "kernels_used", "make_model",
    "optimizer_of",
]  # fmt: skip

LOSS = "mean_squared_error"
_EPOCHS = 200
_STEPS = 6_000_000
"""Steps of windows that a model may take where the epochs are not given: about 1.5 seconds, with 32 units on two cores
of a Xeon of the fourth generation, November 2026."""
_FEWEST_EPOCHS = 5
_MANY = 1000
"""Windows from which batches are larger."""
_LONG = 5000
"""Windows from which the patience is shorter."""


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of a training is kept. If the file exists, the training goes on from it.

    path: the file
    every: the time or the number of steps between two checkpoints, as for `Sequential.fit`
    """

    path: Path
    every: str | int


@dataclass(frozen=True)
class Shape:
    """The sizes of a model.

    window: input steps
    features: inputs of a step
    horizon: outputs
    adds: whether the output is added to a rule, so that it begins as 0
    """

    window: int
    features: int
    horizon: int
    adds: bool


@dataclass(frozen=True)
class Samples:
    """What a model is fitted to.

    inputs, targets: [K, W, F] and [K, H]
    validation: the same for the validation loss; None: there is none
    digest: identifies the data, which a training that goes on must have
    """

    inputs: np.ndarray
    targets: np.ndarray
    validation: tuple[np.ndarray, np.ndarray] | None
    digest: str


@dataclass(frozen=True)
class Member:
    """A trained model, without the model.

    weights: its weights
    history: "loss" and, with a validation part, "val_loss", for each finished epoch
    seconds: the time that the training took
    backend, kernel_name: what it ran on
    """

    weights: list[np.ndarray]
    history: dict[str, list[float]]
    seconds: float
    backend: str
    kernel_name: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as a checkpoint keeps it."""
        return asdict(self)


@dataclass(frozen=True)
class Stop:
    """What ended a training early.

    signal: the number of the signal; None if none did
    failure: the error of the device, or which loss is not finite; None if nothing failed
    interrupted: whether the training can go on
    """

    signal: int | None
    failure: str | None
    interrupted: bool


@dataclass(frozen=True)
class Fit:
    """The result of `fit_member`.

    member: None if nothing was learned
    stop: None if the training came to its end. With a failure, the model itself is lost, or its weights are not finite
    """

    member: Member | None
    stop: Stop | None


def fit_member(
    model: Sequential,
    samples: Samples,
    settings: Settings,
    finished: list[Member],
    verbose: int,
    checkpoint: Checkpoint | None,
    resume: bool,
    ended: Callable[[], None],
) -> Fit:
    """Fit a compiled model.

    Args:
        model: the model.
        samples: what it is fitted to.
        settings: the settings.
        finished: the members before it, which its checkpoints keep.
        verbose: as for `Sequential.fit`.
        checkpoint: where the state of the training is kept; None: nowhere.
        resume: whether it goes on from the checkpoint.
        ended: called as soon as a signal has ended the training.

    Raises:
        ValueError: the loss becomes NaN or infinite in the first epoch.
        KeyboardInterrupt: a signal came before anything was learned, by this member or one before.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    count, window = samples.inputs.shape[:2]
    watch, stopping = _Watch(settings.learning_rate, samples.digest, finished), None
    patience = (6 if count >= _LONG else 20) if settings.patience is None else settings.patience
    epochs = settings.epochs or min(_EPOCHS, max(_FEWEST_EPOCHS, _STEPS // (count * window)))
    if patience and samples.validation is not None:
        stopping = callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    hooks = [watch] if stopping is None else [watch, stopping]
    path, every = (None, "60s") if checkpoint is None else (checkpoint.path, checkpoint.every)
    number, lost = None, None
    begin = time.perf_counter()
    try:
        model.fit(
            samples.inputs, samples.targets, batch_size=batch_size(settings, count), epochs=epochs,
            validation_data=samples.validation, callbacks=hooks, verbose=verbose, checkpoint=path,
            checkpoint_every=every, resume=path if resume else None,
        )  # fmt: skip
    except KeyboardInterrupt as stop:
        ended()
        if not finished and not _history_of(model) and (path is None or not path.exists()):
            raise
        number = stop.signal if isinstance(stop, Interrupted) else int(signal.SIGINT)
        for hook in hooks:
            hook.on_train_end()
    except DeviceError as error:
        if watch.weights is None and not finished:
            raise
        lost = str(error)
    seconds = time.perf_counter() - begin
    return _result(model, watch, stopping, number, lost, seconds, path)


def _result(
    model: Sequential,
    watch: _Watch,
    stopping: callbacks.EarlyStopping | None,
    number: int | None,
    lost: str | None,
    seconds: float,
    path: Path | None,
) -> Fit:
    """What is left of a training that a signal, a lost device or a loss may have ended."""
    # Weights that survive a failure: those of the best epoch with a patience, otherwise of the last one.
    best = None if stopping is None or watch.weights is None else stopping.best_weights
    weights: list[np.ndarray] | None = best or watch.weights
    failure = watch.failure or lost
    stop = None
    if failure is not None or number is not None:
        stop = Stop(number, failure, watch.failure is None)
    if failure is not None and weights is None:
        if watch.failure is not None and not watch.finished:
            if path is not None:
                path.unlink(missing_ok=True)  # A training that goes on from it fails again.
            raise ValueError(watch.failure)
        return Fit(None, stop)
    history = _finite(_history_of(model))
    if number is not None and not history.get("loss") and watch.finished:
        return Fit(None, stop)  # The members before it are worth more without it.
    member = Member(
        weights if failure is not None and weights is not None else model.get_weights(),
        history, seconds, model.backend_name, model.kernel_name,
    )  # fmt: skip
    return Fit(member, stop)


def batch_size(settings: Settings, windows: int) -> int:
    """The windows in a training step."""
    return settings.batch_size or (64 if windows >= _MANY else 32)


def _finite(history: dict[str, list[float]]) -> dict[str, list[float]]:
    """The epochs before the first one with a loss that is not finite."""
    bad = [epoch for numbers in history.values() for epoch, value in enumerate(numbers) if not math.isfinite(value)]
    return {name: numbers[: min(bad)] if bad else numbers for name, numbers in history.items()}


def kernels_used(settings: Settings, shape: Shape) -> list[str | RecurrentUse]:
    """The contract's functions that a training calls with these settings, as arguments of `Backend.prepare`."""
    choices = compiled.Compiled(optimizer_of(settings), [compiled.OutputChoice(losses.get(LOSS))], device="cpu")
    return compiled.kernels_used(_model(settings, shape), choices)


def make_model(settings: Settings, shape: Shape, device: str, verbose: int) -> Sequential:
    """Make and compile a model with new weights."""
    model = _model(settings, shape)
    model.compile(optimizer_of(settings), LOSS, device=device, verbose=verbose)
    return model


def _model(settings: Settings, shape: Shape) -> Sequential:
    H = settings.units
    count = 4 * H * (shape.features + H + 1) + (settings.layers - 1) * 4 * H * (2 * H + 1) + (H + 1) * shape.horizon
    # Weights, gradients and the two moments of Adam in float32.
    checks.fits(16 * count, f"a model of {settings.layers} x {H} units")
    model = Sequential()
    for number in range(settings.layers):
        first = (shape.window, shape.features) if number == 0 else None
        model.add(layers.LSTM(settings.units, return_sequences=number < settings.layers - 1, input_shape=first))
    model.add(layers.Dense(shape.horizon, kernel_initializer="zeros" if shape.adds else "glorot_uniform"))
    return model


def optimizer_of(settings: Settings) -> optimizers.Optimizer:
    """A new optimizer."""
    config = {"learning_rate": settings.learning_rate, "global_clipnorm": settings.clip_norm or None}
    return optimizers.get({"class_name": settings.optimizer, "config": config})


def _history_of(model: Sequential) -> dict[str, list[float]]:
    return model.history.history if model.history else {}


class _Watch(callbacks.Callback):
    """Copies the weights to the host after every epoch, and ends the training when a loss is NaN or infinite.

    weights: the weights after the last epoch with finite losses; they survive an error of the device
    failure: a sentence on the loss that is not finite
    finished: the members before this one

    Args:
        learning_rate: The learning rate, for the sentence.
        data: A digest of the data, which a training that goes on must have.
        finished: The members before this one, for the checkpoint.
    """

    def __init__(self, learning_rate: float, data: str, finished: list[Member]) -> None:
        self._learning_rate, self._data, self.finished = learning_rate, data, finished
        self._kept = [member.to_dict() for member in finished]
        self.weights: list[np.ndarray] | None = None
        self.failure: str | None = None

    @override
    def state(self) -> dict[str, Any]:
        return {"weights": self.weights, "failure": self.failure, "data": self._data, "finished": self._kept}

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
