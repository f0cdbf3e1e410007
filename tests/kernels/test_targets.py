"""The CPU kernels compiled for other processors: numba's own variables choose the target."""

from __future__ import annotations

import functools
import os
import platform
import re
import subprocess
import sys

import llvmlite.binding as llvm
import pytest
from llvmlite import ir
from numba import types

from numlstm.kernels.cpu.products import matmul
from numlstm.kernels.cpu.products import tile as products_tile
from numlstm.kernels.cpu.runtime import vector
from numlstm.kernels.cpu.runtime.target import probe, target

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="these are targets for x86 processors"
)

FUSED = {"haswell": (32, 16, 3)}
"""Processors by LLVM's names, each with the bytes and the number of its registers and the rows of a tile."""
UNFUSED = {"sandybridge": (32, 16, 2), "nehalem": (16, 16, 2)}
TARGETS = FUSED | UNFUSED

# Sizes that fill neither a vector nor a tile, both directions, masks, dropout and an optimizer.
TRAIN = """
import hashlib
import numpy as np
import numlstm
from numlstm import Sequential
from numlstm.layers import GRU, LSTM, Dense, Masking

numlstm.set_seed(1)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(11, 5, 3)).astype("float32"), rng.normal(size=(11, 2)).astype("float32")
x[3, 2:] = 0
model = Sequential([Masking(), LSTM(50, return_sequences=True, dropout=0.2), GRU(17), Dense(2)])
model.compile("adam", "mse", device="cpu", verbose=0)
model.fit(x, y, batch_size=4, epochs=2, verbose=0)
weights = [*model.get_weights(), model.predict(x, verbose=0)]
print(hashlib.sha256(b"".join(array.tobytes() for array in weights)).hexdigest())
"""


def run(name, *arguments):
    # Without a list of features, the processor's name stands for all of them.
    process = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | ({} if name is None else {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ""}),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, f"{process.stdout}\n{process.stderr}"
    return process.stdout


@functools.cache
def trained(name):
    """The digest of a training on a target; None: on this machine's own."""
    return run(name, "-P", "-c", TRAIN)


def needs(name):
    wanted = {"haswell": "avx2", "sandybridge": "avx", "nehalem": "sse4.2"}[name]
    if not llvm.get_host_cpu_features().get(wanted):
        pytest.skip(f"this processor has no {wanted}")


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_kernels_agree_with_the_oracle(name, pytestconfig):
    needs(name)
    here = pytestconfig.rootpath / "tests" / "kernels"
    files = [str(here / f"test_{each}.py") for each in ("recurrence", "dense_kernels", "activation_kernels")]
    chosen = "agrees_with_the_oracle and float32 and (lstm or gru- or dense or activation)"
    output = run(name, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", chosen, *files)
    assert " passed" in output.splitlines()[-1]


@pytest.mark.slow
def test_targets_with_fused_multiply_add_train_to_the_same_bits():
    needs("haswell")
    if not target().fused:
        pytest.skip("this processor has no fused multiply-add")
    assert trained("haswell") == trained(None)


@pytest.mark.slow
def test_targets_without_it_train_to_the_same_bits():
    needs("sandybridge")
    assert trained("sandybridge") == trained("nehalem")


# Targets of every family, which need not be this machine's: (triple, processor).
LINUX, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
REGISTERS = {
    **{(LINUX, name): numbers for name, numbers in TARGETS.items()},
    (LINUX, "skylake-avx512"): (64, 32, 6),
    (LINUX, "znver4"): (64, 32, 6),
    (LINUX, "x86-64"): (16, 16, 2),
    ("x86_64-pc-windows-msvc", "haswell"): (32, 16, 3),
    (ARM, "neoverse-n1"): (16, 32, 6),
    ("arm64-apple-darwin", "apple-m1"): (16, 32, 6),
}


PREFETCH = re.compile(r"\bprefetch|\bprfm\b")


@pytest.fixture(scope="module", autouse=True)
def all_targets():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()


@pytest.mark.parametrize(("triple", "name"), REGISTERS)
def test_the_registers_of_a_target(triple, name):
    found = probe(triple, name, "")
    assert (found.register_bytes, found.registers, found.tile[0]) == REGISTERS[triple, name]
    assert found.fused == (name not in (*UNFUSED, "x86-64"))


def tile(triple, name, rows, monkeypatch, first=None, pace=None):
    """The assembly of a tile with this many rows of a whole panel, and its target.

    first, pace: as for the tile if they are known at compile time
    """
    chosen = probe(triple, name, "")
    monkeypatch.setattr(products_tile, "target", lambda: chosen)
    monkeypatch.setattr(vector, "target", lambda: chosen)
    pointer, integer = ir.FloatType().as_pointer(), ir.IntType(64)
    module = ir.Module()
    module.triple = triple
    # a, a_at, a_row, a_segment, a_step, b, b_at, c, c_row, segments, length, first, pace
    parameters = [pointer, *[integer] * 4, pointer, integer, pointer, *[integer] * 5]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), parameters), "tile")
    builder = ir.IRBuilder(function.append_basic_block())
    arguments = [*function.args]
    if first is not None:
        arguments[-2:] = integer(first), integer(pace)
    products_tile.emit_tiles(builder, types.float32, arguments, rows, matmul.WIDE, matmul.WIDE)
    builder.ret_void()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=name, features="", opt=3)
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return machine.emit_assembly(parsed), chosen


