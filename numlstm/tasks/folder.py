"""The run folder of any task. It appears when it is complete, and replaces nothing but another run.

A training writes into a hidden folder beside the place of its run: `.numlstm-KEY`, where KEY is a hash of the run's
name. `.numlstm-KEY.lock` is locked as long as the training lives. So a second training of the same place is refused at
its start, and what a killed training left is removed at the start of the next one, whatever its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numlstm import files as published
from numlstm import locks
from numlstm.messages import amount, listed, plain, quoted
from numlstm.moving import exchange, move
from numlstm.reading import opened

__all__ = ["publish", "read_config", "staging", "write_json"]

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
        ValueError: the place exists, and may not be replaced, or another training is about to write it.
    """
    place = None if out is None else out.resolve()
    parent = Path("runs") if place is None else place.parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    key = secrets.token_hex(8) if place is None else hashlib.sha256(os.fsencode(place.name)).hexdigest()[:16]
    folder = parent / f".numlstm-{key}"
    try:
        with _locked(folder, out):
            if out is not None:
                _refuse_taken(out, files, overwrite)
            if folder.exists():  # The file system has no locks, which tell whether its training lives.
                raise ValueError(f"{folder} is in the way: remove it, unless a training is writing {out}")
            try:
                folder.mkdir()
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        with suppress(OSError):
            for empty in made:
                empty.rmdir()


@contextmanager
def _locked(folder: Path, out: Path | None) -> Iterator[None]:
    """Make the parent of a staging folder, finish what killed trainings began there, and lock the folder's name."""
    lock = _lock_of(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        handle = _take(lock, b"" if out is None else os.fsencode(out.resolve().name))
    except OSError as error:
        reason = f"cannot make a folder there ({error.strerror})"
        raise OSError(error.errno, reason, str(out or folder.parent)) from error
    if handle is None:
        raise ValueError(f"another training is writing {out}: wait for its end, or choose another place")
    try:
        yield
    finally:
        locks.remove(lock, handle)


def _take(lock: Path, name: bytes) -> int | None:
    """Lock the name of a staging folder. The lock's file has the name of the run, for `_finish`."""
    handle = locks.create(lock)
    if handle is not None:
        try:
            os.write(handle, name)
        except OSError:
            locks.remove(lock, handle)
            raise
    return handle


def _sweep(parent: Path) -> None:
    """Remove what killed trainings left in a folder. If one was about to publish its run, do that."""
    for lock in parent.glob(".numlstm-*.lock"):
        with locks.abandoned(lock) as left, suppress(OSError):
            if left:
                _finish(lock)


def _finish(lock: Path) -> None:
    folder = lock.with_suffix("")
    old = _old_of(folder)
    if old.exists():
        # Only a complete run makes the old one go, so the new one may take its place.
        place = lock.parent / Path(os.fsdecode(lock.read_bytes())).name
        if folder.exists() and not os.path.lexists(place):
            move(folder, place)
        shutil.rmtree(old)
    if folder.exists():
        shutil.rmtree(folder)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _old_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-old")


def publish(folder: Path, out: Path | None, name: str, files: Set[str], overwrite: bool = False) -> Path:
    """Move a finished folder to its place: `out`, or runs/NAME, or runs/NAME-2 and so on if runs/NAME exists.

    If `out` cannot be taken, because somebody wrote there during the training, the place is beside it: OUT-2 and so on.

    Returns:
        The place.

    Raises:
        OSError: the system refuses to rename the folder.
    """
    if out is None:
        return _publish_numbered(folder, Path("runs"), name)
    place = out.resolve()
    try:
        _refuse_taken(out, files, overwrite)
        _put(folder, place)
    except (OSError, ValueError):
        return _publish_numbered(folder, place.parent, place.name)
    published.sync_folder(place.parent)
    return out


def _put(folder: Path, place: Path) -> None:
    """Move a folder to a place. A run there is in the folder's place afterwards, or nowhere."""
    if not os.path.lexists(place):
        move(folder, place)
    elif not exchange(folder, place):
        # A kill between these two leaves no run at the place. `_finish` ends it at the next start.
        old = _old_of(folder)
        move(place, old)
        try:
            move(folder, place)
        except OSError:
            move(old, place)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _publish_numbered(folder: Path, parent: Path, name: str) -> Path:
    number = 1
    while True:
        place = parent / (name if number == 1 else f"{name}-{number}")
        if not os.path.lexists(place):
            try:
                _put(folder, place)
            except OSError:
                if not os.path.lexists(place):  # If it exists now, another training took it: try the next number.
                    raise
            else:
                published.sync_folder(parent)
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
    published.sweep(out)
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


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write standard JSON, which has no NaN, with one value per line."""
    published.write(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
