"""`numlstm train`: from data to a run folder."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from numlstm.cli.files import PATH
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

    job = task.begin(task.DEFAULT, data, {name: value for name, value in options.items() if value not in (None, ())})
    if overwrite and out is None:
        raise click.UsageError("--overwrite needs --out, the run to replace")
    with folders.staging(out, job.files, overwrite) as folder, _interrupted_once():
        if not quiet:
            click.echo(job.introduction())
        job.train(verbose=0 if quiet else 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        job.save(folder)
        if plot:
            job.draw(folder / _COMMAND.picture)
        place = folders.publish(folder, out, job.name, job.files, overwrite)
    if not quiet:
        click.echo(job.sentence())
        click.echo(f"saved in {click.format_filename(place)}")
    if job.interrupted:
        click.echo("Interrupted: the run holds what was learned until then.", err=True)
        sys.exit(130)
    if job.failure is not None:
        from numlstm.backend import DeviceError

        raise DeviceError(f"{job.failure}; the run holds what was learned in the epochs before")


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
