"""`numlstm plan`: the kernels that would run, before they run."""

from __future__ import annotations

from pathlib import Path

import click

from numlstm.cli.paths import PATH

_EXAMPLES = """\b
Examples:
  numlstm plan
  numlstm plan --shape 64,100,64,256 --device cuda
  numlstm plan runs/sales
  numlstm plan runs/GunPoint --steps 40
"""


@click.command(epilog=_EXAMPLES, short_help="Say which kernels would run, why, and in how much memory.")
@click.argument("run", required=False, type=PATH)
@click.option("--shape", metavar="B,T,F,H", help="One LSTM layer: batch, steps, features, units. [32,10,1,50]")
@click.option("--steps", type=int, help="Steps of a sequence, for a run whose model takes any number of them.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute. [auto]")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), help="Precision of that layer. [float32]")
def plan(run: Path | None, shape: str | None, steps: int | None, device: str, dtype: str | None) -> None:
    """Say which backend and which kernel path a training step would take.

    RUN is a run folder, whose model is planned; without it, the noisy sine's, or one layer of the given shape.
    """
    from numlstm.cli.output import product
    from numlstm.cli.shape import parse_shape
    from numlstm.plan import plan_layer

    if run is None:
        if steps is not None:
            raise click.UsageError("--steps is for a run: give the steps of a layer by --shape")
        product(f"{plan_layer(*parse_shape(shape or '32,10,1,50'), device=device, dtype=dtype or 'float32')}\n")
        return
    if shape is not None:
        raise click.UsageError(f"give either a run folder or --shape, not both {run} and {shape}")
    if dtype is not None:
        raise click.UsageError(f"--dtype is for a layer: the model of {run} has its own")
    from numlstm.tasks.task import load

    loaded, _ = load(run)
    product(f"{loaded.model.plan(loaded.batch_size, steps, device)}\n")
