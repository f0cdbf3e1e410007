"""The run folder: everything that a training leaves, and all that later commands need.

- model.safetensors: architecture, weights and the state of the training
- config.json: settings, columns, scaler, split, versions
- data.csv: axis and columns as they were learned from
- history.csv: epoch, loss, val_loss
- metrics.json: errors on the held-out part, backend and kernel path
- forecast.png: true against predicted
"""

from __future__ import annotations

import csv
import json
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numlstm.data.reader import read_csv
from numlstm.data.scaling import Scaler
from numlstm.data.series import Series, complete, write_csv
from numlstm.tasks.forecast import Forecaster, Split, Training
from numlstm.tasks.settings import Settings

__all__ = ["Run", "load", "publish", "save", "staging"]

_FORMAT = 1
_FILES = {"model.safetensors", "config.json", "data.csv", "history.csv", "metrics.json", "forecast.png"}


@dataclass(frozen=True)
class Run:
    """A run folder, read back.

    axis_name: the column that data for this run must have as its axis, None where steps are counted
    """

    forecaster: Forecaster
    series: Series
    split: Split
    axis_name: str | None

    def read(self, path: str | Path) -> Series:
        """Other data with the run's columns, its missing values treated as they were in training.

        Raises:
            OSError, ValueError: as `read_csv` and `complete`.
        """
        target, *features = self.forecaster.columns
        return complete(read_csv(path, target, features, self.axis_name), self.forecaster.settings.missing)


def save(folder: Path, series: Series, training: Training) -> None:
    """Write everything but the plot into an existing folder."""
    forecaster = training.forecaster
    forecaster.model.save(folder / "model.safetensors")
    with (folder / "data.csv").open("w", encoding="utf-8", newline="") as file:
        write_csv(series, file)
    with (folder / "history.csv").open("w", encoding="utf-8", newline="") as file:
        loss = training.history.get("loss", [])
        val_loss = training.history.get("val_loss", [""] * len(loss))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["epoch", "loss", "val_loss"])
        writer.writerows(zip(range(1, len(loss) + 1), loss, val_loss, strict=True))
    _write_json(folder / "metrics.json", training.metrics)
    _write_json(
        folder / "config.json",
        {
            "format": _FORMAT,
            "task": "forecast",
            "name": series.name,
            "target": series.target,
            "features": series.columns[1:],
            "axis": series.axis_name,
            "settings": asdict(forecaster.settings),
            "scaler": forecaster.scaler.to_dict(),
            "split": asdict(training.split),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("numlstm", "numpy", "numba")},
        },
    )


def load(folder: Path) -> Run:
    """Read a run folder back.

    Raises:
        OSError, ValueError: it is none, or one of its files is damaged.
    """
    import numlstm

    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is no run folder: it has no config.json")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["format"] != _FORMAT:
            raise ValueError(f"its format is {config['format']!r}, this version reads {_FORMAT}")
        settings = Settings(**config["settings"])
        scaler = Scaler.from_dict(config["scaler"])
        split = Split(**config["split"])
        name, target, features, axis = (config[key] for key in ("name", "target", "features", "axis"))
        columns = (target, *features)
        if not all(isinstance(text, str) for text in (name, *columns, axis or "")) or len(scaler.scale) != len(columns):
            raise ValueError("names and scaler do not fit each other")
        if not 0 < split.validation <= split.test < split.steps:
            raise ValueError(f"its split is {split}")
    except (ValueError, KeyError, TypeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{folder / 'config.json'} is damaged: {reason}") from error
    model = numlstm.load_model(folder / "model.safetensors")
    if (model.input_shape, model.output_shape) != ((None, settings.window, len(columns)), (None, settings.horizon)):
        raise ValueError(f"{folder / 'model.safetensors'} is not the model that config.json tells of")
    series = replace(read_csv(folder / "data.csv", target, features, axis), name=name)
    if len(series) != split.steps:
        raise ValueError(f"{folder / 'data.csv'} has {len(series)} rows, but config.json tells of {split.steps}")
    return Run(Forecaster(model, scaler, settings, columns), series, split, axis)


@contextmanager
def staging(out: Path | None, overwrite: bool = False) -> Iterator[Path]:
    """A hidden empty folder beside the place of a run, gone at the end unless `publish` has moved it.

    Args:
        out: the place; None for one under runs/.
        overwrite: whether a run that is there may be replaced.

    Raises:
        OSError: the place cannot be written to.
        ValueError: something is there already, and it may not be replaced.
    """
    if out is not None:
        _refuse_taken(out, overwrite)
    parent = Path("runs") if out is None else out.resolve().parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    folder = parent / f".numlstm-{secrets.token_hex(4)}"
    try:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise OSError(error.errno, f"cannot make a folder there ({error.strerror})", str(out or parent)) from error
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            for empty in made:
                empty.rmdir()


def publish(folder: Path, out: Path | None, name: str, overwrite: bool = False) -> Path:
    """Move a finished folder to its place: `out`, or runs/NAME, or runs/NAME-2 and so on where that exists.

    Returns:
        The place.

    Raises:
        OSError, ValueError: as `staging`.
    """
    if out is None:
        return _publish_numbered(folder, Path("runs"), name)
    _refuse_taken(out, overwrite)
    place = out.resolve()
    if not place.exists():
        folder.rename(place)
        return out
    old = folder.with_name(f"{folder.name}-old")
    place.rename(old)
    try:
        folder.rename(place)
    except OSError:
        old.rename(place)
        raise
    shutil.rmtree(old)
    return out


def _publish_numbered(folder: Path, parent: Path, name: str) -> Path:
    number = 1
    while True:
        place = parent / (name if number == 1 else f"{name}-{number}")
        if not place.exists():
            try:
                folder.rename(place)
            except OSError:
                if not place.exists():  # else another training has just taken it
                    raise
            else:
                return place
        number += 1


def _refuse_taken(out: Path, overwrite: bool) -> None:
    """Raise if something is at a place that may not be replaced: only a run folder, with nothing else in it, may."""
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise ValueError(f"{out} exists: choose another place, or give --overwrite to replace the run in it")
    if not out.is_dir():
        raise ValueError(f"{out} is no folder, so it is not overwritten")
    names = {entry.name for entry in out.iterdir()}
    if names and "config.json" not in names:
        raise ValueError(f"{out} is no run folder, so it is not overwritten")
    if names - _FILES:
        raise ValueError(f"{out} also holds {', '.join(sorted(names - _FILES))}, so it is not overwritten")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
