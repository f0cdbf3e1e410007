"""Train a forecaster on the first part of a series, stop by the second part, and measure it on the last part."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import callbacks, checks, layers, losses, optimizers
from numlstm.backend import DeviceError
from numlstm.data.scaling import Scaler
from numlstm.data.series import Series
from numlstm.data.windows import sliding_windows
from numlstm.kernels import RecurrentUse
from numlstm.model import Sequential
from numlstm.seeds import set_seed
from numlstm.tasks.forecast.forecaster import Forecaster, learned, measure
from numlstm.tasks.forecast.settings import Settings
from numlstm.training import compiled

__all__ = ["Split", "Training", "kernels_used", "train"]

_LOSS = "mean_squared_error"


@dataclass(frozen=True)
class Split:
    """The parts of a series, as step indices.

    validation: the end of the training part and the start of the validation part
    test: the end of the validation part and the start of the held-out part
    steps: N, the end of the held-out part

    Raises:
        TypeError: an index is not an integer.
        ValueError: the training part or the held-out part is empty, or the indices are not in order.
    """

    validation: int
    test: int
    steps: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            checks.integer(value, f"{name} of the split")
        if not self.validation <= self.test < self.steps:
            raise ValueError(f"the parts of the split must follow each other, not {self}")

    @classmethod
    def of(cls, steps: int, settings: Settings) -> Split:
        """Split a series of this number of steps by the settings' fractions.

        Raises:
            ValueError: a part is too short for a single window.
        """
        held_out = max(1, round(steps * settings.test_fraction))
        chosen_on = math.ceil(steps * settings.validation_fraction)
        validation, test = steps - held_out - chosen_on, steps - held_out
        reach, horizon = settings.window + settings.difference, settings.horizon
        for part, have, need in (
            ("training", validation, reach + horizon),
            ("validation", chosen_on, min(chosen_on, 1) * horizon),
            ("held-out", held_out, horizon),
        ):
            if have < need:
                raise ValueError(
                    f"the {part} part has {max(have, 0)} of the {steps} rows, but a window of {settings.window} and a"
                    f" horizon of {horizon} need {need}: give more rows or a shorter window"
                )
        return cls(validation, test, steps)


@dataclass(frozen=True)
class Training:
    """The result of a training.

    history: "loss" and, with a validation part, "val_loss", for each finished epoch
    metrics: the result of `measure` on the held-out part, with the final loss, epochs, seconds, backend and kernel name
    interrupted: whether the user stopped the training
    failure: the error of the device that stopped the training; None without an error
    unmeasured: why the errors on the held-out part are not in `metrics`; None if they are
    """

    forecaster: Forecaster
    split: Split
    history: dict[str, list[float]]
    metrics: dict[str, Any]
    interrupted: bool
    failure: str | None
    unmeasured: str | None


def train(series: Series, settings: Settings, verbose: int = 1) -> Training:
    """Train a forecaster and measure it on the held-out part.

    The scaler and the gradients never use a value from the validation or the held-out part. After Ctrl-C or an error
    of the device, the training ends early and keeps the learned weights.

    Args:
        series: the series, without missing values; see `numlstm.data.complete`.
        settings: the settings.
        verbose: as for `Sequential.fit`.

    Raises:
        ValueError: the series is too short, or the loss becomes NaN or infinite.
        numlstm.backend.DeviceError: the device cannot be used, or fails in the first epoch.
    """
    split = Split.of(len(series), settings)
    reach, lag = settings.window + settings.difference, int(settings.difference)
    seen = learned(series.values, settings)
    scaler = Scaler.fit(seen[: split.validation - lag], settings.scaling)
    scaled = scaler.transform(seen)

    def windows(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows whose targets lie in [start, stop). Their inputs may begin before `start`."""
        return sliding_windows(scaled[max(start - reach, 0) : stop - lag], settings.window, settings.horizon)

    set_seed(settings.seed)
    model = _make_model(settings, len(series.columns))
    model.compile(_optimizer(settings), _LOSS, device=settings.device, verbose=verbose)

    validation = windows(split.validation, split.test) if split.validation < split.test else None
    hooks, keeper = _callbacks(settings, validation is not None), _Keeper()
    if model.backend_name != "cpu":
        hooks.append(keeper)
    inputs, targets = windows(0, split.validation)
    begin = time.perf_counter()
    interrupted, failure = False, None
    try:
        model.fit(
            inputs, targets, batch_size=settings.batch_size, epochs=settings.epochs, validation_data=validation,
            callbacks=hooks, verbose=verbose,
        )  # fmt: skip
    except KeyboardInterrupt:
        interrupted = True
        for callback in hooks:
            callback.on_train_end()
    except DeviceError as error:
        if keeper.weights is None:
            raise
        failure = str(error)
    seconds = time.perf_counter() - begin
    backend, kernel_name, history = model.backend_name, model.kernel_name, _history_of(model)
    if failure is not None:
        # The device's memory is lost: continue on the CPU with the weights of the last finished epoch.
        model = _make_model(settings, len(series.columns))
        model.compile(_optimizer(settings), _LOSS, device="cpu", verbose=verbose)
        assert keeper.weights is not None
        model.set_weights(keeper.weights)

    forecaster = Forecaster(model, scaler, settings, series.columns)
    errors, unmeasured = _measured(forecaster, series, split)
    metrics = errors | {
        "loss": history["loss"][-1] if history.get("loss") else None,
        "epochs": len(history.get("loss", [])),
        "interrupted": interrupted,
        "seconds": round(seconds, 3),
        "backend": backend,
        "kernel_name": kernel_name,
    }
    return Training(forecaster, split, history, metrics, interrupted, failure, unmeasured)


def _measured(forecaster: Forecaster, series: Series, split: Split) -> tuple[dict[str, Any], str | None]:
    """The errors on the held-out part, or none and the reason: it must not cost the training."""
    try:
        return measure(forecaster.over(series, split.test)), None
    except (ValueError, MemoryError) as error:
        return {}, str(error) or "not enough memory"


def kernels_used(settings: Settings) -> list[str | RecurrentUse]:
    """The contract's functions that `train` calls with these settings, as arguments of `Backend.prepare`."""
    return compiled.kernels_used(_make_model(settings, columns=1), _optimizer(settings), losses.get(_LOSS))


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


def _history_of(model: Sequential) -> dict[str, list[float]]:
    return model.history.history if model.history else {}


def _optimizer(settings: Settings) -> optimizers.Optimizer:
    config = {"learning_rate": settings.learning_rate, "global_clipnorm": settings.clip_norm or None}
    return optimizers.get({"class_name": settings.optimizer, "config": config})


class _Keeper(callbacks.Callback):
    """Copies the weights to the host after every epoch, so that they survive an error of the device."""

    weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.weights = self.model.get_weights()


class _RefuseDivergence(callbacks.Callback):
    """Ends the training with ValueError when a loss is NaN or infinite."""

    def __init__(self, learning_rate: float) -> None:
        self._learning_rate = learning_rate

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        wrong = next((name for name, value in (logs or {}).items() if not math.isfinite(value)), None)
        if wrong:
            raise ValueError(
                f"{wrong} is no longer a finite number in epoch {epoch + 1}: train with a learning rate below"
                f" {self._learning_rate}, or with the values scaled"
            )


def _callbacks(settings: Settings, validated: bool) -> list[callbacks.Callback]:
    chosen: list[callbacks.Callback] = [_RefuseDivergence(settings.learning_rate)]
    if settings.patience and validated:
        chosen.append(callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True))
    return chosen
