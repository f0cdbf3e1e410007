"""A list of the runs in a folder, of any task. What cannot be read makes a run broken, and no error."""

from __future__ import annotations

import csv
import io
import math
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numlstm.formats.tensors import read_description
from numlstm.reading import opened
from numlstm.tasks.folder import CHECKPOINT, read_config, read_json
from numlstm.tasks.staging import unfinished

__all__ = ["Listed", "list_runs"]


@dataclass(frozen=True)
class Listed:
    """A run, or a training that has not published its run.

    name: the name of its place
    state: "running", "finished", "interrupted" or "broken"
    epochs: the fewest and the most finished epochs of its models for use; None if they are not known
    best: the lowest val_loss of these models, or loss without a validation part; None if it is not known
    size: bytes of its files
    resumable: whether `numlstm train --resume` goes on with it
    """

    name: str
    state: str
    epochs: tuple[int, int] | None
    best: float | None
    size: int
    resumable: bool


def list_runs(folder: Path) -> list[Listed]:
    """List the runs in a folder, the newest last.

    Raises:
        OSError: The folder cannot be read.
    """
    trainings = unfinished(folder)
    resumed = {training.name for training in trainings}
    found = []
    for path in sorted(folder.iterdir()):
        if _is_run(path):
            run = _run(path)
            found.append((_time(path), replace(run, resumable=run.resumable and run.name not in resumed)))
    for training in trainings:
        state = "broken" if training.name is None else "running" if training.running else "interrupted"
        name = training.name or training.folder.name
        epochs, best = _progress(training.folder / CHECKPOINT)
        listed = Listed(name, state, epochs, best, _size(training.folder), state == "interrupted")
        found.append((_time(training.folder), listed))
    return [listed for _, listed in sorted(found, key=lambda item: item[0])]


def _is_run(path: Path) -> bool:
    try:
        return not path.name.startswith(".") and any((path / name).exists() for name in ("config.json", "metrics.json"))
    except OSError:
        return False


def _run(path: Path) -> Listed:
    try:
        read_config(path)
        metrics = read_json(path / "metrics.json")
        epochs, best = _history(path / "history.csv", metrics)
        if not (path / "model.safetensors").is_file():
            raise ValueError("no model")
    except (OSError, ValueError, csv.Error):
        return Listed(path.name, "broken", None, None, _size(path), False)
    interrupted = bool(metrics.get("interrupted"))
    resumable = interrupted and (path / CHECKPOINT).is_file()
    return Listed(path.name, "interrupted" if interrupted else "finished", epochs, best, _size(path), resumable)


def _history(path: Path, metrics: dict[str, Any]) -> tuple[tuple[int, int], float | None]:
    """The fewest and the most epochs of the models for use, and their lowest loss."""
    with opened(path) as file:
        rows = list(csv.DictReader(io.StringIO(file.read().decode())))
    models: dict[str | None, list[float]] = {}
    for row in rows:
        losses = models.setdefault(row.get("model"), [])
        losses.append(float(row.get("val_loss") or row.get("loss") or math.nan))
    found, tested = list(models.values()), metrics.get("members")
    if isinstance(tested, int) and 0 < tested < len(found):  # Behind the tested models, those of all rows.
        found = found[tested:] if metrics.get("refitted") else found[:tested]
    counts = [len(losses) for losses in found]
    return (min(counts, default=0), max(counts, default=0)), _lowest(loss for losses in found for loss in losses)


def _progress(checkpoint: Path) -> tuple[tuple[int, int] | None, float | None]:
    """The epochs in the checkpoint of a training, twice, and the lowest loss; None if they cannot be read."""
    try:
        state = read_description(checkpoint)["history"]
        numbers = state["history"]
        count = len(state["epoch"])
        return (count, count), _lowest(numbers.get("val_loss") or numbers.get("loss", []))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, MemoryError):
        return None, None


def _lowest(losses: Iterable[Any]) -> float | None:
    return min((loss for loss in map(float, losses) if math.isfinite(loss)), default=None)


def _time(path: Path) -> float:
    """When a run was written."""
    for name in ("config.json", "."):
        try:
            return (path / name).stat().st_mtime
        except OSError:
            continue
    return 0.0


def _size(path: Path) -> int:
    """Bytes of the regular files in a folder."""
    try:
        found = [entry.stat(follow_symlinks=False) for entry in os.scandir(path)]
    except OSError:
        return 0
    return sum(each.st_size for each in found if stat.S_ISREG(each.st_mode))
