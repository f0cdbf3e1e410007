"""The run folder: the results of a training, with everything that later commands need.

- model.safetensors: architecture, weights and the state of the training
- config.json: settings, columns, scaler, split, versions
- data.csv: the axis and the columns of the training data
- history.csv: epoch, loss, val_loss
- metrics.json: errors on the held-out part, backend and kernel name
- forecast.png: true and predicted values
- checkpoint.safetensors: the state of the training, in an interrupted run
"""

from __future__ import annotations

import io
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numlstm import files
from numlstm.data.axis import extend, labels
from numlstm.data.reader import read_csv
from numlstm.data.scaling import Scaler
from numlstm.data.series import Series, complete, write_csv
from numlstm.messages import plain, quoted
from numlstm.model import Model, load_model
from numlstm.tasks.folder import CHECKPOINT, read_config, write_json
from numlstm.tasks.forecast import report
from numlstm.tasks.forecast.forecaster import Forecaster, measure
from numlstm.tasks.forecast.options import PICTURE
from numlstm.tasks.forecast.rules import Rivals
from numlstm.tasks.forecast.settings import Settings
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import Training, fit_scaler
from numlstm.tasks.task import Table

__all__ = ["FILES", "PICTURE", "Run", "load", "prepare", "resume", "save"]

_FORMAT = 1
FILES = frozenset({"model.safetensors", "config.json", "data.csv", "history.csv", "metrics.json", PICTURE, CHECKPOINT})


@dataclass(frozen=True)
class Run:
    """A run folder that was read back.

    axis_name: the axis column that other data must have; None if the steps are counted
    """

    forecaster: Forecaster
    series: Series
    split: Split
    axis_name: str | None

    @property
    def model(self) -> Model:
        """The trained model."""
        return self.forecaster.model

    @property
    def batch_size(self) -> int:
        """Batch size of a training step."""
        return self.forecaster.settings.batch_size

    def evaluate(self, data: Path | None) -> dict[str, Any]:
        """Compute the forecast errors on the held-out part, or on all of a file with other data."""
        series, start = (self.series, self.split.test) if data is None else (self.read(data), 0)
        return measure(self.forecaster.over(series, start))

    def predict(self, data: Path | None, steps: int | None) -> Table:
        """Forecast each value one step ahead, or `steps` steps after the end of the data."""
        series = self.series if data is None else self.read(data)
        if steps is not None:
            predicted = self.forecaster.ahead(series, steps)
            return Table(("axis", "predicted"), zip(labels(extend(series.axis, steps)), _short(predicted), strict=True))
        forecasts = self.forecaster.over(series)
        true, predicted = forecasts.true[:, 0], forecasts.predicted[:, 0]
        axis = labels(series.axis[forecasts.first : forecasts.first + len(true)])
        return Table(("axis", "true", "predicted"), zip(axis, true.tolist(), _short(predicted), strict=True))

    def draw(self, path: Path) -> None:
        """Plot the held-out part."""
        report.draw(path, self.series, self.forecaster, self.split, self.evaluate(None))

    def read(self, path: str | Path) -> Series:
        """Read other data with the run's columns. Missing values are treated as in training.

        Raises:
            OSError, ValueError: as for `read_csv` and `complete`.
        """
        target, *features = self.forecaster.columns
        return complete(read_csv(path, target, features, self.axis_name), self.forecaster.settings.missing)


def prepare(folder: Path, series: Series, settings: Settings) -> None:
    """Write what `resume` reads to an existing folder: data.csv, then config.json."""
    data = io.StringIO()
    write_csv(series, data)
    files.write(folder / "data.csv", data.getvalue().encode())
    split = Split.of(len(series), settings)
    write_json(
        folder / "config.json",
        {
            "format": _FORMAT,
            "task": "forecast",
            "name": series.name,
            "target": series.target,
            "features": series.columns[1:],
            "axis": series.axis_name,
            "settings": asdict(settings),
            "scaler": fit_scaler(series, settings, split).to_dict(),
            "split": asdict(split),
            "rivals": asdict(Rivals.choose(series, settings, split)),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("numlstm", "numpy", "numba")},
        },
    )


def save(folder: Path, series: Series, training: Training) -> None:
    """Write all files except the plot to an existing folder."""
    forecaster = training.forecaster
    prepare(folder, series, forecaster.settings)
    forecaster.model.save(folder / "model.safetensors")
    loss = training.history.get("loss", [])
    val_loss = training.history.get("val_loss", [""] * len(loss))
    history = Table(("epoch", "loss", "val_loss"), zip(range(1, len(loss) + 1), loss, val_loss, strict=True))
    files.write(folder / "history.csv", history.csv().encode())
    write_json(folder / "metrics.json", training.metrics)


def resume(folder: Path) -> tuple[Series, Settings]:
    """Read the series and the settings that `prepare` wrote.

    Raises:
        OSError, ValueError: one of the files is missing or damaged.
    """
    config = _Config.read(folder)
    return config.series(folder), config.settings


@dataclass(frozen=True)
class _Config:
    """The content of config.json."""

    name: str
    columns: tuple[str, ...]
    axis: str | None
    settings: Settings
    scaler: Scaler
    split: Split
    rivals: Rivals

    @classmethod
    def read(cls, folder: Path) -> _Config:
        """Read and check the file."""
        config = read_config(folder)
        try:
            if config["format"] != _FORMAT:
                raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT}")
            settings = Settings(**config["settings"])
            scaler = Scaler.from_dict(config["scaler"])
            split = Split(**config["split"])
            rivals = Rivals.from_dict(config.get("rivals"), split.steps)
            name, target, features, axis = (config[key] for key in ("name", "target", "features", "axis"))
            if not isinstance(features, list):
                raise ValueError(f"features must be a list, not {quoted(features)}")
            columns = (target, *features)
            for text in (name, *columns, *([] if axis is None else [axis])):
                if not isinstance(text, str):
                    raise ValueError(f"the name of a column must be a string, not {quoted(text)}")
            if len(scaler.scale) != len(columns):
                raise ValueError(f"it has {len(columns)} columns, but scales {len(scaler.scale)}")
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise ValueError(plain(f"{folder / 'config.json'} is damaged: {reason}")) from error
        return cls(name, columns, axis, settings, scaler, split, rivals)

    def series(self, folder: Path) -> Series:
        """Read data.csv."""
        target, *features = self.columns
        series = replace(read_csv(folder / "data.csv", target, features, self.axis), name=self.name)
        if len(series) != self.split.steps:
            raise ValueError(
                f"{folder / 'data.csv'} has {len(series)} rows, but config.json tells of {self.split.steps}"
            )
        return series


def load(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    config = _Config.read(folder)
    settings, columns = config.settings, config.columns
    model = load_model(folder / "model.safetensors")
    if (model.input_shape, model.output_shape) != ((None, settings.window, len(columns)), (None, settings.horizon)):
        raise ValueError(f"{folder / 'model.safetensors'} is not the model that config.json tells of")
    series = config.series(folder)
    forecaster = Forecaster(model, config.scaler, settings, columns, config.rivals)
    return Run(forecaster, series, config.split, config.axis)


def _short(values: Iterable[float]) -> list[str]:
    """Format numbers with 8 digits, the precision of float32."""
    return [f"{value:.8g}" for value in values]
