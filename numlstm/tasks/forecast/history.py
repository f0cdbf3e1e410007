"""history.csv: the losses of each finished epoch, for each model where there are several."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numlstm import files
from numlstm.messages import plain
from numlstm.reading import opened
from numlstm.tasks.task import Table

__all__ = ["History", "read", "write"]

History = dict[str, list[float]]
"""The "loss" and, with a validation part, the "val_loss" of each finished epoch of a model."""


def write(path: Path, histories: Sequence[History]) -> None:
    """Write the file."""
    several = len(histories) > 1
    rows = []
    for number, history in enumerate(histories, start=1):
        loss = history.get("loss", [])
        val_loss: list[Any] = history.get("val_loss", [""] * len(loss))
        for epoch, values in enumerate(zip(loss, val_loss, strict=True), start=1):
            rows.append((*([number] if several else []), epoch, *values))
    table = Table((*(["model"] if several else []), "epoch", "loss", "val_loss"), rows)
    files.write(path, table.csv().encode())


def read(path: Path) -> list[History]:
    """Read the file. Models without a finished epoch are not in it.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged.
    """
    found: dict[str, History] = {}
    with opened(path) as file:
        content = file.read()
    try:
        for row in csv.DictReader(io.StringIO(content.decode("utf-8"))):
            history = found.setdefault(row.get("model") or "", {"loss": []})
            history["loss"].append(float(row["loss"]))
            if row["val_loss"]:
                history.setdefault("val_loss", []).append(float(row["val_loss"]))
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        reason = f"no column {error}" if isinstance(error, KeyError) else error
        raise ValueError(plain(f"{path} is damaged: {reason}")) from error
    return list(found.values())
