"""Tasks: complete jobs with data, model and report. `load` reads a run folder for use from Python."""

from __future__ import annotations

from pathlib import Path

from numlstm.tasks import task
from numlstm.tasks.task import Run

__all__ = ["load"]


def load(folder: str | Path) -> Run:
    """Read the folder of a run that `numlstm train` left, such as "runs/sales".

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    return task.load(Path(folder))[0]
