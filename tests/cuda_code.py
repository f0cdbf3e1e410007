"""What numba and NVIDIA's linker made of a kernel: registers, spills and the instructions of its loops."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

import pytest

from numlstm.kernels.cuda.runtime.device import compiling_obstacle
from numlstm.kernels.cuda.runtime.launch import link
from numlstm.kernels.cuda.runtime.resources import resources_in


@dataclass(frozen=True)
class Code:
    """One kernel for one GPU.

    registers: of a thread
    stack, spills: bytes of local memory
    threads: of a block
    shared: bytes of shared memory of a block, static and dynamic
    code: the LTO-IR
    compute_capability: the GPU's
    """

    registers: int
    stack: int
    spills: int
    threads: int
    shared: int
    code: bytes
    compute_capability: tuple[int, int]

    @cached_property
    def ptx(self):
        """Its instructions."""
        text = link(self.code, self.compute_capability, "ptx")[0].decode(errors="replace")
        body = [line.strip() for line in text[text.index(".entry") :].splitlines()]
        body = body[body.index("{") + 1 :]
        return [line for line in body if line and line[0] not in "./{}"]

    def loops(self):
        """The instructions of every loop, one inside the other too: what lies between a label and a jump back to it."""
        labels = {line.rstrip(":"): n for n, line in enumerate(self.ptx) if line.endswith(":")}
        for end, line in enumerate(self.ptx):
            jump = re.search(r"bra(?:\.uni)?\s+(\S+);", line)
            if jump and labels.get(jump[1], end) < end:
                yield [each for each in self.ptx[labels[jump[1]] : end + 1] if not each.endswith(":")]

    def fma_share(self):
        """Of the loop over time, which has the block's barrier in it: (fused multiply-adds, all instructions)."""
        shares = [
            (sum(each.startswith("fma.") for each in loop), len(loop))
            for loop in self.loops()
            if any(each.startswith(("bar.sync", "barrier.sync")) for each in loop)
        ]
        return max(shares, key=lambda share: share[0] / share[1], default=(0, 1))


def require_compiler():
    """Skip the test where no kernel can be compiled."""
    if compiling_obstacle() is not None:
        pytest.skip(compiling_obstacle())


@cache
def _code(kernel, dtype, compute_capability):
    return kernel.code(dtype, compute_capability)


def inspect(kernel, dtype, compute_capability, compiled_for=(8, 0)):
    """A kernel of `numlstm.kernels.cuda`, linked for a GPU.

    compiled_for: the GPU for which numba compiles it, which takes most of the time: one serves all that are newer
    """
    require_compiler()
    code, threads, dynamic = _code(kernel, dtype, compiled_for)
    found = resources_in(link(code, compute_capability)[1], threads, dynamic)
    return Code(code=code, compute_capability=compute_capability, **found._asdict())
