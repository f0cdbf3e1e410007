"""`numlstm predict`: the forecasts of a run as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import click

_EXAMPLES = """\b
Examples:
  numlstm predict runs/sunspots | head
  numlstm predict runs/sunspots --steps 11
  numlstm predict runs/sales new-sales.csv --out predicted.csv
"""


@click.command(epilog=_EXAMPLES, short_help="Write the forecasts of a run as CSV.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", required=False, type=click.Path(path_type=Path))
@click.option("--steps", type=int, help="Forecast this many steps after the end of the data instead.")
@click.option("--out", type=click.Path(path_type=Path), help="CSV file to write. [standard output]")
def predict(run: Path, data: Path | None, steps: int | None, out: Path | None) -> None:
    """Predict each value from those before it: axis, true, predicted.

    DATA is a CSV file with the run's columns; without it, the data is what the run was trained on. With --steps, the
    values after the end: axis, predicted. Steps beyond the run's horizon build on the forecasts before them, which
    only a run without further --features can do.
    """
    from numlstm.cli.files import replacing
    from numlstm.data.axis import extend, labels
    from numlstm.tasks.run import load

    loaded = load(run)
    series = loaded.series if data is None else loaded.read(data)
    header: tuple[str, ...]
    rows: Iterable[tuple[object, ...]]
    if steps is None:
        forecasts = loaded.forecaster.over(series)
        true, predicted = forecasts.true[:, 0], forecasts.predicted[:, 0]
        axis = labels(series.axis[forecasts.first : forecasts.first + len(true)])
        header, rows = ("axis", "true", "predicted"), zip(axis, true.tolist(), _short(predicted), strict=True)
    else:
        predicted = loaded.forecaster.ahead(series, steps)
        header, rows = ("axis", "predicted"), zip(labels(extend(series.axis, steps)), _short(predicted), strict=True)
    if out is None:
        _write(sys.stdout, header, rows)
    else:
        with replacing(out) as path, path.open("w", encoding="utf-8", newline="") as file:
            _write(file, header, rows)


def _short(values: Iterable[float]) -> list[str]:
    """Format numbers with the digits that float32 arithmetic leaves."""
    return [f"{value:.8g}" for value in values]


def _write(file: TextIO, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
