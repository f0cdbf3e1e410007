"""The training of a detector of anomalies in an electrocardiogram: `numlstm train classify --dataset ecg`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numlstm.seeds import set_seed
from numlstm.tasks.classify import anomaly_run
from numlstm.tasks.classify.anomalies import Detector, make_model, measure_anomalies, samples_of, sentence
from numlstm.tasks.classify.ecg import Signal, ecg
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.fitting import Checkpoint, Choices, fit_model

__all__ = ["Anomalies", "begin_anomalies", "resume_anomalies"]

_USED = ("units", "layers", "epochs", "batch_size", "learning_rate", "clip_norm", "patience", "seed", "device")
_EPOCHS, _BATCH, _PATIENCE = 60, 32, 10


class Anomalies:
    """A training of a detector. `numlstm.tasks.task.Job` documents the methods.

    Args:
        signal: the signal.
        settings: the settings; `_USED` are read.
    """

    files = anomaly_run.FILES

    def __init__(self, signal: Signal, settings: Settings) -> None:
        self.signal_read, self.settings, self.name = signal, settings, signal.name
        digest = hashlib.sha256(signal.values.tobytes()).hexdigest()
        self._samples = samples_of(signal, digest)

    def introduction(self) -> str:
        """What is labelled, and why there are no classes."""
        signal = self.signal_read
        beats = signal.beats()
        abnormal = int(signal.marked[beats].sum())
        return (
            f"Note: {abnormal} of {len(beats)} beats is labelled abnormal, too few for classes: a model learns to"
            " forecast the signal, and its errors are the alarms\n"
            f"{self.name}: {len(signal)} steps; training on {signal.test}, held out {len(signal) - signal.test}"
        )

    def prepare(self, folder: Path) -> None:
        """Write the signal and the settings to an existing folder."""
        anomaly_run.prepare(folder, self.signal_read, self.settings, None)

    def train(self, verbose: int, checkpoint: Path, every: str | int, fitted: Callable[[], None]) -> None:
        """Train and measure. Errors as for `numlstm.tasks.fitting.fit_model`."""
        settings = self.settings
        set_seed(settings.seed)
        model = make_model(settings, settings.device, verbose)
        choices = Choices(
            settings.epochs or _EPOCHS, settings.batch_size or _BATCH,
            settings.patience if settings.patience != Settings.patience else _PATIENCE, settings.learning_rate,
        )  # fmt: skip
        place = Checkpoint(checkpoint, every)
        fit = fit_model(model, self._samples, choices, [], verbose, place, checkpoint.exists(), fitted)
        assert fit.member is not None  # Without members before it, it raised.
        if fit.stop is not None and fit.stop.failure is not None:
            # The device's memory is lost, or the weights are not finite: continue on the CPU.
            model = make_model(settings, "cpu", 0)
            model.set_weights(fit.member.weights)
        fitted()
        self._detector, self._member = Detector.fit(model, self.signal_read), fit.member
        errors, self._found = measure_anomalies(self._detector, self.signal_read)
        self.unmeasured: str | None = None
        self.signal, self.failure = (None, None) if fit.stop is None else (fit.stop.signal, fit.stop.failure)
        self.resumable = fit.stop is not None and fit.stop.interrupted
        self._metrics = errors | {
            "loss": fit.member.history["loss"][-1] if fit.member.history.get("loss") else None,
            "epochs": len(fit.member.history.get("loss", [])),
            "interrupted": self.resumable,
            "seconds": round(fit.member.seconds, 3),
            "backend": fit.member.backend,
            "kernel_name": fit.member.kernel_name,
        }

    def save(self, folder: Path) -> None:
        """Write all files except the picture to an existing folder."""
        anomaly_run.prepare(folder, self.signal_read, self.settings, self._detector)
        anomaly_run.save(folder, self._detector.model, self._member.history, self._metrics)

    def draw(self, path: Path) -> None:
        """Draw the held-out part with errors and alarms."""
        anomaly_run.draw(path, self.signal_read, self._detector, self._found, self._metrics)

    def report(self, folder: Path) -> str:
        """Tell all of the run as a page of HTML."""
        return anomaly_run.page_of(self.signal_read, self.settings, self._detector, self._found, self._metrics)

    def sentence(self) -> str:
        """What was found in the held-out part."""
        return f"held out: {sentence(self._metrics)}"


def begin_anomalies(given: Mapping[str, Any]) -> Anomalies:
    """Read the signal and make the settings.

    Raises:
        OSError, ValueError: the signal cannot be read, or an option does not fit.
    """
    unused = [f"--{name.replace('_', '-')}" for name in given if name not in _USED]
    if unused:
        raise ValueError(f"{', '.join(unused)} is of no use for --dataset ecg: leave it out")
    return Anomalies(ecg(), Settings(**given))


def resume_anomalies(folder: Path) -> Anomalies:
    """Make the training again whose `prepare` wrote a folder; OSError or ValueError if a file is damaged."""
    signal, settings, _ = anomaly_run.read_config_of(folder)
    return Anomalies(signal, settings)
