"""`numlstm train`: from data to a run folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import click

from numlstm import files
from numlstm.cli.options import GroupedCommand, GroupedOption, given_of, with_options
from numlstm.cli.paths import PATH
from numlstm.cli.sentence import in_one_line
from numlstm.override import override
from numlstm.tasks import folder as folders
from numlstm.tasks import task
from numlstm.tasks.staging import Staging, resuming, staging
from numlstm.training.checkpoint import CheckpointError
from numlstm.training.interruption import Interrupted, Signals, caught

_MOST_DIGITS = 18
"""Digits of a number of steps, which has 64 bits."""
_option = partial(click.option, cls=GroupedOption, group="The run")


class _Tasks(GroupedCommand):
    """The command of the default task. The name of a task as the first argument stands for that task's command."""

    @override
    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in task.TASKS:
            return _command_of(args[0]).make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    @override
    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        options, *arguments = super().collect_usage_pieces(ctx)
        return [options, "[TASK]", *arguments]


def _command_of(name: str, cls: type[GroupedCommand] = GroupedCommand) -> click.Command:
    """The command that trains a task."""
    said = task.command(name)
    others = ", ".join(other for other in task.TASKS if other != name)
    about = said.about
    if cls is _Tasks and others:
        about += f"\nOther tasks: {others}; `numlstm train TASK --help` explains each.\n"

    @click.command(
        "train",
        cls=cls,
        help=about,
        epilog="\b\nExamples:\n" + "\n".join(f"  {line}" for line in said.examples),
    )
    @click.argument("data", required=False, metavar=f"[{said.data}]", type=PATH)
    @with_options(said.options)
    @_option("--out", type=PATH, help="The run folder. [runs/NAME, runs/NAME-2, ...]")
    @_option("--overwrite", is_flag=True, help="Replace the run that --out holds, or an interrupted training of it.")
    @_option("--resume", metavar="RUN", type=PATH, help="Go on with the interrupted training of a run folder.")
    @_option(
        "--checkpoint-every", "every", metavar="TIME|STEPS", default="60s",
        help="How often the state of the training is kept: 30s, 5min, 1h, or a number of steps. [60s]",
    )  # fmt: skip
    @_option(
        "--plot/--no-plot", default=True,
        help=f"Whether to draw {said.picture} and to write {folders.REPORT}. [--plot]",
    )  # fmt: skip
    @_option("--quiet", is_flag=True, help="Print nothing but errors.")
    def train(
        data: Path | None, out: Path | None, overwrite: bool, resume: Path | None, every: str, plot: bool, quiet: bool,
        **options: Any,
    ) -> None:  # fmt: skip
        given = given_of(options)
        if resume is None:
            _check_data(data)
            begin = partial(_begin, name, data, _named(out), overwrite, given)
        else:
            _refuse_options(said, resume, data, out, overwrite, given)
            begin = partial(_go_on, _named(resume) or resume)
        _train(begin, _interval(every), plot, quiet)

    return train


def _train(begin: Callable[[ExitStack], tuple[task.Job, Staging]], every: str | int, plot: bool, quiet: bool) -> None:
    """Train a model and leave a run folder."""
    from numlstm.terminal import say

    signals = _Signals()
    with caught(signals), ExitStack() as stack:
        job, staged = begin(stack)
        if not quiet:
            say(f"{job.introduction()}\n")
        with _hint(staged.place, lambda: staged.resumable):
            checkpoint = staged.folder / folders.CHECKPOINT
            with _advice(staged.place, checkpoint):
                job.train(0 if quiet else 1, checkpoint, every, signals.ignore)
            place = _save(job, staged)
        missing = _missing(job, place, plot)
    if not quiet:
        say(f"{job.sentence()}\n" if job.unmeasured is None else "")
        say(f"saved in {click.format_filename(place)}\n")
    if place != staged.place:
        say(f"Error: {staged.place} was taken during the training, so the run is saved in {place}\n", error=True)
    if missing is not None:
        say(f"Error: {missing}\n", error=True)
    _report_end(job, place)
    if missing is not None or place != staged.place:
        sys.exit(2)


def _check_data(data: Path | None) -> None:
    """Raise UsageError if the data are a word that is neither a task nor a file."""
    if data is not None and data.name == str(data) != "-" and not data.suffix and not os.path.lexists(data):
        raise click.UsageError(
            f"{data} is neither a file nor a task: give the path of a file, or one of {', '.join(task.TASKS)}"
        )


def _named(path: Path | None) -> Path | None:
    """A path with a name. The working folder's "." would be another folder once the run is exchanged."""
    return path.resolve() if path is not None and path.name in ("", "..") else path


def _interval(every: str) -> str | int:
    """The number of steps between two checkpoints, or a time that `fit` understands."""
    if not every.isdecimal():
        return every
    if len(every) > _MOST_DIGITS:
        raise click.UsageError(f"--checkpoint-every has {len(every)} digits: give at most {_MOST_DIGITS}")
    return int(every)


