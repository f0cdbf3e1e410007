"""The command that repeats a training: data, columns, and the options that are not the defaults."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from numlstm.data import complete
from numlstm.data.panel import Panel, panel_of
from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.series import Series
from numlstm.tasks.forecast.datasets import DATASETS, PACKAGED, read_dataset
from numlstm.tasks.forecast.options import COMMAND
from numlstm.tasks.forecast.settings import REAL, SINE, Settings
from numlstm.tasks.task import TASKS

__all__ = ["command", "own_data"]

_SAMPLES = 1000
"""Points of the sine if no number is given."""


def own_data(panel: Panel, settings: Settings) -> bool:
    """Whether the training is repeated with the data.csv of its run: it read standard input, or an unknown file."""
    return panel.series[0].source in (None, "-") and not _is_dataset(panel, settings)


def command(data: Series | Panel, settings: Settings) -> str:
    """The command, for a shell. With `own_data` it is for the folder of the run.

    Args:
        data: the series of the run.
        settings: the settings of the run.
    """
    panel = panel_of(data)
    series = panel.series[0]
    words, base = ["numlstm", "train"], REAL
    known = len(series.columns) - len(series.future)
    features = series.columns[len(panel.targets) : known]
    if _is_dataset(panel, settings):
        words += _dataset_words(panel, features)
        base = SINE if panel.name == "sine" else REAL
        if panel.name in PACKAGED:
            base = replace(base, missing=PACKAGED[panel.name].missing)
    else:
        name, reading = series.source, series.reading
        if name is None or name == "-":
            date = () if series.axis_name is None else (series.axis_name,)
            name, reading = "data.csv", ReadOptions(header=True, date=date, timezone=reading.timezone)
        # Neither an option nor the name of a task.
        words += [f"./{name}" if name.startswith("-") or name in TASKS else name]
        for option, columns in (
            ("target", panel.targets), ("group", panel.groups), ("features", features), ("future", series.future),
        ):  # fmt: skip
            for column in columns:
                words += _option(option, column)
        words += _changed(_reading(reading), _reading(AS_SEEN))
    if (settings.scaling, settings.difference) != (base.scaling, base.difference):
        base = replace(base, rule="none", ensemble=1)  # As `begin` takes them then, if they are not given.
    return shlex.join([*words, *_changed(asdict(settings), asdict(base))])


def _is_dataset(panel: Panel, settings: Settings) -> bool:
    """Whether `read_dataset` gives the same series. That of a package may have gone, or be of another version."""
    series = panel.series[0]
    if series.source is not None or panel.name not in DATASETS:
        return False
    count = len(panel.targets)
    others = (series.columns[:count], series.columns[count:]) if panel.name in PACKAGED else ((), ())
    try:
        found = read_dataset(panel.name, len(series) if panel.name == "sine" else None, *others)
        same = found.map(lambda each: complete(each, settings.missing)).of_targets(count)
    except (OSError, ValueError):
        return False
    return (panel.names, len(panel)) == (same.names, len(same)) and all(
        np.array_equal(ours.values, theirs.values) and np.array_equal(ours.axis, theirs.axis)
        for ours, theirs in zip(panel, same, strict=True)
    )


def _dataset_words(panel: Panel, features: Sequence[str]) -> list[str]:
    """The options that read a data set."""
    if panel.name == "sine":
        count = len(panel.series[0])
        return [] if count == _SAMPLES else ["--samples", str(count)]
    words = ["--dataset", panel.name]
    if panel.name in PACKAGED:
        usual = (PACKAGED[panel.name].target,)
        for target in () if panel.targets == usual else panel.targets:
            words += _option("target", target)
        for column in features:
            words += _option("features", column)
    return words


def _reading(options: ReadOptions) -> dict[str, Any]:
    """The options as the command line has them."""
    date = options.date
    return options.to_dict() | {"date": None if date is None else ",".join(date) or "none"}


def _changed(values: dict[str, Any], usual: dict[str, Any]) -> list[str]:
    """The options whose values are not the usual ones, in the order of the help."""
    names = [option.name for option in COMMAND.options if option.name in values]
    return [word for name in names if values[name] != usual[name] for word in _option(name, values[name])]


def _option(name: str, value: Any) -> list[str]:
    """An option and its value, as words."""
    flag = next(option.flag for option in COMMAND.options if option.name == name)
    if isinstance(value, bool):
        return flag.split("/")[:1] if value or "/" not in flag else flag.split("/")[1:]
    return [f"{flag}={value}"] if str(value).startswith("-") else [flag, str(value)]
