"""`numlstm predict`: a run's forecasts as CSV."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from numlstm.cli.files import PATH

if TYPE_CHECKING:
    from numlstm.tasks.task import Table

_EXAMPLES = """\b
Examples:
  numlstm predict runs/sunspots | head
  numlstm predict runs/sunspots --steps 11
  numlstm predict runs/sales new-sales.csv --out predicted.csv
"""


@click.command(epilog=_EXAMPLES, short_help="Write the forecasts of a run as CSV.")
@click.argument("run", type=PATH)
@click.argument("data", required=False, type=PATH)
@click.option("--steps", type=int, help="Forecast this many steps after the end of the data instead.")
@click.option("--out", type=PATH, help="CSV file to write. [standard output]")
def predict(run: Path, data: Path | None, steps: int | None, out: Path | None) -> None:
    """Predict each value from those before it: axis, true, predicted.

    DATA is a CSV file with the run's columns; without it, the data is what the run was trained on. With --steps, the
    values after the end: axis, predicted. Steps beyond the run's horizon build on the forecasts before them, which
    only a run without further --features can do.
    """
    from numlstm.cli.files import replacing
    from numlstm.tasks.task import load

    loaded, _ = load(run)
    table = loaded.predict(data, steps)
    if out is None:
        _write(sys.stdout, table)
    else:
        with replacing(out) as path, path.open("w", encoding="utf-8", newline="") as file:
            _write(file, table)


def _write(file: TextIO, table: Table) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(table.rows)
