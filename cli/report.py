"""`numlstm report`: a run as a page."""

from __future__ import annotations

from pathlib import Path

import click

from numlstm.cli.paths import OUTPUT, PATH, check_outputs

_EXAMPLES = """\b
Examples:
  numlstm report runs/sales --open
  numlstm report runs/sales --out sales.html
"""


@click.command(epilog=_EXAMPLES, short_help="Write a run as a page for a browser.")
@click.argument("run", type=PATH)
@click.option("--open", "shown", is_flag=True, help="Open the page in the browser.")
@click.option("--out", type=OUTPUT, help="The page. [RUN/report.html]")
def report(run: Path, shown: bool, out: Path | None) -> None:
    """Write a run as one file of HTML, which needs no network.

    It has the verdict, charts that tell their values where one points, the errors beside those of naive rules, the next
    steps, and the command that repeats the training. `numlstm train` leaves the same page in the run folder.
    """
    import webbrowser

    from numlstm import files
    from numlstm.tasks.folder import REPORT
    from numlstm.tasks.task import load
    from numlstm.terminal import say

    loaded, _ = load(run)
    place = out or run / REPORT
    check_outputs({"--out": place}, run=run, made_again=False)
    if place.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{place} cannot be a page: its name must end in .html")
    files.write(place, loaded.report().encode("utf-8", "replace"))
    say(f"saved {click.format_filename(place)}\n")
    if shown and not webbrowser.open(place.resolve().as_uri()):
        raise click.ClickException(f"no browser could be started: open {click.format_filename(place)} in one")