def inner_loops(assembly):
    """The instructions of the shortest loop with multiply-adds: of those without prefetches, and of those with them."""
    lines = [line.strip() for line in assembly.splitlines()]
    labels = {line.split(":")[0]: at for at, line in enumerate(lines) if re.match(r"[.\w]+:", line)}
    jumps = [(at, re.fullmatch(r"(?:j\w+|b\.\w+)\s+(\S+)", line)) for at, line in enumerate(lines)]
    loops = [lines[labels[jump[1]] : at] for at, jump in jumps if jump and labels.get(jump[1], at) < at]
    loops = ["\n".join(loop) for loop in loops if any("fm" in line or "mulps" in line for line in loop)]
    plain, prefetching = (
        [loop for loop in loops if bool(PREFETCH.search(loop)) == with_it] for with_it in (False, True)
    )
    return [min(kind, key=len) for kind in (plain, prefetching) if kind]


@pytest.mark.parametrize(("triple", "name"), REGISTERS)
def test_tiles_stay_in_registers(triple, name, monkeypatch):
    """In steps of k, no tile stores a vector or loads one from the stack, and a full one adds once to each sum.

    LLVM may take several steps in one turn of the loop.
    """
    for rows in range(1, REGISTERS[triple, name][2] + 1):
        assembly, chosen = tile(triple, name, rows, monkeypatch)
        loops = inner_loops(assembly)
        for code in loops:
            assert not re.search(r"%rsp\).*%[xyz]mm|%[xyz]mm\d+, .*\(|\bst[rp]\b|\bldr\s+q.*\[sp", code), code
    for code in loops:
        additions = len(re.findall(r"fmadd\w*ps|\bfmla\b|addps", code))
        assert additions
        assert additions % (chosen.tile[0] * chosen.tile[1]) == 0


@pytest.mark.parametrize(("triple", "name"), REGISTERS)
def test_tiles_of_narrow_registers_prefetch_far_weights_once(triple, name, monkeypatch):
    """Tiles of the widest registers always prefetch. Of others the first ones do, and only if the weights are far."""

    def prefetches(first, pace):
        assembly, _ = tile(triple, name, rows, monkeypatch, first, pace)
        return PREFETCH.search(assembly) is not None

    width, _, rows = REGISTERS[triple, name]
    always = width == vector.VECTOR_BYTES
    assert prefetches(0, 0)
    assert prefetches(rows * (matmul.WIDE - 1), 2)
    if not always:
        assert not prefetches(0, -1)
        assert not prefetches(rows * matmul.WIDE, 0)
