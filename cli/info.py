"""`numlstm info`: the versions and the machine."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import click


@click.command(short_help="Show versions, threads and devices.")
def info() -> None:
    """Print versions, cores and threads, and the GPU or why there is none: all that a report of a fault needs.

    With numlstm's CUDA packages, it prints the paths of NVIDIA's libraries too. They name folders of this machine.
    """
    from numlstm import backend
    from numlstm.cli.output import product

    facts = {"numlstm": version("numlstm"), "python": platform.python_version(), "system": platform.platform()}
    facts |= {name: version(name) for name in ("numba", "llvmlite", "numpy")}
    for name in ("numba-cuda", "cuda-core", "cuda-bindings"):
        with suppress(PackageNotFoundError):
            facts[name] = version(name)
    cpu = backend.load("cpu").describe()
    facts |= cpu
    try:
        # The CPU's kernel cache stays. That of CUDA is told with its software.
        facts |= backend.load("cuda").describe() | cpu
    except backend.DeviceError as error:
        facts["gpu"] = f"none: {error}"
    facts |= backend.cuda_software()
    width = max(map(len, facts))
    product("".join(f"{name:<{width}}  {value}\n" for name, value in facts.items()))
