"""Fit one model of a task, until its epochs, its patience, a loss, a signal or an error of the device ends it."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numlstm import callbacks
from numlstm.backend import DeviceError
from numlstm.formats import tensors
from numlstm.model import Model
from numlstm.override import override
from numlstm.saved import training_state
from numlstm.terminal import MovingLine, say
from numlstm.training.checkpoint import CheckpointError
from numlstm.training.interruption import Interrupted

__all__ = ["Checkpoint", "Choices", "Fit", "Member", "Samples", "Stop", "fit_model", "members_in", "tell"]


_PAUSE = 0.1
"""Seconds between two texts of the line that tells of epochs."""


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of a training is kept. If the file exists, the training goes on from it.

    path: the file
    every: the time or the number of steps between two checkpoints, as for `Model.fit`
    """

    path: Path
    every: str | int


@dataclass(frozen=True)
class Samples:
    """What a model is fitted to.

    inputs, targets: K samples each; or a source of batches by number, as for `Model.fit`, and None
    validation: the same for the validation loss, maybe with weights, or a source of batches; None: there is none
    digest: identifies the data, which a training that goes on must have
    weights: K weights in the loss; None: ones
    """

    inputs: Any
    targets: np.ndarray | None
    validation: Any
    digest: str
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Choices:
    """How a model is fitted.

    epochs: maximal number of passes over the samples
    batch_size: samples in a training step; None: the source of batches decides
    patience: epochs without a better validation loss after which training stops with the best weights; 0: never
    learning_rate: that of the optimizer, for the sentence on a loss that is not finite
    steps: batches in an epoch; None: all
    goal: tells from the losses and metrics of an epoch whether training has reached its end; None: it never does
    shuffle: whether the samples are shuffled; not those of a stateful model, whose batches continue each other
    """

    epochs: int
    batch_size: int | None
    patience: int
    learning_rate: float
    steps: int | None = None
    goal: Callable[[dict[str, float]], bool] | None = None
    shuffle: bool = True


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
    """The result of `fit_model`.

    member: None if nothing was learned
    stop: None if the training came to its end. With a failure, the model itself is lost, or its weights are not finite
    """

    member: Member | None
    stop: Stop | None


