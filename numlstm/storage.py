"""The files of checkpoints: where `fit` writes them, and from which one it goes on."""

from __future__ import annotations

import os
from pathlib import Path

from numlstm import checks, files
from numlstm.training.checkpoint import Checkpoints, State

__all__ = ["checkpoints"]


def checkpoints(
    path: str | os.PathLike[str] | None, every: str | int, resume: str | os.PathLike[str] | None
) -> Checkpoints:
    """Check the arguments of `fit` before the training, and make its checkpoints.

    Args:
        path: The file to write; None: no checkpoints are written.
        every: The time or the number of steps between two checkpoints, as for `fit`.
        resume: The file to go on from; None: the training begins anew.

    Raises:
        ValueError, TypeError: If `every` is no interval, or a file is named as a Keras file.
        OSError: If the file to write cannot be written.
    """
    place = None if path is None else checks.model_path(path)
    if place is not None:
        files.check_place(place)
    start = None if resume is None else checks.model_path(resume)
    return Checkpoints(_Storage(place, start), every)


class _Storage:
    """A file to write and a file to read. `numlstm.training.checkpoint.Storage` documents the methods."""

    def __init__(self, place: Path | None, start: Path | None) -> None:
        self.writes, self.resumes = place is not None, start is not None
        self._place, self._start = place, start

    def write(self, state: State) -> None:
        # What files need is imported here: it would take a twentieth of the library's import.
        from numlstm import saved
        from numlstm.formats import tensors

        assert self._place is not None
        tensors.write(self._place, saved.describe_training(state))

    def read(self) -> State:
        from numlstm import saved
        from numlstm.formats import tensors

        assert self._start is not None
        state: State = saved.training_state(tensors.read(self._start), self._start)
        return state
