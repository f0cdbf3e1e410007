"""`numlstm warmup`: compile the kernels before they are used."""

from __future__ import annotations

import time

import click

_EXAMPLES = """\b
Examples:
  numlstm warmup
  numlstm warmup --all --dtype float64
"""


@click.command(epilog=_EXAMPLES, short_help="Compile the kernels ahead.")
@click.option("--all", "everything", is_flag=True, help="Compile all kernels, not only those of `numlstm train`.")
@click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), default="float32", help="Numbers to compile for. [float32]"
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute. [auto]")
def warmup(everything: bool, dtype: str, device: str) -> None:
    """Compile the kernels that `numlstm train` runs without options, and keep them in the cache.

    With --all: the kernels of all layers, losses and optimizers, for batches of any size. A kernel that is not in the
    cache is compiled when it is first used.
    """
    from numlstm import backend
    from numlstm.tasks import task
    from numlstm.terminal import say

    engine = backend.load(device)
    made: list[str] = []
    engine.on_compile(lambda kernel, begins: made.append(kernel) if begins else None)
    names = engine.preparable() if everything else task.kernels_used(task.DEFAULT)
    width = max(len(str(name)) for name in names)
    started = time.perf_counter()
    for number, name in enumerate(names, start=1):
        before = len(made)
        begun = time.perf_counter()
        engine.prepare([name], dtype)
        state = f"{time.perf_counter() - begun:.1f} s" if len(made) > before else "ready"
        say(f"{number:>{len(str(len(names)))}}/{len(names)} {name!s:<{width}} {state}\n")
    say(f"{len(names)} functions are ready for {dtype} after {time.perf_counter() - started:.1f} s\n")
