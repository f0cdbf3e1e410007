"""`numlstm evaluate`: the errors of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from numlstm.cli.options import GroupedCommand, given_of, with_options
from numlstm.cli.paths import PATH
from numlstm.cli.reading import read
from numlstm.tasks.reading_options import MISSING_OF_RUN, READING_OPTIONS

_EXAMPLES = """\b
Examples:
  numlstm evaluate runs/sunspots
  numlstm evaluate runs/sales new-sales.csv
"""


@click.command(cls=GroupedCommand, epilog=_EXAMPLES, short_help="Measure a run, or a run on other data.")
@click.argument("run", type=PATH)
@click.argument("data", required=False, type=PATH)
@with_options((MISSING_OF_RUN, *READING_OPTIONS))
def evaluate(run: Path, data: Path | None, **options: Any) -> None:
    """Print errors in the data's own units, beside those of naive rules, as JSON.

    DATA is a file with the run's columns, all of which is measured. It is read as that of the training was, or with the
    options given. Without it, the run's held-out part is measured. What is measured is the model that has not seen the
    held-out part: it has seen the first `fitted_rows` rows. Of a run of several series, `series` has the errors of
    each, and those of all are in parts of each series' naive error.
    """
    import json

    from numlstm.cli.output import product
    from numlstm.tasks.task import load

    loaded, _ = load(run)
    product(json.dumps(loaded.evaluate(read(loaded, data, given_of(options))), indent=2) + "\n")
