"""The run folder of a detector of anomalies: as that of a classifier, with the signal in data.npz."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from numlstm import checks, files
from numlstm.messages import plain, quoted
from numlstm.model import Model, load_model
from numlstm.tasks.classify.anomalies import Detector, Found, make_model, measure_anomalies, sentence, stretches
from numlstm.tasks.classify.config import DATA, MODEL
from numlstm.tasks.classify.ecg import RATE, Signal, read_signal, write_signal
from numlstm.tasks.classify.options import PICTURE
from numlstm.tasks.classify.page import page, picture
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.folder import CHECKPOINT, REPORT, read_config, write_json
from numlstm.tasks.task import Data, Table

__all__ = ["FILES", "KIND", "AnomalyRun", "draw", "load_anomalies", "page_of", "prepare", "read_config_of", "save"]

FILES = frozenset({MODEL, "config.json", DATA, "history.csv", "metrics.json", PICTURE, REPORT, CHECKPOINT})
KIND = "anomalies"
_FORMAT = 1
_FORECASTS = {"lstm", "persistence"}


@dataclass(frozen=True)
class AnomalyRun:
    """A run folder that was read back. `numlstm.tasks.task.Run` documents the methods."""

    detector: Detector
    signal: Signal
    settings: Settings
    note = None

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.detector.model

    @property
    def batch_size(self) -> int:
        """Windows in a training step."""
        return self.settings.batch_size or 32

    def read(self, path: Path, given: Mapping[str, Any]) -> Data:
        """Refuse: a detector is set by its own signal."""
        raise ValueError("a run of --dataset ecg has its own signal: leave out the file")

    def evaluate(self, data: Data | None) -> dict[str, Any]:
        """Compare the alarms of the held-out part with its labels."""
        return measure_anomalies(self.detector, self.signal)[0]

    def predict(self, data: Data | None, steps: int | None) -> Table:
        """The seconds, the value, the error of the forecast, its alarm and the label of each held-out step."""
        if steps is not None:
            raise ValueError("a detector of anomalies does not look ahead: leave out --steps")
        _, found = measure_anomalies(self.detector, self.signal)
        rows = [
            (
                f"{at / RATE:.4f}",
                f"{self.signal.values[at]:.5g}",
                f"{error:.5g}",
                int(alarm),
                int(self.signal.marked[at]),
            )
            for at, error, alarm in zip(
                count(self.signal.test), found.errors["lstm"], found.alarms["lstm"], strict=False
            )
        ]
        return Table(("second", "value", "error", "alarm", "labelled"), rows)

    def draw(self, path: Path) -> None:
        """Draw the held-out part with errors and alarms."""
        metrics, found = measure_anomalies(self.detector, self.signal)
        draw(path, self.signal, self.detector, found, metrics)

    def report(self) -> str:
        """Tell all of the run as a page of HTML."""
        metrics, found = measure_anomalies(self.detector, self.signal)
        return page_of(self.signal, self.settings, self.detector, found, metrics)


def page_of(signal: Signal, settings: Settings, detector: Detector, found: Found, metrics: dict[str, Any]) -> str:
    """The page of a run with these errors and alarms in the held-out part."""
    drawn = picture(lambda path: draw(path, signal, detector, found, metrics))
    return page(f"{signal.name}: alarms where it is unusual", sentence(metrics), settings, (), metrics, drawn)


def prepare(folder: Path, signal: Signal, settings: Settings, detector: Detector | None) -> None:
    """Write the signal, then config.json. detector: None before the end of the training."""
    write_signal(folder / DATA, signal)
    said = None
    if detector is not None:
        said = {key: getattr(detector, key) for key in ("offset", "scale", "threshold")}
    content = {
        "format": _FORMAT, "task": "classify", "kind": KIND, "name": signal.name, "settings": asdict(settings),
        "detector": said,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numlstm", "numpy", "numba")},
    }  # fmt: skip
    write_json(folder / "config.json", content)


def save(folder: Path, model: Model, history: dict[str, list[float]], metrics: dict[str, Any]) -> None:
    """Write the model, the history and the metrics to an existing folder."""
    model.save(folder / MODEL)
    loss = history.get("loss", [])
    rows = zip(range(1, len(loss) + 1), loss, history.get("val_loss", [""] * len(loss)), strict=True)
    files.write(folder / "history.csv", Table(("epoch", "loss", "val_loss"), rows).csv().encode())
    write_json(folder / "metrics.json", metrics)


def read_config_of(folder: Path) -> tuple[Signal, Settings, dict[str, Any] | None]:
    """Read and check what `prepare` wrote.

    Returns:
        The signal, the settings, and what config.json says of the detector: None before the end of the training.

    Raises:
        OSError, ValueError: a file is missing or damaged.
    """
    config = read_config(folder)
    try:
        if config["format"] != _FORMAT or not isinstance(config["name"], str):
            raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT}")
        settings, said = Settings(**config["settings"]), config["detector"]
        if said is not None:
            checks.number(said["offset"], "offset")
            checks.positive(said["scale"], "scale")
            if said["threshold"].keys() != _FORECASTS:
                raise ValueError("its thresholds are not those of the two forecasts")
            for each in said["threshold"].values():
                checks.at_least_zero(each, "threshold")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(plain(f"{folder / 'config.json'} is damaged: {reason}")) from error
    return read_signal(folder / DATA, config["name"]), settings, said


def load_anomalies(folder: Path) -> AnomalyRun:
    """Read a run folder; OSError or ValueError if one of its files is missing or damaged."""
    signal, settings, said = read_config_of(folder)
    if said is None:
        raise ValueError(f"{folder} holds no trained model: `numlstm train --resume` goes on with its training")
    model, expected = load_model(folder / MODEL), make_model(settings, "cpu", 0)
    if (model.input_shape, model.output_shape) != (expected.input_shape, expected.output_shape):
        raise ValueError(f"{folder / MODEL} is not the model that config.json tells of")
    return AnomalyRun(Detector(model, **said), signal, settings)


def draw(path: Path, signal: Signal, detector: Detector, found: Found, metrics: dict[str, Any]) -> None:
    """Draw the held-out part over the errors of the forecast, with the labelled stretches and the alarms.

    Args:
        path: the file, which is overwritten. Its ending determines the format.
        signal: the signal.
        detector: its detector.
        found: errors and alarms of the held-out part.
        metrics: the result of `measure_anomalies`.
    """
    from matplotlib.figure import Figure

    from numlstm.plot import drawing
    from numlstm.plot import save as save_figure

    known = slice(signal.test, signal.test + len(found.errors["lstm"]))
    clock = np.arange(known.start, known.stop) / RATE
    with drawing():
        figure = Figure(figsize=(10, 5), dpi=120, layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.4, 1])
        for panel in (above, below):
            for first, stop in stretches(signal.marked[known]):
                panel.axvspan(clock[first], clock[stop - 1], color="#2a6f97", alpha=0.15, linewidth=0, label="labelled")
            for first, stop in stretches(found.alarms["lstm"]):
                panel.axvspan(clock[first], clock[stop - 1] + 1 / RATE, color="#d1495b", alpha=0.3, linewidth=0)
            panel.spines[["top", "right"]].set_visible(False)
            panel.margins(x=0.005)
        above.plot(clock, signal.values[known], color="0.15", linewidth=0.8)
        above.set_ylabel("mV")
        below.plot(clock, found.errors["persistence"], color="0.75", linewidth=0.8, label="error of the last value")
        below.plot(clock, found.errors["lstm"], color="#d1495b", linewidth=1.0, label="error of the forecast")
        below.axhline(detector.threshold["lstm"], color="#d1495b", linewidth=0.8, linestyle="--", label="threshold")
        below.set(xlabel="seconds", ylabel="of a deviation")
        below.legend(frameon=False, fontsize=8, ncols=4, loc="upper left")
        text = f"{signal.name}, held out, alarms red: {sentence(metrics)}"
        figure.suptitle(fill(text, 120), fontsize=9)
        save_figure(figure, path)
