"""The command line: `numlstm`, one file per command."""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import Any

import click

from numlstm.cli.bench.command import bench as bench_command
from numlstm.cli.evaluate import evaluate
from numlstm.cli.info import info
from numlstm.cli.plan import plan
from numlstm.cli.plot import plot
from numlstm.cli.predict import predict
from numlstm.cli.train import train
from numlstm.cli.warmup import warmup

__all__ = ["main"]


class Program(click.Group):
    """Reports an expected failure in one sentence, with exit code 2. NUMLSTM_DEBUG=1 shows the traceback instead."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command line. Exit codes are 0, 2 for an expected failure and 130 for Ctrl-C."""
        kwargs["standalone_mode"] = False
        # The imports make a million objects that all stay. Looking at them again and again took 8 % of a short run.
        gc.set_threshold(100_000)
        _replace_what_cannot_be_printed()
        try:
            code = super().main(*args, **kwargs)
            sys.stdout.flush()
        except (click.Abort, KeyboardInterrupt) as error:
            # click turns the end of a file into Abort, too.
            if isinstance(error.__cause__, EOFError):
                click.echo(f"Error: {_sentence(error.__cause__)}", err=True)
                sys.exit(2)
            click.echo("Interrupted.", err=True)
            sys.exit(130)
        except BrokenPipeError:
            # The reader of our output has closed it. The interpreter's own flush at exit must not fail because of that.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except Exception as error:
            if os.environ.get("NUMLSTM_DEBUG") or not _expected(error):
                raise
            click.echo(f"Error: {_sentence(error)}", err=True)
            sys.exit(2)
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


def _sentence(error: Exception) -> str:
    from numlstm.messages import plain

    if isinstance(error, click.ClickException):
        text = error.format_message()
    elif isinstance(error, OSError) and error.errno is not None:
        text = error.strerror or type(error).__name__
        if error.filename is not None:
            text = f"{os.fspath(error.filename)}: {text}"
    elif isinstance(error, MemoryError):
        text = f"not enough memory: {error}" if str(error) else "not enough memory"
    else:
        text = str(error) or type(error).__name__
    return plain(text)


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="numlstm")
@click.pass_context
def main(context: click.Context) -> None:
    """Train LSTMs on series of numbers, and forecast with them.

    Start with `numlstm train`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (train, predict, evaluate, plot, plan, bench_command, warmup, info):
    main.add_command(_command)
