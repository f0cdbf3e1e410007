"""The paths on the command line, and the files that a command writes, checked before its work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import click

from numlstm.override import override

__all__ = ["OUTPUT", "PATH", "check_outputs"]


class _Path(click.Path):
    """A path on the command line. The empty one would be the working folder."""

    @override
    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if not value:
            self.fail("a path must not be empty", parameter, context)
        return super().convert(value, parameter, context)


PATH = _Path(path_type=Path)


class _Output(_Path):
    """The path of a file that is written. pathlib would take `a.png/` for `a.png`."""

    @override
    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if value == "-":
            self.fail("'-' does not stand for standard output here: name a file", parameter, context)
        if isinstance(value, str) and value.endswith((os.sep, os.altsep or os.sep)):
            self.fail(f"{value!r} is a folder: name a file", parameter, context)
        return super().convert(value, parameter, context)


OUTPUT = _Output(path_type=Path)


def check_outputs(
    outputs: Mapping[str, Path | None], data: Path | None = None, run: Path | None = None, made_again: bool = True
) -> None:
    """Check the files that a command writes, before its work. What is no regular file, such as a device, may be any.

    Args:
        outputs: The files, by the flags that name them; None for a flag that was not given.
        data: The file that the command reads.
        run: The run folder that it reads. The file that the run was trained on is not replaced either.
        made_again: Whether picture and report of a run are not replaced: by all but the commands that make them.

    Raises:
        OSError: A file cannot be written, see `numlstm.files.check_place`.
        click.UsageError: Two are the same file, or one is the data, or a file that a run folder needs.
    """
    from numlstm import files
    from numlstm.tasks.task import is_part_of_run, source_of

    places = {flag: place for flag, place in outputs.items() if place is not None}
    for place in places.values():
        files.check_place(place)
    written = {flag: place.resolve() for flag, place in places.items() if place.is_file() or not place.exists()}
    for (flag, place), (other, same) in combinations(written.items(), 2):
        if place == same:
            raise click.UsageError(f"{flag} and {other} are both {places[flag]}: name two files")
    source = None if run is None else source_of(run)
    for flag, place in written.items():
        name = f"{flag} {places[flag]}"
        if data is not None and data.exists() and place.exists() and place.samefile(data):
            raise click.UsageError(f"{name} would replace the data that are read: name another file")
        if source is not None and place.exists() and place.samefile(source):
            raise click.UsageError(f"{name} would replace the data that {run} was trained on: name another file")
        if is_part_of_run(place, made_again):
            raise click.UsageError(f"{name} would replace a part of the run in {place.parent}: name another file")
