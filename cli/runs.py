"""`numlstm runs`: the runs in a folder."""

from __future__ import annotations

from pathlib import Path

import click

from numlstm.cli.paths import PATH

_EXAMPLES = """\b
Examples:
  numlstm runs
  numlstm runs experiments
"""


@click.command(epilog=_EXAMPLES, short_help="List the runs in a folder, interrupted trainings too.")
@click.argument("folder", default="runs", type=PATH)
def runs(folder: Path) -> None:
    """List the runs in FOLDER with their state, the newest last.

    The states are running, finished, interrupted and broken. Epochs are those of the model that predict uses; of
    several models, the fewest and the most. The best loss is theirs, on the validation part where there is one.
    """
    from numlstm.cli.output import product
    from numlstm.messages import amount, plain
    from numlstm.tasks.listing import list_runs

    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    rows = [("run", "state", "epochs", "best loss", "size")]
    hints = []
    for run in list_runs(folder):
        epochs = "-" if run.epochs is None else "-".join(dict.fromkeys(map(str, run.epochs)))
        best = "-" if run.best is None else f"{run.best:.4g}"
        rows.append((plain(run.name), run.state, epochs, best, amount(run.size)))
        if run.resumable:
            hints.append(f"`numlstm train --resume {plain(str(folder / run.name))}` goes on\n")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, state, *numbers in rows:
        texts = [f"{name:<{widths[0]}}", f"{state:<{widths[1]}}"]
        texts += [f"{text:>{width}}" for text, width in zip(numbers, widths[2:], strict=True)]
        product("  ".join(texts) + "\n")
    product("".join(hints))
