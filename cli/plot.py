"""`numlstm plot`: a picture of a run."""

from __future__ import annotations

from pathlib import Path

import click

from numlstm.cli.paths import OUTPUT, PATH, check_outputs

_EXAMPLES = """\b
Examples:
  numlstm plot runs/sales
  numlstm plot runs/sales --out sales.pdf
"""


@click.command(epilog=_EXAMPLES, short_help="Draw the held-out part of a run.")
@click.argument("run", type=PATH)
@click.option("--out", type=OUTPUT, help="Picture: .png, .pdf, .svg and others. [the one in RUN, as RUN/forecast.png]")
def plot(run: Path, out: Path | None) -> None:
    """Draw the held-out part of a run: of a forecast, true against predicted."""
    from numlstm.plot import check_name
    from numlstm.tasks.task import load
    from numlstm.terminal import say

    loaded, picture = load(run)
    place = out or picture
    check_outputs({"--out": place}, run=run, made_again=False)
    check_name(place)
    loaded.draw(place)
    say(f"saved {click.format_filename(place)}\n")
