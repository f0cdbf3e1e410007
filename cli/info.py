"""`numlstm info`: the versions and the machine."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click


@click.command(short_help="Show versions, threads and devices.")
def info() -> None:
    """Print versions, cores and threads, and the GPU or why there is none."""
    from numlstm import backend
    from numlstm.cli.output import product

    facts = {"numlstm": version("numlstm"), "python": platform.python_version()}
    facts |= {name: version(name) for name in ("numba", "llvmlite", "numpy")}
    facts |= backend.load("cpu").describe()
    try:
        facts |= backend.load("cuda").describe()
    except backend.DeviceError as error:
        facts["gpu"] = f"none: {error}"
    width = max(map(len, facts))
    product("".join(f"{name:<{width}}  {value}\n" for name, value in facts.items()))
