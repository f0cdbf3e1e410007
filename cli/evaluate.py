"""`numlstm evaluate`: the errors of a run."""

from __future__ import annotations

from pathlib import Path

import click

from numlstm.cli.paths import PATH

_EXAMPLES = """\b
Examples:
  numlstm evaluate runs/sunspots
  numlstm evaluate runs/sales new-sales.csv
"""


@click.command(epilog=_EXAMPLES, short_help="Measure a run, or a run on other data.")
@click.argument("run", type=PATH)
@click.argument("data", required=False, type=PATH)
def evaluate(run: Path, data: Path | None) -> None:
    """Print errors in the data's own units, beside those of naive rules, as JSON.

    DATA is a CSV file with the run's columns, all of which is measured; without it, the run's held-out part is. What is
    measured is the model that has not seen the held-out part: it has seen the first `fitted_rows` rows.
    """
    import json

    from numlstm.cli.output import product
    from numlstm.tasks.task import load

    loaded, _ = load(run)
    product(json.dumps(loaded.evaluate(data), indent=2) + "\n")
