"""The data of a command that uses a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from numlstm.messages import option, plain
from numlstm.tasks.task import Data, Run
from numlstm.terminal import say

__all__ = ["read"]


def read(run: Run, data: Path | None, given: Mapping[str, Any]) -> Data | None:
    """Read a file for a run, and print the notes on it to standard error. None without a file.

    Raises:
        click.UsageError: there are options of reading, but no file.
        OSError, ValueError: as for `Run.read`.
    """
    if data is None:
        if given:
            flags = ", ".join(option(name, *([value] if value is False else [])) for name, value in given.items())
            raise click.UsageError(f"{flags} tells how a file is read: give one after the run, or leave it out")
        return None
    found = run.read(data, given)
    for note in found.notes:
        say(f"Note: {plain(note)}\n", error=True)
    return found
