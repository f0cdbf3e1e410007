"""What NVIDIA's linker reports of a kernel: the registers and the memory that its threads take."""

import functools
import re
from typing import NamedTuple

from numlstm.kernels.cuda.runtime.launch import link

__all__ = ["Resources", "resources_in", "resources_of"]

_REPORT = {
    "registers": r"Used (\d+) registers",
    "stack": r"(\d+) bytes stack frame",
    "spills": r"(\d+) bytes spill stores",
    "shared": r"(\d+) bytes smem",
}


class Resources(NamedTuple):
    """What a kernel takes.

    registers: of a thread
    stack, spills: bytes of a thread's local memory
    shared: bytes of shared memory of a block, static and dynamic
    threads: of a block
    """

    registers: int
    stack: int
    spills: int
    shared: int
    threads: int

    def __str__(self):
        spilled = f"{self.spills} bytes of spills" if self.spills else "no spills"
        shared = f"{self.shared / 1024:.3g} KB of shared memory a block"
        return f"{self.threads} threads of {self.registers} registers, {spilled}, {shared}"


def resources_in(report, threads, dynamic):
    """Read the linker's report on a kernel. dynamic: bytes of shared memory that the launch adds."""
    found = {name: re.search(pattern, report) for name, pattern in _REPORT.items()}
    numbers = {name: int(match[1]) if match else 0 for name, match in found.items()}
    numbers["shared"] += dynamic
    return Resources(**numbers, threads=threads)


@functools.cache
def resources_of(kernel, dtype, compute_capability):
    """Compile a kernel for a GPU, which need not be here, and return what it takes."""
    code, threads, dynamic = kernel.code(dtype, compute_capability)
    return resources_in(link(code, compute_capability)[1], threads, dynamic)
