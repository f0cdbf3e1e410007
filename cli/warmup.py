"""`numlstm warmup`: compiled kernels before anybody waits for them."""

from __future__ import annotations

import time

import click


@click.command(short_help="Compile the kernels ahead.")
@click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), default="float32", help="Numbers to compile for. [float32]"
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where to compute. [auto]")
def warmup(dtype: str, device: str) -> None:
    """Compile all kernels and keep them in the cache, so that no later run has to.

    Without it, each kernel is compiled when it is first used.
    """
    from numlstm import backend

    engine = backend.load(device)
    made: list[str] = []
    engine.on_compile(lambda kernel, begins: made.append(kernel) if begins else None)
    names = engine.preparable()
    width = max(len(str(name)) for name in names)
    started = time.perf_counter()
    for number, name in enumerate(names, start=1):
        before = len(made)
        begun = time.perf_counter()
        engine.prepare([name], dtype)
        state = f"{time.perf_counter() - begun:.1f} s" if len(made) > before else "ready"
        click.echo(f"{number:>{len(str(len(names)))}}/{len(names)} {name!s:<{width}} {state}")
    click.echo(f"{len(names)} functions are ready for {dtype} after {time.perf_counter() - started:.1f} s")
