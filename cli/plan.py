"""`numlstm plan`: the kernels that would run, before they run."""

from __future__ import annotations

from pathlib import Path

import click

from numlstm.cli.paths import PATH

_EXAMPLES = """\b
Examples:
  numlstm plan
  numlstm plan --shape 64,100,64,256 --device cuda
  numlstm plan --shape 64,100,64,128 --gpu sm_90
  numlstm plan runs/sales
  numlstm plan runs/GunPoint --steps 40
"""


@click.command(epilog=_EXAMPLES, short_help="Say which kernels would run, why, and in how much memory.")
@click.argument("run", required=False, type=PATH)
@click.option("--shape", metavar="B,T,F,H", help="One LSTM layer: batch, steps, features, units. [32,10,1,50]")
@click.option("--steps", type=int, help="Steps of a sequence, for a run whose model takes any number of them.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute. [auto]")
@click.option("--gpu", metavar="sm_90", help="Plan for a GPU that need not be here, and compile its kernels.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), help="Precision of that layer. [float32]")
def plan(
    run: Path | None, shape: str | None, steps: int | None, device: str, gpu: str | None, dtype: str | None
) -> None:
    """Say which backend and which kernel path a training step would take.

    RUN is a run folder, whose model is planned; without it, the noisy sine's, or one layer of the given shape. With
    --gpu, the plan is for an architecture of GPUs, and tells of each kernel of a layer's loop through time how many
    threads and registers it takes, whether they spill, and how much shared memory. This needs numlstm's CUDA packages,
    and no GPU.
    """
    from numlstm.cli.output import product
    from numlstm.cli.shape import parse_shape
    from numlstm.plan import plan_layer

    if run is None:
        if steps is not None:
            raise click.UsageError("--steps is for a run: give the steps of a layer by --shape")
        planned = plan_layer(*parse_shape(shape or "32,10,1,50"), device=device, dtype=dtype or "float32", gpu=gpu)
        product(f"{planned}\n")
        return
    if shape is not None:
        raise click.UsageError(f"give either a run folder or --shape, not both {run} and {shape}")
    if dtype is not None:
        raise click.UsageError(f"--dtype is for a layer: the model of {run} has its own")
    from numlstm.tasks.task import load

    loaded, _ = load(run)
    product(f"{loaded.model.plan(loaded.batch_size, steps, device, gpu)}\n")
