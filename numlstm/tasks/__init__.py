"""Tasks: complete jobs with data, model and report. `load` reads a run folder; `Forecaster` fits a DataFrame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numlstm.tasks import task
from numlstm.tasks.forecaster import Forecaster

__all__ = ["Forecaster", "load"]


def load(folder: str | Path) -> Any:
    """Read the folder of a run that `numlstm train` left, such as "runs/sales".

    Returns:
        A `numlstm.tasks.task.Run` with what else its task can do: `forecast`, `backtest`, `generate`, `translate`.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    return task.load(Path(folder))[0]
