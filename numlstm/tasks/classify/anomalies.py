"""Anomalies of a signal: where the error of a forecast is larger than it was before.

Where too few beats are labelled for a classifier, a model learns to forecast the signal from its first part, without
labels. An alarm is a stretch of the held-out part where the error of the forecast of the next 0.2 seconds is above the
quantile 0.99 of that error in the validation part, the last of the training part. Labels only tell what was found. No
number was chosen by what it finds in the held-out part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import layers, optimizers
from numlstm.model import Model, Sequential
from numlstm.tasks.classify.ecg import FEWEST, RATE, Signal
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.fitting import Samples

__all__ = ["Detector", "Found", "make_model", "measure_anomalies", "samples_of", "sentence", "stretches"]

_FRAME = 4
"""Steps that the model sees at once."""
_WINDOW = 36 * _FRAME
"""Steps that a forecast is made from: 1.2 seconds, more than the time from a beat to the next one."""
_HORIZON = 24
"""Steps that are forecast at once: 0.2 seconds."""
_VALIDATION = 0.3
"""The last part of the training part, which stops the training and sets the threshold."""
_QUANTILE = 0.99
_JOIN = RATE // 2
"""Alarms with fewer steps between them are one."""


@dataclass(frozen=True)
class Detector:
    """A detector of anomalies.

    model: takes [K, frames, steps of a frame], and forecasts [K, horizon]
    offset, scale: of the values, of the part that the model learned from
    threshold: the error above which there is an alarm, by the name of the forecast: "lstm" or "persistence"
    """

    model: Model
    offset: float
    scale: float
    threshold: dict[str, float]

    @classmethod
    def fit(cls, model: Model, signal: Signal) -> Detector:
        """Set the thresholds of a trained model by the validation part."""
        offset, scale = scales(signal)
        free = cls(model, offset, scale, {})
        errors = free.errors(signal, validation_of(signal), signal.test)
        return cls(model, offset, scale, {name: float(np.quantile(each, _QUANTILE)) for name, each in errors.items()})

    def errors(self, signal: Signal, start: int, stop: int) -> dict[str, np.ndarray]:
        """The error at each step from `start` on, of the model and of repeating the last value, by their names.

        It is the root mean square of the forecast of the 0.2 seconds that begin with the step, and end before `stop`.
        """
        scaled = (signal.values - self.offset) / self.scale
        origins = np.arange(start, stop - _HORIZON + 1)
        forecast = np.asarray(self.model.predict(windows(scaled, origins), batch_size=256, verbose=0))
        true = scaled[origins[:, None] + np.arange(_HORIZON)]
        found = {}
        for name, each in (("lstm", forecast), ("persistence", scaled[origins - 1][:, None])):
            found[name] = np.sqrt(np.mean((each - true) ** 2, axis=1))
        return found

    def alarms(self, errors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """[steps] bool, whether there is an alarm, by the name of the forecast."""
        return {name: each > self.threshold[name] for name, each in errors.items()}


@dataclass(frozen=True)
class Found:
    """Errors and alarms at the held-out steps, but for the last 0.2 seconds, by the name of the forecast."""

    errors: dict[str, np.ndarray]
    alarms: dict[str, np.ndarray]


def scales(signal: Signal) -> tuple[float, float]:
    """Mean and deviation of the part that the model learns from."""
    learned = signal.values[: validation_of(signal)]
    return float(learned.mean()), float(learned.std()) or 1.0


def validation_of(signal: Signal) -> int:
    """The first step of the validation part."""
    return round((1 - _VALIDATION) * signal.test)


def windows(scaled: np.ndarray, origins: np.ndarray) -> np.ndarray:
    """[K, frames, steps of a frame] float32 of the steps before each origin."""
    steps = scaled[origins[:, None] + np.arange(-_WINDOW, 0)]
    return steps.reshape(len(origins), -1, _FRAME).astype(np.float32)


def samples_of(signal: Signal, digest: str) -> Samples:
    """What a model learns from, and its validation part.

    Raises:
        ValueError: the signal is too short.
    """
    border = validation_of(signal)
    if border < 3 * (_WINDOW + _HORIZON) or signal.test - border < 2 * _HORIZON:
        raise ValueError(f"{signal.name} has {len(signal)} steps, too few to learn from")
    offset, scale = scales(signal)
    scaled = (signal.values - offset) / scale
    learned, left = np.arange(_WINDOW, border - _HORIZON + 1), np.arange(border, signal.test - _HORIZON + 1)
    (x, y), validation = (
        (windows(scaled, each), scaled[each[:, None] + np.arange(_HORIZON)].astype(np.float32))
        for each in (learned, left)
    )
    return Samples(x, y, validation, digest)


def make_model(settings: Settings, device: str, verbose: int) -> Sequential:
    """Make and compile a model with new weights."""
    model = Sequential()
    for number in range(settings.layers):
        shape = (_WINDOW // _FRAME, _FRAME) if number == 0 else None
        model.add(layers.LSTM(settings.units, return_sequences=number < settings.layers - 1, input_shape=shape))
    model.add(layers.Dense(_HORIZON))
    chosen = optimizers.Adam(learning_rate=settings.learning_rate, global_clipnorm=settings.clip_norm or None)
    model.compile(chosen, "mean_squared_error", device=device, verbose=verbose)
    return model


def measure_anomalies(detector: Detector, signal: Signal) -> tuple[dict[str, Any], Found]:
    """Compare the alarms of the held-out part with its labels, and count its beats."""
    errors = detector.errors(signal, signal.test, len(signal))
    alarms = detector.alarms(errors)
    marked = signal.marked[signal.test :][: len(errors["lstm"])]
    beats = signal.beats()
    held = beats[beats >= signal.test]
    labelled = stretches(marked)
    metrics: dict[str, Any] = {
        "beats": len(beats),
        "held_out_beats": len(held),
        "held_out_abnormal_beats": int(signal.marked[held].sum()),
        "minutes": len(marked) / RATE / 60,
        "labelled_stretches": len(labelled),
    }
    for name, each in alarms.items():
        metrics[f"{name}_found"] = sum(bool(each[first:stop].any()) for first, stop in labelled)
        metrics[f"{name}_false_alarms"] = len(stretches(each & ~marked, _JOIN))
        metrics[f"{name}_rmse"] = float(np.sqrt(np.mean(errors[name] ** 2)))
    return metrics, Found(errors, alarms)


def stretches(marks: np.ndarray, join: int = 1) -> list[tuple[int, int]]:
    """First and end of each stretch of True; those with fewer than `join` steps between them are one."""
    found: list[tuple[int, int]] = []
    for at in np.flatnonzero(marks).tolist():
        if found and at - found[-1][1] < join:
            found[-1] = (found[-1][0], at + 1)
        else:
            found.append((at, at + 1))
    return found


def sentence(metrics: dict[str, Any]) -> str:
    """What was found, in one line."""
    count, beats = metrics["held_out_abnormal_beats"], metrics["held_out_beats"]
    found = [
        f"{metrics[f'{name}_found']} of {metrics['labelled_stretches']} labelled stretches with"
        f" {metrics[f'{name}_false_alarms']} false alarms"
        for name in ("lstm", "persistence")
    ]
    text = f"errors of the forecast find {found[0]}, those of the last value {found[1]}"
    few = f"; {count} of {beats} held-out beats abnormal, no figure for a class with fewer than {FEWEST}"
    return text + (few if count < FEWEST else "")