def _refuse_options(
    said: task.Command, resume: Path, data: Path | None, out: Path | None, overwrite: bool, given: Mapping[str, Any]
) -> None:
    """Raise UsageError if --resume is given together with what says how to train."""
    flags = [option.flag for option in said.options if option.name in given]
    flags += [*([] if out is None else ["--out"]), *(["--overwrite"] if overwrite else [])]
    extra = [*([] if data is None else [str(data)]), *flags]
    if extra:
        raise click.UsageError(
            f"--resume goes on with the data and the options of {resume}: give it without {', '.join(extra)}"
        )


def _begin(
    name: str, data: Path | None, out: Path | None, overwrite: bool, given: Mapping[str, Any], stack: ExitStack
) -> tuple[task.Job, Staging]:
    """Make a training in a new hidden folder, from which it can be resumed."""
    job = task.begin(name, data, given)
    if overwrite and out is None:
        raise click.UsageError("--overwrite needs --out, the run to replace")
    staged = stack.enter_context(staging(out, job.name, job.files, overwrite))
    _prepare(job, staged)
    return job, staged


def _go_on(place: Path, stack: ExitStack) -> tuple[task.Job, Staging]:
    """Make the training again that has been interrupted."""
    staged = stack.enter_context(resuming(place))
    with _hint(place, lambda: True):
        job = task.resume(staged.source)
        folders.check_free(place, job.files, staged.overwrite)
        _prepare(job, staged)
    return job, staged


def _prepare(job: task.Job, staged: Staging) -> None:
    """Write what a training that goes on needs."""
    try:
        job.prepare(staged.folder)
    except OSError as error:  # It may name the hidden folder, or nothing.
        raise OSError(error.errno, error.strerror or str(error), str(staged.place)) from error


@contextmanager
def _hint(place: Path, resumable: Callable[[], bool]) -> Iterator[None]:
    """When a training of a place ends without a run, say how to go on if that is possible."""
    from numlstm.terminal import say

    try:
        yield
    except (KeyboardInterrupt, MemoryError, OSError):
        if resumable():
            say(f"`numlstm train --resume {place}` goes on with this training.\n", error=True)
        raise


@contextmanager
def _advice(place: Path, checkpoint: Path) -> Iterator[None]:
    """Say what else can be done if a training cannot go on from its checkpoint."""
    from numlstm.formats.tensors import ModelFileError

    try:
        yield
    except (CheckpointError, ModelFileError) as error:
        reason = str(error).replace(str(checkpoint), f"its {checkpoint.name}")
        raise ValueError(
            f"{place} cannot be resumed: {reason}; `numlstm train` with --overwrite begins anew"
        ) from error


def _save(job: task.Job, staged: Staging) -> Path:
    """Write the run and publish it. Returns its place."""
    try:
        job.save(staged.folder)
        return folders.publish(staged.folder, staged.place, job.files, staged.overwrite, not job.resumable)
    except OSError as error:
        reason = f"the trained model cannot be saved there ({error.strerror or error})"
        raise OSError(error.errno, reason, str(staged.place)) from error


def _missing(job: task.Job, place: Path, plot: bool) -> str | None:
    """Write report and picture into the published run. Returns a sentence on what the run lacks, if anything."""
    lacks = []
    if plot:
        try:
            files.write(place / folders.REPORT, job.report(place).encode("utf-8", "replace"))
        except Exception as error:  # The run is worth more.
            lacks.append(f"{place} has no report: {in_one_line(error)}; `numlstm report {place}` writes it")
    if job.unmeasured is not None:
        lacks.append(f"{place} has no errors on the held-out part, and no picture: {job.unmeasured}")
    elif plot:
        try:
            job.draw(place / task.command_of(place).picture)
        except Exception as error:  # matplotlib, its fonts and its settings raise anything. The run is worth more.
            lacks.append(f"{place} has no picture: {in_one_line(error)}; `numlstm plot {place}` draws it")
    return "; ".join(lacks) or None


def _report_end(job: task.Job, place: Path) -> None:
    """End the command with a sentence if the training did not come to its end."""
    from numlstm.terminal import say

    way = f"; `numlstm train --resume {place}` goes on" if (place / folders.CHECKPOINT).exists() else ""
    if job.failure is not None:
        raise click.ClickException(f"{job.failure}; the run holds what was learned in the epochs before{way}")
    if job.signal is not None:
        say(f"Interrupted: the run holds what was learned until then{way}.\n", error=True)
        sys.exit(128 + job.signal)


class _Signals(Signals):
    """Let the first signal end the training. Later ones are ignored, so that they cannot spoil the saving."""

    _ignoring = False

    def ignore(self) -> None:
        """Ignore all signals from now on."""
        self._ignoring = True

    @override
    def arrive(self, number: int, frame: FrameType | None) -> None:
        if not self._ignoring:
            self.ignore()
            raise Interrupted(number)


train = _command_of(task.DEFAULT, _Tasks)
