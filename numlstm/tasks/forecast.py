"""Forecast a series: learn from its first part, choose on the next, report on the last."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm.backend import DeviceError
from numlstm.data.scaling import Scaler
from numlstm.data.series import Series
from numlstm.data.windows import sliding_windows
from numlstm.tasks.settings import Settings

if TYPE_CHECKING:
    from numlstm.kernels import RecurrentUse
    from numlstm.model import Sequential

__all__ = ["Forecaster", "Forecasts", "Split", "Training", "functions", "measure", "train"]

_LOSS = "mean_squared_error"


@dataclass(frozen=True)
class Split:
    """Steps of a series in chronological parts: training before `validation`, held out from `test` on, N in all."""

    validation: int
    test: int
    steps: int

    @classmethod
    def of(cls, steps: int, settings: Settings) -> Split:
        """Split by the settings' fractions.

        Raises:
            ValueError: a part would be too short for a single window.
        """
        held_out = max(1, round(steps * settings.test_fraction))
        chosen_on = math.ceil(steps * settings.validation_fraction)
        split = cls(steps - held_out - chosen_on, steps - held_out, steps)
        reach, horizon = settings.window + settings.difference, settings.horizon
        for part, have, need in (
            ("training", split.validation, reach + horizon),
            ("validation", chosen_on, min(chosen_on, 1) * horizon),
            ("held-out", held_out, horizon),
        ):
            if have < need:
                raise ValueError(
                    f"the {part} part has {max(have, 0)} of the {steps} rows, but a window of {settings.window} and a"
                    f" horizon of {horizon} need {need}: give more rows or a shorter window"
                )
        return split


@dataclass(frozen=True)
class Forecasts:
    """Forecasts from M origins, each for the H steps after it, in the data's own units.

    first: step of the first forecast's first target; the others follow step by step
    true: [M, H]
    predicted: [M, H]
    persistence: [M, H] the last known value, repeated
    """

    first: int
    true: np.ndarray
    predicted: np.ndarray
    persistence: np.ndarray


@dataclass(frozen=True)
class Forecaster:
    """A model with what it needs to take and give values in the data's own units.

    model: maps [M, window, C] to [M, horizon]
    scaler: of the C columns, or of their differences
    settings: those it was trained with
    columns: C names, the target first
    """

    model: Sequential
    scaler: Scaler
    settings: Settings
    columns: tuple[str, ...]

    @property
    def reach(self) -> int:
        """How many steps up to its origin a forecast is made from."""
        return self.settings.window + self.settings.difference

    def over(self, series: Series, start: int = 0) -> Forecasts:
        """Forecast from every origin whose targets are all known and come no earlier than `start`.

        Raises:
            ValueError: the series is too short.
        """
        horizon = self.settings.horizon
        begin = max(start - self.reach, 0)
        values = series.values[begin:]
        if len(values) < self.reach + horizon:
            raise ValueError(f"{series.name} has {len(series)} rows, but at least {self.reach + horizon} are needed")
        true = np.lib.stride_tricks.sliding_window_view(values[self.reach :, 0], horizon)
        known = values[self.reach - 1 : -horizon, :1]
        return Forecasts(begin + self.reach, true, self._predict(values)[:-horizon], np.broadcast_to(known, true.shape))

    def ahead(self, series: Series, steps: int) -> np.ndarray:
        """Forecast the steps after the end of a series: [steps].

        Steps beyond the horizon take the forecasts before them for known, which needs the target to be the only column.

        Raises:
            ValueError: the series is too short, or the steps go beyond the horizon and there are further columns.
        """
        horizon = self.settings.horizon
        if steps < 1:
            raise ValueError(f"steps must be a whole number from 1 on, not {steps}")
        if steps > horizon and len(self.columns) > 1:
            raise ValueError(
                f"this run forecasts at most {horizon} steps ahead, not {steps}: beyond that it needs future values of"
                f" {', '.join(map(repr, self.columns[1:]))} (train with a horizon of {steps})"
            )
        known = series.values[-self.reach :]
        if len(known) < self.reach:
            raise ValueError(f"{series.name} has {len(series)} rows, but at least {self.reach} are needed")
        blocks: list[np.ndarray] = []
        for _ in range(math.ceil(steps / horizon)):
            blocks.append(self._predict(known)[0])
            if len(self.columns) == 1:
                known = np.concatenate([known, blocks[-1][:, None]])[-self.reach :]
        return np.concatenate(blocks)[:steps]

    def _predict(self, values: np.ndarray) -> np.ndarray:
        """Forecasts [K, H] from every step of values [N, C] that has enough before it: K = N - reach + 1."""
        learned = self.scaler.transform(_learned(values, self.settings))
        inputs = np.lib.stride_tricks.sliding_window_view(learned, self.settings.window, axis=0).transpose(0, 2, 1)
        forecast = self.scaler.inverse(self.model.predict(inputs, batch_size=256, verbose=0).astype(np.float64), 0)
        if self.settings.difference:
            return values[self.reach - 1 :, :1] + np.cumsum(forecast, axis=1)
        return forecast


@dataclass(frozen=True)
class Training:
    """What a training leaves.

    history: "loss" and, with a validation part, "val_loss", for each finished epoch
    metrics: of the held-out part, as `measure` gives them, and what ran
    interrupted: whether the user stopped it
    failure: why the device stopped it, None if it did not
    """

    forecaster: Forecaster
    split: Split
    history: dict[str, list[float]]
    metrics: dict[str, Any]
    interrupted: bool
    failure: str | None


def measure(forecasts: Forecasts) -> dict[str, Any]:
    """Errors in the data's own units, over all origins and steps; `rmse_ratio` is model ÷ persistence.

    The ratio is None where persistence is exact; errors of single steps ahead are listed where there are several.

    Raises:
        ValueError: their squares are beyond all numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        model, naive = forecasts.predicted - forecasts.true, forecasts.persistence - forecasts.true
        rmse, naive_rmse = (float(np.sqrt(np.mean(error**2))) for error in (model, naive))
    if not (math.isfinite(rmse) and math.isfinite(naive_rmse)):
        raise ValueError("the errors are too large to be squared: give the values in a larger unit")
    metrics: dict[str, Any] = {
        "rmse": rmse,
        "mae": float(np.mean(np.abs(model))),
        "persistence_rmse": naive_rmse,
        "persistence_mae": float(np.mean(np.abs(naive))),
        "rmse_ratio": rmse / naive_rmse if naive_rmse > 0 else None,
        "origins": len(model),
    }
    if model.shape[1] > 1:
        metrics["rmse_by_step"] = np.sqrt(np.mean(model**2, axis=0)).tolist()
        metrics["persistence_rmse_by_step"] = np.sqrt(np.mean(naive**2, axis=0)).tolist()
    return metrics