def fit_model(
    model: Model,
    samples: Samples,
    choices: Choices,
    finished: list[Member],
    verbose: int,
    checkpoint: Checkpoint | None,
    resume: bool,
    ended: Callable[[], None],
    title: str = "",
) -> Fit:
    """Fit a compiled model.

    Args:
        model: the model.
        samples: what it is fitted to.
        choices: how it is fitted.
        finished: the members before it, which its checkpoints keep.
        verbose: as for `Model.fit`.
        checkpoint: where the state of the training is kept; None: nowhere.
        resume: whether it goes on from the checkpoint.
        ended: called as soon as a signal has ended the training.
        title: what a moving line on a terminal begins with, which tells of the last epoch; "": there is no such line.

    Raises:
        ValueError: the loss becomes NaN or infinite in the first epoch.
        KeyboardInterrupt: a signal came before anything was learned, by this member or one before.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    line = _Line(title, choices.epochs)
    watch, stopping = _Watch(choices.learning_rate, samples.digest, finished, line), None
    if choices.patience and samples.validation is not None:
        stopping = callbacks.EarlyStopping("val_loss", patience=choices.patience, restore_best_weights=True)
    hooks: list[callbacks.Callback] = [watch] if stopping is None else [watch, stopping]
    if choices.goal is not None:
        hooks.append(_Goal(choices.goal))
    path, every = (None, "60s") if checkpoint is None else (checkpoint.path, checkpoint.every)
    number, lost = None, None
    begin = time.perf_counter()
    try:
        model.fit(
            samples.inputs, samples.targets, batch_size=choices.batch_size, epochs=choices.epochs,
            validation_data=samples.validation, callbacks=hooks, verbose=verbose, checkpoint=path,
            checkpoint_every=every, resume=path if resume else None, sample_weight=samples.weights,
            steps_per_epoch=choices.steps, shuffle=choices.shuffle,
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
    finally:
        line.erase()
    seconds = time.perf_counter() - begin
    return _result(model, watch, stopping, number, lost, seconds, path)


def tell(title: str, member: Member, patience: int = 0) -> None:
    """Tell in a line what became of a model, with its title if it is one of several.

    patience: with more than 0, the model has the weights of its best epoch
    """
    losses = member.history.get("val_loss") or member.history.get("loss") or [math.nan]
    best, epochs = min(losses), len(losses)
    epoch = losses.index(best) + 1
    text = f"{epochs} epochs, best val_loss {best:.4f} in epoch {epoch}"
    if patience and epoch < epochs:
        text += ", whose weights are restored"
        text = f"stopped after {text}" if epochs - epoch >= patience else text
    say(f"{title}: {text}, {member.seconds:.1f} s\n" if title else f"{text[0].upper()}{text[1:]}\n")


def members_in(checkpoint: Path) -> list[Member]:
    """The members that a checkpoint keeps beside the one that it is of.

    Raises:
        CheckpointError, numlstm.formats.tensors.ModelFileError: the file is damaged.
    """
    state = training_state(tensors.read(checkpoint), checkpoint)
    try:
        watch = next(each["state"] for each in state["callbacks"] if each["class"] == "_Watch")
        return [Member(**kept) for kept in watch.get("finished", [])]
    except (AttributeError, KeyError, StopIteration, TypeError) as error:
        raise CheckpointError("the checkpoint is none of a task's training") from error


def _result(
    model: Model,
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


def _finite(history: dict[str, list[float]]) -> dict[str, list[float]]:
    """The epochs before the first one with a loss that is not finite."""
    bad = [epoch for numbers in history.values() for epoch, value in enumerate(numbers) if not math.isfinite(value)]
    return {name: numbers[: min(bad)] if bad else numbers for name, numbers in history.items()}


def _history_of(model: Model) -> dict[str, list[float]]:
    return model.history.history if model.history else {}


class _Goal(callbacks.Callback):
    """Ends the training after the epoch that reaches its goal."""

    def __init__(self, reached: Callable[[dict[str, float]], bool]) -> None:
        self._reached = reached

    @override
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._reached(logs or {}):
            self.model.stop_training = True


class _Line(MovingLine):
    """Tells of the last epoch of one of several models. Without a title, it tells nothing."""

    def __init__(self, title: str, epochs: int) -> None:
        super().__init__(pause=_PAUSE)
        self._title, self._epochs = title, epochs

    def tell(self, epoch: int, logs: dict[str, float]) -> None:
        """Show the losses and metrics of an epoch, counted from 0."""
        if self._title:
            numbers = "".join(f", {name} {value:.4g}" for name, value in logs.items())
            self.show(f"{self._title}: epoch {epoch + 1}/{self._epochs}{numbers}")


class _Watch(callbacks.Callback):
    """Copies the weights to the host after every epoch, and ends the training when a loss is NaN or infinite.

    The states of a stateful model begin with zeros in each epoch and each validation.

    weights: the weights after the last epoch with finite losses; they survive an error of the device
    failure: a sentence on the loss that is not finite
    finished: the members before this one

    Args:
        learning_rate: The learning rate, for the sentence.
        data: A digest of the data, which a training that goes on must have.
        finished: The members before this one, for the checkpoint.
        line: The line that tells of the epochs.
    """

    def __init__(self, learning_rate: float, data: str, finished: list[Member], line: _Line) -> None:
        self._learning_rate, self._data, self.finished, self._line = learning_rate, data, finished, line
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
    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self.model.reset_states()

    @override
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._line.tell(epoch, logs or {})
        self.model.reset_states()  # Not when an epoch begins: a training that goes on begins amid one.
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
