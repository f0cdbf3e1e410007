"""`numlstm backtest`: the errors of a forecaster on several folds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import click

from numlstm.cli.options import GroupedCommand, given_of, with_options
from numlstm.cli.paths import OUTPUT, PATH, check_outputs
from numlstm.tasks import task

_COMMAND = task.command(task.DEFAULT)
_OPTIONS = tuple(option for option in _COMMAND.options if option.name != "refit")  # This command has its own.
_EXAMPLES = """\b
Examples:
  numlstm backtest runs/sales
  numlstm backtest runs/sales --folds 8 --refit --plot folds.png
  numlstm backtest sales.csv --target units --horizon 7 --folds 5
  numlstm backtest sales.csv --target units --group store
"""


@click.command(cls=GroupedCommand, epilog=_EXAMPLES, short_help="Measure a run, or data, on several folds.")
@click.argument("source", required=False, metavar=f"[RUN|{_COMMAND.data}]", type=PATH)
@click.option("--folds", type=int, default=5, help="Parts of equal length at the end of the held-out part. [5]")
@click.option("--refit", is_flag=True, help="Train for every fold, on all rows before it. [train once]")
@click.option("--json", "as_json", is_flag=True, help="Print the errors as JSON.")
@click.option("--out", type=OUTPUT, help="CSV file for every forecast.")
@click.option("--plot", type=OUTPUT, help="Picture with fan charts: .png, .pdf, .svg and others.")
@with_options(_OPTIONS)
def backtest(
    source: Path | None, folds: int, refit: bool, as_json: bool, out: Path | None, plot: Path | None, **options: Any
) -> None:
    """Measure forecasts from many origins, in several folds at the end of the data.

    The folds share the part that the settings hold out, or the last fifth if they hold nothing out; rows that do not
    divide stay before the first fold. Every forecast sees only what lies before its origin.

    Of RUN, the model that has not seen the held-out part forecasts; of a file, one that is trained as by `numlstm
    train` on the rows before the first fold. With --refit, the whole procedure (naive forecast, season, transform,
    window, scales, models, intervals) is repeated for every fold on all rows before it.

    The table has the errors by fold and by step ahead. MASE is scaled by the naive rule of the season, or else of the
    last value, one step ahead on the rows of the training. The rmse ratio is that of the model ÷ that of the rival, the
    best naive rule of the validation part: below 1 the model is better.

    With --group or several targets, of a file or of RUN, one model forecasts all series. Each has its folds at its own
    end: where series end on different dates, the model of a fold may know later dates of others. The table has the
    errors by series too, in their own units; over all series, rmse and mae are in parts of each series' naive error.
    """
    import json

    from numlstm import files
    from numlstm.cli.output import product
    from numlstm.messages import plain
    from numlstm.plot import check_name
    from numlstm.terminal import MovingLine, say

    check_outputs({"--out": out, "--plot": plot}, source, source)
    if plot is not None:
        check_name(plot)
    subject = _subject(source, given_of(options))
    line = MovingLine(error=True)
    try:
        result = subject.backtest(folds, refit, line.show)
    finally:
        line.erase()
    for note in result.notes:
        say(f"Note: {plain(note)}\n", error=True)
    if out is not None:
        files.write(out, result.forecasts().csv().encode())
    try:
        if plot is not None:
            result.draw(plot)
    finally:  # A picture that fails must not cost the numbers.
        product(json.dumps(result.metrics(), indent=2, allow_nan=False) + "\n" if as_json else result.text())


def _subject(source: Path | None, given: Mapping[str, Any]) -> task.Measurable:
    """A run folder, or a training of data. The options are those of the training."""
    if source is None or not source.is_dir():
        return cast(task.Measurable, task.begin(task.DEFAULT, source, given))
    run = task.load_able(source, task.Measurable)
    if given:
        flags = ", ".join(option.flag for option in _OPTIONS if option.name in given)
        raise click.UsageError(
            f"{source} is a run with its own data and settings: give it without {flags}, or give a file with the data"
            " instead"
        )
    return run