def train(series: Series, settings: Settings, verbose: int = 1) -> Training:
    """Train a forecaster and measure it on the held-out part.

    Neither scaler nor training ever sees a value from the validation or the held-out part. Ctrl-C, or a device that
    fails, ends the training early and keeps what was learned.

    Args:
        series: complete, see `numlstm.data.complete`.
        settings: what to do.
        verbose: as in `Sequential.fit`.

    Raises:
        ValueError: the series is too short, or the loss stops being a number.
        numlstm.backend.DeviceError: the device is not there, or fails in the first epoch.
    """
    import numlstm

    split = Split.of(len(series), settings)
    reach, lag = settings.window + settings.difference, int(settings.difference)
    learned = _learned(series.values, settings)
    scaler = Scaler.fit(learned[: split.validation - lag], settings.scaling)
    scaled = scaler.transform(learned)

    def windows(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Those whose targets lie in [start, stop); they may look back before it."""
        return sliding_windows(scaled[max(start - reach, 0) : stop - lag], settings.window, settings.horizon)

    numlstm.set_seed(settings.seed)
    model = _make_model(settings, len(series.columns))
    model.compile(_optimizer(settings), _LOSS, device=settings.device, verbose=verbose)

    validation = windows(split.validation, split.test) if split.validation < split.test else None
    callbacks, keeper = _callbacks(settings, validation is not None), _keeper()
    if model.backend_name != "cpu":
        callbacks.append(keeper)
    inputs, targets = windows(0, split.validation)
    begin = time.perf_counter()
    interrupted, failure = False, None
    try:
        model.fit(
            inputs, targets, batch_size=settings.batch_size, epochs=settings.epochs, validation_data=validation,
            callbacks=callbacks, verbose=verbose,
        )  # fmt: skip
    except KeyboardInterrupt:
        interrupted = True
        for callback in callbacks:
            callback.on_train_end()
    except DeviceError as error:
        if keeper.weights is None:
            raise
        failure = str(error)
    seconds = time.perf_counter() - begin
    backend, kernel_path, history = model.backend_name, model.kernel_path, _history_of(model)
    if failure is not None:
        # What is on the device is lost: the weights of the last finished epoch go on, on the CPU.
        model = _make_model(settings, len(series.columns))
        model.compile(_optimizer(settings), _LOSS, device="cpu", verbose=verbose)
        model.set_weights(keeper.weights)

    forecaster = Forecaster(model, scaler, settings, series.columns)
    metrics = measure(forecaster.over(series, split.test)) | {
        "loss": history["loss"][-1] if history.get("loss") else None,
        "epochs": len(history.get("loss", [])),
        "interrupted": interrupted,
        "seconds": round(seconds, 3),
        "backend": backend,
        "kernel_path": kernel_path,
    }
    return Training(forecaster, split, history, metrics, interrupted, failure)


def functions(settings: Settings) -> list[str | RecurrentUse]:
    """The functions of the contract that `train` with these settings calls, as `Backend.prepare` takes them."""
    from numlstm import losses

    return _make_model(settings, columns=1).functions(_optimizer(settings), losses.get(_LOSS))


def _learned(values: np.ndarray, settings: Settings) -> np.ndarray:
    """What the model sees of values [N, C]: their changes or themselves."""
    if not settings.difference:
        return values
    with np.errstate(over="ignore", invalid="ignore"):  # What becomes infinite is refused in words.
        return np.diff(values, axis=0)


def _make_model(settings: Settings, columns: int) -> Sequential:
    import numlstm
    from numlstm import layers

    model = numlstm.Sequential()
    for number in range(settings.layers):
        shape = (settings.window, columns) if number == 0 else None
        model.add(layers.LSTM(settings.units, return_sequences=number < settings.layers - 1, input_shape=shape))
    model.add(layers.Dense(settings.horizon))
    return model


def _history_of(model: Sequential) -> dict[str, list[float]]:
    return model.history.history if model.history else {}


def _optimizer(settings: Settings) -> Any:
    from numlstm import optimizers

    kinds: dict[str, Any] = {
        "adam": optimizers.Adam, "adamw": optimizers.AdamW, "nadam": optimizers.Nadam, "rmsprop": optimizers.RMSprop,
        "sgd": optimizers.SGD,
    }  # fmt: skip
    return kinds[settings.optimizer](learning_rate=settings.learning_rate, global_clipnorm=settings.clip_norm or None)


def _keeper() -> Any:
    """A callback that keeps every epoch's weights on the host, where no failing device can reach them."""
    from numlstm import callbacks

    class Keeper(callbacks.Callback):
        weights: list[np.ndarray] | None = None

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.weights = self.model.get_weights()

    return Keeper()


def _callbacks(settings: Settings, validated: bool) -> list[Any]:
    from numlstm import callbacks

    class RefuseDivergence(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            wrong = next((name for name, value in (logs or {}).items() if not math.isfinite(value)), None)
            if wrong:
                raise ValueError(
                    f"{wrong} is no longer a finite number in epoch {epoch + 1}: train with a learning rate below"
                    f" {settings.learning_rate}, or with the values scaled"
                )

    chosen: list[callbacks.Callback] = [RefuseDivergence()]
    if settings.patience and validated:
        chosen.append(callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True))
    return chosen
