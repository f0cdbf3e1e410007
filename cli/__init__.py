"""The command line: `numlstm`, one file per command."""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
from typing import Any

import click

from numlstm import starting
from numlstm.cli.backtest import backtest
from numlstm.cli.bench.command import bench as bench_command
from numlstm.cli.evaluate import evaluate
from numlstm.cli.generate import generate
from numlstm.cli.info import info
from numlstm.cli.output import discard_unwritten, named
from numlstm.cli.plan import plan
from numlstm.cli.plot import plot
from numlstm.cli.predict import predict
from numlstm.cli.report import report
from numlstm.cli.runs import runs
from numlstm.cli.sentence import in_one_line
from numlstm.cli.train import train
from numlstm.cli.transcribe import transcribe
from numlstm.cli.translate import translate
from numlstm.cli.warmup import warmup
from numlstm.messages import on_command_line
from numlstm.terminal import say
from numlstm.training.interruption import Interrupted

__all__ = ["main"]


class Program(click.Group):
    """Reports an expected failure in one sentence, with exit code 2. NUMLSTM_DEBUG=1 shows the traceback instead."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command line.

        Exit codes are 0, 2 for an expected failure, 128 + N for signal N (130 for Ctrl-C), and 1 if the reader of the
        command's product closes the pipe. As with curl, a progress that cannot be shown is no failure: `numlstm train |
        head` is 0 with its run.
        """
        kwargs["standalone_mode"] = False
        # The imports make a million objects that all stay. Looking at them again and again took 8 % of a short run, and
        # the interpreter's last look, after all that is registered for its end, took a fifth.
        gc.set_threshold(100_000)
        atexit.register(gc.freeze)
        # A notebook's setting is inherited, and matplotlib refuses to be imported with a backend that is not there.
        os.environ["MPLBACKEND"] = "agg"
        _replace_what_cannot_be_printed()
        try:
            starting.end()
            with on_command_line(()):  # A command with options that sentences name adds their names.
                code = super().main(*args, **kwargs)
        except (click.Abort, KeyboardInterrupt) as error:
            # click turns the end of a file into Abort, too.
            if isinstance(error.__cause__, EOFError):
                say(f"Error: {in_one_line(error.__cause__)}\n", error=True)
                sys.exit(2)
            say("Interrupted.\n", error=True)
            cause = error.__cause__ or error
            sys.exit(128 + (cause.signal if isinstance(cause, Interrupted) else signal.SIGINT))
        except Exception as error:
            if isinstance(error, BrokenPipeError) and error.filename is None:
                sys.exit(1)
            if os.environ.get("NUMLSTM_DEBUG") or not _expected(error):
                raise
            say(f"Error: {in_one_line(named(error))}\n", error=True)
            sys.exit(2)
        finally:
            discard_unwritten()
        sys.exit(code if isinstance(code, int) else 0)


def _replace_what_cannot_be_printed() -> None:
    """Print a question mark for a character that the encoding of standard output lacks, as one in a column's name."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


def _expected(error: Exception) -> bool:
    """Whether the input or the machine is at fault, not the program."""
    from numlstm.backend import DeviceError

    expected = (click.ClickException, DeviceError, ImportError, MemoryError, OSError, OverflowError, ValueError)
    return isinstance(error, expected)


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="numlstm")
@click.pass_context
def main(context: click.Context) -> None:
    """Train LSTMs on series of numbers or on texts, forecast with them, and write text.

    Start with `numlstm train`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


_COMMANDS = (
    train, runs, predict, evaluate, backtest, generate, translate, transcribe, plot, report, plan, bench_command,
    warmup, info,
)  # fmt: skip
for _command in _COMMANDS:
    main.add_command(_command)
