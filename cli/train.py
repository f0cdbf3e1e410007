"""`numlstm train`: from data to a run folder."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from numlstm.cli.paths import PATH
from numlstm.cli.sentence import in_one_line
from numlstm.tasks import task

_COMMAND = task.command(task.DEFAULT)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the task, in their order."""
    for option in reversed(_COMMAND.options):
        values: Any = click.Choice(option.values) if isinstance(option.values, tuple) else option.values
        command = click.option(
            option.flag, option.name, type=values, multiple=option.several, default=None, help=option.help
        )(command)
    return command


@click.command(help=_COMMAND.about, epilog="\b\nExamples:\n" + "\n".join(f"  {line}" for line in _COMMAND.examples))
@click.argument("data", required=False, metavar=f"[{_COMMAND.data}]", type=PATH)
@_options
@click.option("--out", type=PATH, help="The run folder. [runs/NAME, runs/NAME-2, ...]")
@click.option("--overwrite", is_flag=True, help="Replace the run that --out holds.")
@click.option("--plot/--no-plot", default=True, help=f"Whether to draw {_COMMAND.picture}. [--plot]")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def train(data: Path | None, out: Path | None, overwrite: bool, plot: bool, quiet: bool, **options: Any) -> None:
    """Train a model and leave a run folder. The help is that of the task."""
    from numlstm.tasks import folder as folders
    from numlstm.terminal import say

    job = task.begin(task.DEFAULT, data, {name: value for name, value in options.items() if value not in (None, ())})
    if overwrite and out is None:
        raise click.UsageError("--overwrite needs --out, the run to replace")
    with folders.staging(out, job.files, overwrite) as folder, _interrupted_once():
        if not quiet:
            say(f"{job.introduction()}\n")
        job.train(verbose=0 if quiet else 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        place = _save(job, folder, out, overwrite)
        missing = _missing(job, place, plot)
    if not quiet:
        say(f"{job.sentence()}\n" if job.unmeasured is None else "")
        say(f"saved in {click.format_filename(place)}\n")
    if out is not None and place != out:
        say(f"Error: {out} was taken during the training, so the run is saved in {place}\n", error=True)
    if missing is not None:
        say(f"Error: {missing}\n", error=True)
    if job.interrupted:
        say("Interrupted: the run holds what was learned until then.\n", error=True)
        sys.exit(130)
    if job.failure is not None:
        from numlstm.backend import DeviceError

        raise DeviceError(f"{job.failure}; the run holds what was learned in the epochs before")
    if missing is not None or place != (out or place):
        sys.exit(2)


def _save(job: task.Job, folder: Path, out: Path | None, overwrite: bool) -> Path:
    """Write the run and publish it. Returns its place."""
    from numlstm.tasks import folder as folders

    try:
        job.save(folder)
        return folders.publish(folder, out, job.name, job.files, overwrite)
    except OSError as error:
        reason = f"the trained model cannot be saved there ({error.strerror or error})"
        raise OSError(error.errno, reason, str(folder.parent if out is None else out)) from error


def _missing(job: task.Job, place: Path, plot: bool) -> str | None:
    """Draw the picture into the published run. Returns a sentence on what the run lacks, if anything."""
    if job.unmeasured is not None:
        return f"{place} has no errors on the held-out part, and no picture: {job.unmeasured}"
    if plot:
        try:
            job.draw(place / _COMMAND.picture)
        except Exception as error:  # matplotlib, its fonts and its settings raise anything. The run is worth more.
            return f"{place} has no picture: {in_one_line(error)}; `numlstm plot {place}` draws it"
    return None


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Let the first Ctrl-C end the training. Later ones are ignored, so that they cannot spoil the saving."""

    def interrupt(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
