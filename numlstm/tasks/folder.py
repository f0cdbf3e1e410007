"""The run folder of any task. It appears when it is complete, and replaces nothing but another run.

A training makes the folder in a hidden place, see `numlstm.tasks.staging`, and `publish` moves it.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Set
from pathlib import Path
from typing import Any

from numlstm import files as published
from numlstm.messages import amount, listed, plain, quoted
from numlstm.moving import exchange, move
from numlstm.reading import opened

__all__ = [
    "CHECKPOINT", "REPORT", "UNFINISHED", "check_free", "is_interrupted", "old_of", "publish", "read_config",
    "read_json", "write_json",
]  # fmt: skip

CHECKPOINT = "checkpoint.safetensors"
"""The state of a training. An interrupted run keeps it, to go on from."""
REPORT = "report.html"
"""The report on a run."""
UNFINISHED = "unfinished.json"
"""A note of `numlstm.tasks.staging` in the folder of a training. A run that a kill left it in is a run all the same."""
_MOST = 1 << 24
"""The largest JSON file in bytes."""


def publish(folder: Path, place: Path, files: Set[str], overwrite: bool = False, finished: bool = True) -> Path:
    """Move a complete folder to its place.

    If the place cannot be taken, because somebody wrote there during the training, the run goes beside it: PLACE-2 and
    so on.

    Args:
        folder: the hidden folder, with a whole run.
        place: the place.
        files: the names of all files that a run of the task may contain.
        overwrite: whether a run at the place is replaced.
        finished: whether the run needs no checkpoint.

    Returns:
        The place.

    Raises:
        OSError: the system refuses to rename the folder.
    """
    try:
        check_free(place, files, overwrite)
        _put(folder, place.resolve())
    except (OSError, ValueError):
        place = _publish_numbered(folder, place.resolve())
    # Only now: a kill before leaves a training that can go on.
    for name in (UNFINISHED, *([CHECKPOINT] if finished else [])):
        (place / name).unlink(missing_ok=True)
    published.sync_folder(place.resolve().parent)
    return place


def old_of(folder: Path) -> Path:
    """Where a run stays while the run in a hidden folder takes its place, on systems that cannot exchange them."""
    return folder.with_name(f"{folder.name}-old")


def _put(folder: Path, place: Path) -> None:
    """Move a folder to a place. A run there is in the folder's place afterwards, or nowhere."""
    if not os.path.lexists(place):
        move(folder, place)
    elif not exchange(folder, place):
        # A kill between these two leaves no run at the place. The next start of a training ends it.
        old = old_of(folder)
        move(place, old)
        try:
            move(folder, place)
        except OSError:
            move(old, place)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _publish_numbered(folder: Path, first: Path) -> Path:
    number = 2
    while True:
        place = first.with_name(f"{first.name}-{number}")
        if not os.path.lexists(place):
            try:
                _put(folder, place)
            except OSError:
                if not os.path.lexists(place):  # If it exists now, another training took it: try the next number.
                    raise
            else:
                return place
        number += 1


def check_free(out: Path, files: Set[str], overwrite: bool) -> None:
    """Check that a run can be put at a place.

    Raises:
        ValueError: the place exists, unless `overwrite` is set and it is a run folder without other files.
        PermissionError: the run may not be removed.
    """
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise ValueError(f"{out} exists: choose another place, or give --overwrite to replace the run in it")
    if not out.is_dir():
        raise ValueError(f"{out} is no folder, so it is not overwritten")
    if not os.access(out, os.W_OK | os.X_OK):  # Its files could not be removed: it would stay under a hidden name.
        raise PermissionError(errno.EACCES, "its files may not be removed, so it is not overwritten", str(out))
    published.sweep(out)
    names = {entry.name for entry in out.iterdir()}
    allowed = files | {CHECKPOINT, UNFINISHED}
    if names and "config.json" not in names:
        raise ValueError(f"{out} is no run folder, so it is not overwritten")
    if names - allowed:
        raise ValueError(f"{out} also holds {listed(sorted(names - allowed))}, so it is not overwritten")


def read_config(folder: Path) -> dict[str, Any]:
    """Read the config.json of a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or the file is damaged.
    """
    try:
        return read_json(folder / "config.json")
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} is no run folder: it has no config.json") from None


def is_interrupted(folder: Path) -> bool:
    """Whether the training of a run folder did not come to its end.

    Raises:
        OSError, ValueError: the folder is not a run folder, or one of its files is damaged.
    """
    read_config(folder)
    return bool(read_json(folder / "metrics.json").get("interrupted"))


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a file of `write_json`.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged.
    """
    with opened(path) as file:
        text = file.read(_MOST + 1)
    try:
        if len(text) > _MOST:
            raise ValueError(f"it is larger than {amount(_MOST)}")
        content = json.loads(text.decode("utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds {quoted(content)}")
    except RecursionError as error:
        raise ValueError(f"{path} is damaged: its brackets are nested too deep") from error
    except ValueError as error:
        raise ValueError(plain(f"{path} is damaged: {error}")) from error
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write standard JSON, which has no NaN, with one value per line."""
    published.write(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
