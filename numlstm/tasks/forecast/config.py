"""config.json in a run folder: settings, columns and split, and what belongs to each model."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numlstm import checks
from numlstm.data.panel import Key, Panel, label_of, read_panel
from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.rule import Rule
from numlstm.messages import listed, plain, quoted
from numlstm.model import Model, load_model
from numlstm.tasks.folder import read_config
from numlstm.tasks.forecast.fitted import FittedForecaster, beside_each_other
from numlstm.tasks.forecast.inputs import Inputs, inputs_from_dict
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.rules import Rivals
from numlstm.tasks.forecast.settings import FIRST_FORMAT, Settings
from numlstm.tasks.forecast.split import Split

__all__ = ["MODEL", "TESTED", "Config", "describe", "versions"]

_FORMAT = 2
MODEL, TESTED = "model.safetensors", "tested.safetensors"
_ORDER = (
    "format", "task", "name", "groups", "target", "features", "future", "axis", "rule", "reading", "source", "notes",
    "settings", "split", "models", "series", "versions",
)  # fmt: skip


def describe(
    panel: Panel, settings: Settings, splits: Sequence[Split], models: Mapping[str, Sequence[FittedForecaster]]
) -> dict[str, Any]:
    """The content of config.json. What belongs to a series is in "series", or beside the rest if there is one alone.

    Args:
        panel: the series.
        settings: the settings.
        splits: the split of each series.
        models: the forecasters of each series, by the names of the files; empty before the end of the training.
    """
    content: dict[str, Any] = {
        "format": _FORMAT,
        "task": "forecast",
        "name": panel.name,
        "axis": panel.series[0].axis_name,
        "reading": panel.series[0].reading.to_dict(),
        "source": panel.series[0].source,
        "settings": asdict(settings),
        "versions": versions(),
    }
    entries: list[dict[str, Any]] = [
        {
            "target": series.target,
            "features": series.columns[1 : len(series.columns) - len(series.future)],
            "future": series.future,
            "rule": None if series.rule is None else series.rule.to_dict(),
            "notes": series.notes,
            "split": asdict(splits[number]),
            "models": {name: _described(forecasters[number]) for name, forecasters in models.items()},
        }
        for number, series in enumerate(panel)
    ]
    if panel.alone:
        content |= entries[0]
    else:
        named = [{"group": key, **entry} for key, entry in zip(panel.keys, entries, strict=True)]
        content |= {"groups": panel.groups, "series": named}
    return {name: content[name] for name in _ORDER if name in content}


def versions() -> dict[str, str]:
    """The versions that a training ran with, by their names."""
    return {"python": platform.python_version()} | {name: version(name) for name in ("numlstm", "numpy", "numba")}


def _described(forecaster: FittedForecaster) -> dict[str, Any]:
    """What belongs to a model, as plain data."""
    return {
        "inputs": forecaster.inputs.to_dict(),
        "rivals": asdict(forecaster.rivals),
        "intervals": None if forecaster.intervals is None else forecaster.intervals.to_dict(),
        "counts": forecaster.counts,
    }


@dataclass(frozen=True)
class _Parts:
    """What config.json says of a model."""

    inputs: Inputs
    rivals: Rivals
    intervals: Intervals | None
    blocks: int
    counts: bool

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
        if intervals is not None and intervals.sample.shape[1] != horizon:
            raise ValueError(f"its intervals are not for {horizon} steps")
        counts = checks.boolean(content.get("counts", False), "counts")
        rivals = Rivals.from_dict(content.get("rivals"), steps)
        return cls(inputs, rivals, intervals, horizon // inputs.horizon, counts)

    def forecaster(self, model: Model, path: Path, columns: tuple[str, ...]) -> FittedForecaster:
        """The forecaster with the model of a file."""
        inputs = self.inputs
        shapes = (None, inputs.window, inputs.features(len(columns))), (None, inputs.horizon)
        if (model.input_shape, model.output_shape) != shapes:
            raise ValueError(f"{path} is not the model that config.json tells of")
        return FittedForecaster(model, inputs, columns, self.rivals, self.intervals, self.blocks, self.counts)


@dataclass(frozen=True)
class _Described:
    """What config.json says of a series.

    key: its group
    columns: the target first
    future: the columns that are known in advance, the last of `columns`
    models: by the names of their files; empty before the end of the training
    """

    key: Key
    columns: tuple[str, ...]
    future: tuple[str, ...]
    rule: Rule | None
    notes: tuple[str, ...]
    split: Split
    models: dict[str, _Parts]

    @classmethod
    def read(cls, content: Any, groups: Sequence[str], settings: Settings) -> _Described:
        """Read and check what `describe` says of a series."""
        if not isinstance(content, dict):
            raise ValueError(f"a series must be described by an object, not {quoted(content)}")
        split = Split(**content["split"])
        # Runs of November 2026 have none.
        rule = None if content.get("rule") is None else Rule.from_dict(content["rule"])
        # Runs before December 2026 have neither of the last two.
        features, future, notes = content["features"], content.get("future", []), content.get("notes", [])
        for kind, names in (("features", features), ("future", future), ("notes", notes)):
            if not isinstance(names, list):
                raise ValueError(f"{kind} must be a list, not {quoted(names)}")
        columns = (_name(content["target"]), *map(_name, features), *map(_name, future))
        key = tuple(map(_name, content.get("group", ())))
        if len(key) != len(groups):
            raise ValueError(f"a series has the groups {listed(key)}, but {len(groups)} are needed")
        models = {
            name: _Parts.read(parts, settings, len(columns), len(future), split.steps)
            for name, parts in content["models"].items()
        }
        if not models.keys() <= {MODEL, TESTED} or (TESTED in models and MODEL not in models):
            raise ValueError(f"it tells of the models {listed(models)}")
        return cls(key, columns, tuple(future), rule, tuple(map(_text, notes)), split, models)


@dataclass(frozen=True)
class Config:
    """The content of config.json.

    groups: the columns that tell the groups apart
    series: what belongs to each series; all have the same models and columns
    """

    name: str
    groups: tuple[str, ...]
    axis: str | None
    reading: ReadOptions
    source: str | None
    settings: Settings
    series: tuple[_Described, ...]
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
            # Runs of November 2026 have none.
            reading = AS_SEEN if "reading" not in config else ReadOptions.from_dict(config["reading"])
            groups = tuple(map(_name, config.get("groups", ())))
            series = tuple(_Described.read(each, groups, settings) for each in config.get("series", [config]))
            _check_alike(series)
            name, axis = _name(config["name"]), config["axis"]
            axis = None if axis is None else _name(axis)
            source = None if config.get("source") is None else _text(config["source"])
            told = {str(key): str(value) for key, value in dict(config.get("versions", {})).items()}
            return cls(name, groups, axis, reading, source, settings, series, told)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise ValueError(plain(f"{folder / 'config.json'} is damaged: {reason}")) from error

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the first series."""
        return self.series[0].columns

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the files of models."""
        return tuple(self.series[0].models)

    @property
    def targets(self) -> int:
        """The number of targets, which are the series of a group."""
        return sum(each.key == self.series[0].key for each in self.series)

    def forecasters(self, folder: Path) -> list[dict[str, FittedForecaster]]:
        """Read the models: the forecasters of each series, by the names of the models' files."""
        models = {name: load_model(folder / name) for name in self.models}
        found: list[dict[str, FittedForecaster]] = []
        for first in range(0, len(self.series), self.targets):
            group = self.series[first : first + self.targets]
            own = [
                beside_each_other([each.models[name].forecaster(model, folder / name, each.columns) for each in group])
                for name, model in models.items()
            ]
            found += [dict(zip(models, each, strict=True)) for each in zip(*own, strict=True)]
        return found

    def panel(self, folder: Path) -> Panel:
        """Read data.csv."""
        path = folder / "data.csv"
        own = ReadOptions(header=True, date=() if self.axis is None else (self.axis,), timezone=self.reading.timezone)
        future = self.series[0].future
        target, *features = self.columns[: len(self.columns) - len(future)]
        panel = read_panel(path, [target], features, self.groups, options=own, future=future)
        panel = panel.of_targets(self.targets)
        told = [(each.key, each.columns) for each in self.series]
        if told != [(key, series.columns) for key, series in zip(panel.keys, panel, strict=True)]:
            raise ValueError(f"{path} does not hold the series that config.json tells of")
        found = []
        for each, series in zip(self.series, panel, strict=True):
            if len(series) != each.split.steps:
                where = label_of(str(path), self.groups, each.key)
                raise ValueError(f"{where} has {len(series)} rows, but config.json tells of {each.split.steps}")
            name = label_of(self.name, self.groups, each.key)
            found.append(
                replace(series, name=name, rule=each.rule, reading=self.reading, notes=each.notes, source=self.source)
            )
        return replace(panel, name=self.name, series=tuple(found))


def _name(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError(f"the name of a column must be a string, not {quoted(text)}")
    return text


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError(f"the source and the notes must be strings, not {quoted(text)}")
    return text


def _check_alike(series: Sequence[_Described]) -> None:
    """Raise ValueError unless the series have the same models, which see as much, and the same columns in any order."""
    if not series:
        raise ValueError("it tells of no series")
    alike = {
        (tuple((name, parts.inputs.reach) for name, parts in each.models.items()), tuple(sorted(each.columns)))
        for each in series
    }
    if len(alike) > 1 or len({(each.key, each.columns[0]) for each in series}) < len(series):
        raise ValueError("its series do not fit each other")


def _from_first_format(config: dict[str, Any]) -> dict[str, Any]:
    """The content of a config.json of format 1 as that of format 2."""
    settings = {**FIRST_FORMAT, **config["settings"]}
    inputs = {"window": settings["window"], "difference": settings["difference"], "scaler": config["scaler"]}
    return config | {"format": _FORMAT, "settings": settings, "models": {MODEL: {"inputs": inputs}}}
