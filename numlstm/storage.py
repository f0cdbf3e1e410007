"""The files of checkpoints: where `fit` writes them, and from which one it goes on."""

from __future__ import annotations

import os
from pathlib import Path

from numlstm import checks, files
from numlstm.messages import plain, quoted
from numlstm.training.checkpoint import Checkpoints, State

__all__ = ["EVERY", "checkpoints"]

EVERY = "60s"
"""The time between two checkpoints, unless another is given."""


def checkpoints(
    path: str | os.PathLike[str] | None, every: str | int, resume: str | os.PathLike[str] | None
) -> Checkpoints:
    """Check the arguments of `fit` before the training, and make its checkpoints.

    Args:
        path: The file to write; None: no checkpoints are written.
        every: The time or the number of steps between two checkpoints, as for `fit`.
        resume: The file to go on from; None: the training begins anew.

    Raises:
        ValueError, TypeError: If `every` is no interval or is given without `path`, or a file is named as a Keras file.
        OSError: If the file to write cannot be written.
    """
    place = None if path is None else checks.model_path(path)
    if place is not None:
        files.check_place(place)
    elif every != EVERY:
        raise ValueError(f"checkpoint_every={quoted(every)} needs the file to write: give fit checkpoint too")
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
        if not self._start.exists():
            raise FileNotFoundError(
                f"there is no checkpoint at {plain(str(self._start))}: give resume the file that fit(checkpoint=...) "
                "has written, or leave it out to begin anew"
            )
        state: State = saved.training_state(tensors.read(self._start), self._start)
        return state
