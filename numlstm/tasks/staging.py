"""The hidden folder in which a training works, beside the place of its run.

Its name is `.numlstm-KEY`, where KEY is a hash of the name of the place. `.numlstm-KEY.lock` is locked as long as the
training lives, so a second training of the same place is refused at its start.

The folder of a training that was killed stays if it has a config.json: `resuming` goes on in it. unfinished.json in it
names the place. The file tells the folder of a training from an old run that was exchanged for a new one. What else a
killed training left is removed at the start of the next one in the same parent, whatever its place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from numlstm import files as published
from numlstm import locks
from numlstm.messages import quoted
from numlstm.moving import move
from numlstm.tasks.folder import CHECKPOINT, UNFINISHED, check_free, is_interrupted, old_of, read_json, write_json

__all__ = ["Staging", "Unfinished", "resuming", "staging", "unfinished"]


_KEY = 16
"""Digits of KEY."""


@dataclass(frozen=True)
class Staging:
    """The hidden folder of a training.

    folder: the folder
    place: the place of the run, as it is shown
    overwrite: whether a run at the place is replaced
    source: the folder that holds data and settings of a training that goes on: `folder`, or an interrupted run
    """

    folder: Path
    place: Path
    overwrite: bool
    source: Path

    @property
    def resumable(self) -> bool:
        """Whether the folder holds a training with a checkpoint."""
        return _has_checkpoint(self.folder)


@dataclass(frozen=True)
class Unfinished:
    """A training that has not published its run.

    name: the name of its place; None if it is damaged
    folder: the hidden folder
    running: whether its process lives
    """

    name: str | None
    folder: Path
    running: bool


@contextmanager
def staging(out: Path | None, name: str, files: Set[str], overwrite: bool = False) -> Iterator[Staging]:
    """Make a hidden folder next to the place of a run. It is removed at the end, unless a later training can go on.

    Args:
        out: the place of the run; None: runs/NAME, or runs/NAME-2 and so on if that is taken.
        name: the name of the data.
        files: the names of all files that a run of the task may contain.
        overwrite: whether an existing run, or an interrupted training of it, may be replaced.

    Raises:
        OSError: the place is not writable.
        ValueError: the place exists, and may not be replaced, or another training is about to write it.
    """
    with _parent_of(Path("runs") / name if out is None else out.resolve()):
        place, handle = _reserve_numbered(Path("runs") / name) if out is None else (out, _reserve(out))
        folder = _folder_of(place)
        with _held(folder, handle):
            check_free(place, files, overwrite)
            _make_way(folder, place, overwrite)
            with _made(folder, place, overwrite):
                yield Staging(folder, place, overwrite, folder)


@contextmanager
def resuming(place: Path) -> Iterator[Staging]:
    """Go on in the hidden folder of an interrupted training, or make one for an interrupted run.

    Raises:
        OSError: the place is not writable.
        ValueError: the training still runs, the run is finished or has no checkpoint, there is none, or something else
            took its place.
    """
    if not place.resolve().parent.is_dir():
        raise ValueError(f"there is no run {place}")
    handle = _lock(place)
    if handle is None:
        raise ValueError(f"{place} is still being trained")
    folder = _folder_of(place)
    with _held(folder, handle):
        if _is_unfinished(folder):
            overwrite = _overwrites(folder, place)
            if not overwrite and os.path.lexists(place):
                raise ValueError(f"{place} exists, and its interrupted training does not replace it: move {place} away")
            yield Staging(folder, place, overwrite, folder)
            if not _is_unfinished(folder):  # It holds the old run.
                _discard(folder)
            return
        _check_resumable(place)
        _make_way(folder, place, overwrite=True)
        with _made(folder, place, overwrite=True):
            kept = (place / CHECKPOINT).read_bytes()
            published.write(folder / CHECKPOINT, kept)
            try:
                yield Staging(folder, place, True, place)
            finally:
                # A training that took no step leaves the run's own checkpoint, which may be repaired.
                copy = folder / CHECKPOINT
                if _is_unfinished(folder) and copy.is_file() and copy.read_bytes() == kept:
                    copy.unlink()


def unfinished(parent: Path) -> list[Unfinished]:
    """The trainings that have a hidden folder in a folder."""
    found = []
    for note in sorted(parent.glob(f".numlstm-*/{UNFINISHED}")):
        folder = note.parent
        if _is_unfinished(folder):
            name = None
            with suppress(OSError, ValueError):
                name, _ = _read_note(folder)
            found.append(Unfinished(name, folder, locks.is_held(_lock_of(folder))))
    return found


# The folder


def _folder_of(place: Path) -> Path:
    resolved = place.resolve()
    return resolved.parent / f".numlstm-{hashlib.sha256(os.fsencode(resolved.name)).hexdigest()[:_KEY]}"


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _is_unfinished(folder: Path) -> bool:
    """Whether a folder holds a training that can go on: `staging` makes one file, the task the other."""
    return (folder / UNFINISHED).is_file() and (folder / "config.json").is_file()


def _has_checkpoint(folder: Path) -> bool:
    return _is_unfinished(folder) and (folder / CHECKPOINT).exists()


def _write_note(folder: Path, place: Path, overwrite: bool) -> None:
    write_json(folder / UNFINISHED, {"place": place.resolve().name, "overwrite": overwrite})


def _read_note(folder: Path) -> tuple[str, bool]:
    """The name of the place, and whether a run there is replaced; ValueError if the note is damaged."""
    note = read_json(folder / UNFINISHED)
    name, overwrite = note.get("place"), note.get("overwrite")
    if not isinstance(name, str) or not isinstance(overwrite, bool):
        raise ValueError(f"{folder / UNFINISHED} is damaged: it holds {quoted(note)}")
    return name, overwrite


def _overwrites(folder: Path, place: Path) -> bool:
    """Whether a training replaces a run at its place. A damaged note is written again: the place is known here."""
    try:
        return _read_note(folder)[1]
    except ValueError:
        _write_note(folder, place, overwrite=False)
        return False


@contextmanager
def _held(folder: Path, handle: int) -> Iterator[None]:
    """Release the lock of a folder at the end."""
    try:
        yield
    finally:
        locks.remove(_lock_of(folder), handle)


@contextmanager
def _made(folder: Path, place: Path, overwrite: bool) -> Iterator[None]:
    """Make a folder. It is removed at the end unless a later training can go on from its checkpoint."""
    try:
        folder.mkdir()
        _write_note(folder, place, overwrite)
        yield
    finally:
        if not _has_checkpoint(folder):  # After an exchange the folder holds the old run.
            _discard(folder)


def _discard(folder: Path) -> None:
    """Remove a folder. A kill on the way leaves nothing that looks like a training."""
    with suppress(OSError):
        (folder / UNFINISHED).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _make_way(folder: Path, place: Path, overwrite: bool) -> None:
    """Remove an interrupted training of the place if it may be replaced; otherwise raise ValueError."""
    if _is_unfinished(folder):
        if not overwrite:
            raise ValueError(
                f"an interrupted training of {place} is there: `numlstm train --resume {place}` goes on with it, and"
                " --overwrite begins anew"
            )
        _discard(folder)
    if folder.exists():  # Nobody could remove it; or the file system has no locks, and its training may live.
        raise ValueError(f"{folder} is in the way: remove it, unless a training is writing {place}")


# The place


@contextmanager
def _parent_of(place: Path) -> Iterator[None]:
    """Make the folder of a place. At the end, remove what was made and is empty."""
    parent = place.parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(place, error) from error
        yield
    finally:
        with suppress(OSError):
            for empty in made:
                empty.rmdir()


def _unwritable(place: Path, error: OSError) -> OSError:
    return OSError(error.errno, f"cannot make a folder there ({error.strerror})", str(place))


def _reserve(out: Path) -> int:
    handle = _lock(out)
    if handle is None:
        raise ValueError(f"another training is writing {out}: wait for its end, or choose another place")
    return handle


def _reserve_numbered(first: Path) -> tuple[Path, int]:
    """Reserve the first free place: itself, itself-2 and so on. No run and no training may have it."""
    number = 1
    while True:
        place = first if number == 1 else first.with_name(f"{first.name}-{number}")
        handle = None if os.path.lexists(place) else _lock(place)
        if handle is not None:
            if not os.path.lexists(place) and not _folder_of(place).exists():
                return place, handle
            locks.remove(_lock_of(_folder_of(place)), handle)
        number += 1


def _lock(place: Path) -> int | None:
    """Finish what killed trainings began beside a place, and lock the name of its hidden folder.

    Returns:
        The handle of the lock, whose file has the name of the run, for `_finish`; None if a training has locked it.
    """
    folder = _folder_of(place)
    lock = _lock_of(folder)
    try:
        _sweep(folder.parent)
        handle = locks.create(lock)
        if handle is not None:
            try:
                os.write(handle, os.fsencode(place.resolve().name))
            except OSError:
                locks.remove(lock, handle)
                raise
    except OSError as error:
        raise _unwritable(place, error) from error
    return handle


def _sweep(parent: Path) -> None:
    """Remove what killed trainings left in a folder. If one was about to publish its run, do that."""
    for lock in parent.glob(".numlstm-*.lock"):
        with locks.abandoned(lock) as left, suppress(OSError):
            if left:
                _finish(lock)
    for folder in parent.glob(f".numlstm-{'[0-9a-f]' * _KEY}"):
        # A living training has its lock file. So this is what a training could not remove at its end.
        if folder.is_dir() and not _lock_of(folder).exists() and not _is_unfinished(folder):
            handle = locks.create(_lock_of(folder))
            if handle is not None:
                _discard(folder)
                locks.remove(_lock_of(folder), handle)


def _finish(lock: Path) -> None:
    folder = lock.with_suffix("")
    old = old_of(folder)
    if old.exists():
        # Only a complete run makes the old one go, so the new one may take its place.
        place = lock.parent / Path(os.fsdecode(lock.read_bytes())).name
        if folder.exists() and not os.path.lexists(place):
            move(folder, place)
            (place / UNFINISHED).unlink(missing_ok=True)
        shutil.rmtree(old)
    if not _is_unfinished(folder):
        _discard(folder)


def _check_resumable(place: Path) -> None:
    """Raise ValueError if a place holds no interrupted run with a checkpoint."""
    if not os.path.lexists(place):
        raise ValueError(
            f"there is no run {place}, and no interrupted training of it: `numlstm runs {place.parent}` lists the runs"
        )
    if not is_interrupted(place):
        raise ValueError(f"{place} is finished: there is nothing to resume")
    if not (place / CHECKPOINT).is_file():
        raise ValueError(f"{place} has no {CHECKPOINT} to go on from: train it again, with --overwrite")
