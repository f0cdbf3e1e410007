"""`numlstm predict`: a run's forecasts as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from numlstm.cli.options import GroupedCommand, given_of, with_options
from numlstm.cli.paths import OUTPUT, PATH, check_outputs
from numlstm.cli.reading import read
from numlstm.tasks.reading_options import MISSING_OF_RUN, READING_OPTIONS

_EXAMPLES = """\b
Examples:
  numlstm predict runs/sunspots | head
  numlstm predict runs/sunspots --steps 11 --plot future.png
  numlstm predict runs/sales new-sales.csv --out predicted.csv
  numlstm predict runs/sales new-sales.csv --missing ffill
  numlstm predict runs/sales sales-and-coming-holidays.csv --steps 7
"""


@click.command(cls=GroupedCommand, epilog=_EXAMPLES, short_help="Write the forecasts of a run as CSV.")
@click.argument("run", type=PATH)
@click.argument("data", required=False, type=PATH)
@click.option("--steps", type=int, help="Forecast this many steps after the end of the data instead.")
@click.option("--out", type=OUTPUT, help="CSV file to write. [standard output]")
@click.option("--plot", type=OUTPUT, help="Picture of the data's end and of what comes after it: .png, .pdf, .svg.")
@with_options((MISSING_OF_RUN, *READING_OPTIONS))
def predict(
    run: Path, data: Path | None, steps: int | None, out: Path | None, plot: Path | None, **options: Any
) -> None:
    """Predict each value from those before it: its date and value, predicted, and bounds of intervals such as lower_80.

    DATA is a file with the run's columns, which is read as that of the training was, or with the options given; without
    it, the data is what the run was trained on. With --steps, the values after the end: date, predicted, bounds. Steps
    beyond the run's horizon build on the forecasts before them, those of several targets on each other's, which only a
    run without further features can do. A run with columns that are known in advance takes their coming values from the
    rows at the end of the data whose target is empty. If the run was trained once more on all rows after its test, that
    model predicts, and a line on standard error says so. With --plot, a picture shows the last values and the forecasts
    after them with their intervals, as many as --steps or as the horizon has. Of a run of several groups, the columns
    of the groups come first; of several targets, each has its own columns, such as humidity_predicted.
    """
    from numlstm import files
    from numlstm.cli.output import product
    from numlstm.plot import check_name
    from numlstm.tasks.folder import CHECKPOINT, is_interrupted
    from numlstm.tasks.task import Foreteller, able, load
    from numlstm.terminal import say

    check_outputs({"--out": out, "--plot": plot}, data, run)
    if plot is not None:
        check_name(plot)
    loaded, _ = load(run)
    artist = None if plot is None else able(loaded, run, Foreteller)
    series = read(loaded, data, given_of(options))
    table = loaded.predict(series, steps)
    if table.note:
        say(f"Note: {table.note}\n", error=True)
    if is_interrupted(run):
        end = f"`numlstm train --resume {run}` finishes it" if (run / CHECKPOINT).exists() else "train it again"
        say(f"Note: the training of {run} was interrupted: {end}\n", error=True)
    if loaded.note is not None:
        say(f"{loaded.note}\n", error=True)
    text = table.csv()
    if out is None:
        product(text)
    else:
        files.write(out, text.encode())
    if artist is not None and plot is not None:  # After the numbers, which a picture that fails must not cost.
        artist.draw_future(plot, series, steps)
