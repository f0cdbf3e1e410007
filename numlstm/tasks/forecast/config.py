"""config.json in a run folder: settings, columns and split, and what belongs to each model."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.reader import read_csv
from numlstm.data.rule import Rule
from numlstm.data.series import Series
from numlstm.messages import listed, plain, quoted
from numlstm.model import load_model
from numlstm.tasks.folder import read_config
from numlstm.tasks.forecast.forecaster import Forecaster
from numlstm.tasks.forecast.inputs import Inputs, inputs_from_dict
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.rules import Rivals
from numlstm.tasks.forecast.settings import FIRST_FORMAT, Settings
from numlstm.tasks.forecast.split import Split

__all__ = ["MODEL", "TESTED", "Config", "describe", "versions"]

_FORMAT = 2
MODEL, TESTED = "model.safetensors", "tested.safetensors"


def describe(series: Series, settings: Settings, split: Split, models: dict[str, Forecaster]) -> dict[str, Any]:
    """The content of config.json. models: by the names of their files; empty before the end of the training."""
    return {
        "format": _FORMAT,
        "task": "forecast",
        "name": series.name,
        "target": series.target,
        "features": series.columns[1 : len(series.columns) - len(series.future)],
        "future": series.future,
        "axis": series.axis_name,
        "rule": None if series.rule is None else series.rule.to_dict(),
        "reading": series.reading.to_dict(),
        "source": series.source,
        "notes": series.notes,
        "settings": asdict(settings),
        "split": asdict(split),
        "models": {name: _described(forecaster) for name, forecaster in models.items()},
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions that a training ran with, by their names."""
    return {"python": platform.python_version()} | {name: version(name) for name in ("numlstm", "numpy", "numba")}


def _described(forecaster: Forecaster) -> dict[str, Any]:
    """What belongs to a model, as plain data."""
    return {
        "inputs": forecaster.inputs.to_dict(),
        "rivals": asdict(forecaster.rivals),
        "intervals": None if forecaster.intervals is None else forecaster.intervals.to_dict(),
    }


@dataclass(frozen=True)
class _Parts:
    """What config.json says of a model."""

    inputs: Inputs
    rivals: Rivals
    intervals: Intervals | None
    blocks: int

    @classmethod
    def read(cls, content: Any, settings: Settings, columns: int, future: int, steps: int) -> _Parts:
        """Read and check the result of `_described`."""
        if not isinstance(content, dict):
            raise ValueError(f"a model must be described by an object, not {quoted(content)}")
        horizon = settings.horizon
        inputs = inputs_from_dict(content["inputs"], settings.outputs, future)
        scaled = inputs.features(columns)
        if len(inputs.scaler.scale) != scaled:
            raise ValueError(f"its model sees {scaled} inputs, but scales {len(inputs.scaler.scale)}")
        if inputs.reach + horizon > steps:
            raise ValueError(f"its model sees more rows than the {steps} that it was trained on")
        intervals = Intervals.from_dict(content.get("intervals"))
        if intervals is not None and intervals.widths.shape[1] != horizon:
            raise ValueError(f"its intervals are not for {horizon} steps")
        return cls(inputs, Rivals.from_dict(content.get("rivals"), steps), intervals, horizon // inputs.horizon)

    def forecaster(self, path: Path, columns: tuple[str, ...]) -> Forecaster:
        """Read the model from its file."""
        model, inputs = load_model(path), self.inputs
        shapes = (None, inputs.window, inputs.features(len(columns))), (None, inputs.horizon)
        if (model.input_shape, model.output_shape) != shapes:
            raise ValueError(f"{path} is not the model that config.json tells of")
        return Forecaster(model, inputs, columns, self.rivals, self.intervals, self.blocks)


@dataclass(frozen=True)
class Config:
    """The content of config.json.

    future: the columns that are known in advance, the last of `columns`
    models: by the names of their files; empty before the end of the training
    """

    name: str
    columns: tuple[str, ...]
    future: tuple[str, ...]
    axis: str | None
    rule: Rule | None
    reading: ReadOptions
    source: str | None
    notes: tuple[str, ...]
    settings: Settings
    split: Split
    models: dict[str, _Parts]
    versions: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Config:
        """Read and check the file."""
        config = read_config(folder)
        try:
            if config["format"] == 1:
                config = _from_first_format(config)
            if config["format"] != _FORMAT:
                raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT} and 1")
            settings = Settings(**config["settings"])
            split = Split(**config["split"])
            # Runs of November 2026 have neither of these four.
            rule = None if config.get("rule") is None else Rule.from_dict(config["rule"])
            reading = AS_SEEN if "reading" not in config else ReadOptions.from_dict(config["reading"])
            name, target, features, axis = (config[key] for key in ("name", "target", "features", "axis"))
            source, notes = config.get("source"), config.get("notes", [])
            future = config.get("future", [])  # Runs before December 2026 have none.
            for key, found in (("features", features), ("future", future), ("notes", notes)):
                if not isinstance(found, list):
                    raise ValueError(f"{key} must be a list, not {quoted(found)}")
            columns = (target, *features, *future)
            for text in (name, *columns, *([] if axis is None else [axis])):
                if not isinstance(text, str):
                    raise ValueError(f"the name of a column must be a string, not {quoted(text)}")
            for text in (*notes, *([] if source is None else [source])):
                if not isinstance(text, str):
                    raise ValueError(f"the source and the notes must be strings, not {quoted(text)}")
            told = {str(key): str(value) for key, value in dict(config.get("versions", {})).items()}
            models = {
                name: _Parts.read(content, settings, len(columns), len(future), split.steps)
                for name, content in config["models"].items()
            }
            if not models.keys() <= {MODEL, TESTED} or (TESTED in models and MODEL not in models):
                raise ValueError(f"it tells of the models {listed(models)}")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise ValueError(plain(f"{folder / 'config.json'} is damaged: {reason}")) from error
        return cls(
            name, columns, tuple(future), axis, rule, reading, source, tuple(notes), settings, split, models, told
        )

    def series(self, folder: Path) -> Series:
        """Read data.csv."""
        target, *features = self.columns[: len(self.columns) - len(self.future)]
        own = ReadOptions(header=True, date=() if self.axis is None else (self.axis,), timezone=self.reading.timezone)
        series = read_csv(folder / "data.csv", target, features, options=own, future=self.future)
        series = replace(
            series, name=self.name, rule=self.rule, reading=self.reading, notes=self.notes, source=self.source
        )
        if len(series) != self.split.steps:
            raise ValueError(
                f"{folder / 'data.csv'} has {len(series)} rows, but config.json tells of {self.split.steps}"
            )
        return series


def _from_first_format(config: dict[str, Any]) -> dict[str, Any]:
    """The content of a config.json of format 1 as that of format 2."""
    settings = {**FIRST_FORMAT, **config["settings"]}
    inputs = {"window": settings["window"], "difference": settings["difference"], "scaler": config["scaler"]}
    return config | {"format": _FORMAT, "settings": settings, "models": {MODEL: {"inputs": inputs}}}
