"""`numlstm plot`: the picture of a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Draw the held-out part of a run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="PNG file to write. [RUN/forecast.png]")
def plot(run: Path, out: Path | None) -> None:
    """Draw true against predicted over the held-out part of a run."""
    from numlstm.cli.files import replacing
    from numlstm.tasks import report
    from numlstm.tasks.forecast import measure
    from numlstm.tasks.run import load

    loaded = load(run)
    metrics = measure(loaded.forecaster.over(loaded.series, loaded.split.test))
    place = out or run / "forecast.png"
    with replacing(place) as path:
        report.draw(path, loaded.series, loaded.forecaster, loaded.split, metrics)
    click.echo(f"saved {place}")
