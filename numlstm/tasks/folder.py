"""The run folder of any task. It appears when it is complete, and replaces nothing but another run."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from numlstm.messages import amount, listed, plain, quoted
from numlstm.moving import move
from numlstm.reading import opened

__all__ = ["publish", "read_config", "staging", "write_json", "writing"]

_MOST = 1 << 24
"""The largest config.json in bytes."""


@contextmanager
def staging(out: Path | None, files: Set[str], overwrite: bool = False) -> Iterator[Path]:
    """Make a hidden empty folder next to the place of a run. It is removed at the end unless `publish` moved it.

    Args:
        out: the place of the run; None: a place under runs/.
        files: the names of all files that a run of the task may contain.
        overwrite: whether an existing run may be replaced.

    Raises:
        OSError: the place is not writable.
        ValueError: the place exists, and may not be replaced.
    """
    if out is not None:
        _refuse_taken(out, files, overwrite)
    parent = Path("runs") if out is None else out.resolve().parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    folder = parent / f".numlstm-{secrets.token_hex(4)}"
    try:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise OSError(error.errno, f"cannot make a folder there ({error.strerror})", str(out or parent)) from error
        try:
            yield folder
        except OSError as error:
            if error.filename is None or folder not in Path(error.filename).parents:
                raise
            # The user does not know the hidden folder.
            raise OSError(error.errno, error.strerror, str(out or parent)) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            for empty in made:
                empty.rmdir()


def publish(folder: Path, out: Path | None, name: str, files: Set[str], overwrite: bool = False) -> Path:
    """Move a finished folder to its place: `out`, or runs/NAME, or runs/NAME-2 and so on if runs/NAME exists.

    Returns:
        The place.

    Raises:
        OSError, ValueError: as for `staging`.
    """
    if out is None:
        return _publish_numbered(folder, Path("runs"), name)
    _refuse_taken(out, files, overwrite)
    place = out.resolve()
    if not place.exists():
        move(folder, place)
        return out
    old = folder.with_name(f"{folder.name}-old")
    move(place, old)
    try:
        move(folder, place)
    except OSError:
        move(old, place)
        raise
    shutil.rmtree(old)
    return out


def _publish_numbered(folder: Path, parent: Path, name: str) -> Path:
    number = 1
    while True:
        place = parent / (name if number == 1 else f"{name}-{number}")
        if not place.exists():
            try:
                move(folder, place)
            except OSError:
                if not place.exists():  # If the place exists now, another training took it: try the next number.
                    raise
            else:
                return place
        number += 1


def _refuse_taken(out: Path, files: Set[str], overwrite: bool) -> None:
    """Raise ValueError if a place exists, unless `overwrite` is set and it is a run folder without other files."""
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise ValueError(f"{out} exists: choose another place, or give --overwrite to replace the run in it")
    if not out.is_dir():
        raise ValueError(f"{out} is no folder, so it is not overwritten")
    names = {entry.name for entry in out.iterdir()}
    if names and "config.json" not in names:
        raise ValueError(f"{out} is no run folder, so it is not overwritten")
    if names - files:
        raise ValueError(f"{out} also holds {listed(sorted(names - files))}, so it is not overwritten")


def read_config(folder: Path) -> dict[str, Any]:
    """Read the config.json of a run folder.

    Raises:
        OSError, ValueError: the folder is not a run folder, or the file is damaged.
    """
    path = folder / "config.json"
    try:
        with opened(path) as file:
            text = file.read(_MOST + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} is no run folder: it has no config.json") from None
    try:
        if len(text) > _MOST:
            raise ValueError(f"it is larger than {amount(_MOST)}")
        config = json.loads(text.decode("utf-8"))
        if not isinstance(config, dict):
            raise ValueError(f"it holds {quoted(config)}")
    except RecursionError as error:
        raise ValueError(f"{path} is damaged: its brackets are nested too deep") from error
    except ValueError as error:
        raise ValueError(plain(f"{path} is damaged: {error}")) from error
    return config


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """Open a text file for writing.

    Raises:
        OSError: the file cannot be written. The error has its name, which that of a full disk has not.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write standard JSON, which has no NaN, with one value per line."""
    with writing(path) as file:
        file.write(json.dumps(content, indent=2, allow_nan=False) + "\n")
