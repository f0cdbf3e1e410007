"""The processor that numba compiles for, and the shape of a product's tile that fits its registers.

The target need not be this machine: NUMBA_CPU_NAME and NUMBA_CPU_FEATURES choose it for portable caches, a virtual
machine may hide instructions, and numba itself avoids AVX on some processors. So LLVM is asked what it emits.
"""

import functools
from dataclasses import dataclass

import llvmlite.binding as llvm
from numba.core.registry import cpu_target

_PROBE = """
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
define <16 x float> @probe(<16 x float> %a, <16 x float> %b, <16 x float> %c) {
  %d = call <16 x float> @llvm.fma.v16f32(<16 x float> %a, <16 x float> %b, <16 x float> %c)
  ret <16 x float> %d
}
"""


@dataclass(frozen=True)
class Target:
    """A processor's vector registers.

    name: LLVM's name of the processor
    register_bytes: width of a vector register
    registers: number of vector registers
    fused: whether it multiplies and adds in one instruction with one rounding
    """

    name: str
    register_bytes: int
    registers: int
    fused: bool

    @property
    def tile(self):
        """(rows, registers of columns) of the micro-kernel's tile of C, see `numlstm.kernels.cpu.products.matmul`.

        Each register of the tile is a chain of multiply-adds. With two multiply-adds a cycle and a latency of four
        or five cycles, ten chains or more keep the units busy. The registers of B or of A's spread elements are beside
        the tile.

        32 registers: 6 x 4, with 4 registers of B and one spread element: 29.
        16 registers: 3 x 4, with 3 spread elements and one register of B: 16. The other way round, 4 registers of B
            and one spread element, it takes 17, and one accumulator would be stored and loaded in each step.
        16 registers without fused multiply-add: 2 x 4, with 2 spread elements, one register of B and the product,
            which takes a register of its own: 12. An addition alone is in each chain, so eight are enough.
        """
        return (6 if self.registers >= 32 else 3 if self.fused else 2), 4

    def __str__(self):
        parts = f"{8 * self.register_bytes} bits, {self.registers} registers"
        return f"{parts}, {'fused multiply-add' if self.fused else 'multiply and add'}"


def probe(triple, name, features):
    """Return the `Target` of LLVM's description of a processor."""
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=name, features=features)
    assembly = machine.emit_assembly(llvm.parse_assembly(_PROBE))
    arm = triple.startswith(("aarch64", "arm64"))
    width = 64 if "zmm" in assembly else 32 if "ymm" in assembly else 16
    # Where there is no instruction, LLVM calls fmaf of libm for each number.
    return Target(name, width, 32 if arm or width == 64 else 16, "fmaf" not in assembly)


@functools.cache
def target():
    """The `Target` that numba compiles for."""
    return probe(*cpu_target.target_context.codegen().magic_tuple())
