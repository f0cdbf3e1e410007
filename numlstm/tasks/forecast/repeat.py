"""The command that repeats a training: data, columns, and the options that are not the defaults."""

from __future__ import annotations

import shlex
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from numlstm.data import sine, sunspots
from numlstm.data.panel import Panel, panel_of
from numlstm.data.read_options import AS_SEEN, ReadOptions
from numlstm.data.series import Series
from numlstm.tasks.forecast.options import COMMAND
from numlstm.tasks.forecast.settings import REAL, SINE, Settings
from numlstm.tasks.task import TASKS

__all__ = ["command", "own_data"]

_SAMPLES = 1000
"""Points of the sine if no number is given."""


def own_data(series: Series) -> bool:
    """Whether the training is repeated with the data.csv of its run: it read standard input, or an unknown file."""
    return series.source in (None, "-") and _bundled(series) is None


def command(data: Series | Panel, settings: Settings) -> str:
    """The command, for a shell. With `own_data` it is for the folder of the run.

    Args:
        data: the series of the run.
        settings: the settings of the run.
    """
    panel = panel_of(data)
    series = panel.series[0]
    bundled = _bundled(series)
    words = ["numlstm", "train"]
    if bundled is not None:
        words += bundled
    else:
        name, reading = series.source, series.reading
        if name is None or name == "-":
            date = () if series.axis_name is None else (series.axis_name,)
            name, reading = "data.csv", ReadOptions(header=True, date=date, timezone=reading.timezone)
        # Neither an option nor the name of a task.
        words += [f"./{name}" if name.startswith("-") or name in TASKS else name]
        known = len(series.columns) - len(series.future)
        features = series.columns[len(panel.targets) : known]
        for option, columns in (
            ("target", panel.targets), ("group", panel.groups), ("features", features), ("future", series.future),
        ):  # fmt: skip
            for column in columns:
                words += _option(option, column)
        words += _changed(_reading(reading), _reading(AS_SEEN))
    base = SINE if bundled is not None and series.name == "sine" else REAL
    if (settings.scaling, settings.difference) != (base.scaling, base.difference):
        base = replace(base, rule="none", ensemble=1)  # As `begin` takes them then, if they are not given.
    return shlex.join([*words, *_changed(asdict(settings), asdict(base))])


def _bundled(series: Series) -> list[str] | None:
    """The options that load the series, if it is one of the bundled ones."""
    if series.source is not None or series.name not in ("sine", "sunspots"):
        return None
    count = len(series)
    same = sunspots() if series.name == "sunspots" else sine(count)
    for ours, theirs in ((series.values, same.values), (series.axis, same.axis)):
        if not np.array_equal(ours, theirs):
            return None
    if series.name == "sunspots":
        return ["--dataset", "sunspots"]
    return [] if count == _SAMPLES else ["--samples", str(count)]


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
