"""The interface of all tasks.

A task is a folder here: `settings.py`, `train.py` (from data and settings to a training), `report.py` (a sentence and a
picture), and `run.py`, which writes a training to a run folder and reads it back as a `Run`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from numlstm.model import Model
from numlstm.tasks.folder import read_config

__all__ = ["TASKS", "Run", "Table", "load"]

TASKS = tuple(sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]) if found.ispkg))
"""The names of all tasks, which are the names of the folders beside this file."""


@dataclass(frozen=True)
class Table:
    """The header and the rows of a CSV file."""

    header: tuple[str, ...]
    rows: Iterable[tuple[object, ...]]


class Run(Protocol):
    """The operations on a run folder that was read back.

    All methods raise ValueError or OSError, with a message of one sentence, if data do not fit the run.
    """

    @property
    def model(self) -> Model:
        """The trained model."""

    @property
    def batch_size(self) -> int:
        """Batch size of a training step."""

    def evaluate(self, data: Path | None) -> dict[str, Any]:
        """Compute the errors on the held-out part, or on all of a file with other data."""

    def predict(self, data: Path | None, steps: int | None) -> Table:
        """Predict for the run's own data, or for a file with other data.

        Args:
            data: The file; None: the run's own data.
            steps: The number of steps to predict after the end of the data instead, if the task supports it.
        """

    def draw(self, path: Path) -> None:
        """Plot the held-out part. The ending of the path determines the format."""


def load(folder: Path) -> tuple[Run, Path]:
    """Read a run folder of any task.

    Returns:
        The run, and the path of its picture.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    task = read_config(folder).get("task")
    if task not in TASKS:
        raise ValueError(f"{folder} is a run of the task {task!r}, but this numlstm knows {', '.join(TASKS)}")
    module = importlib.import_module(f"numlstm.tasks.{task}.run")
    return cast(Run, module.load(folder)), folder / str(module.PICTURE)
