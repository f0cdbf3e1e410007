"""Every CUDA kernel compiled for GPUs of two generations, on any machine, and what the compiler made of it."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import re
from pathlib import Path

import pytest

import numlstm.kernels
from numlstm.kernels import GRUCell, LSTMCell

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")

CAPABILITIES = [(8, 0), (9, 0)]
SHARED_BYTES = {(8, 0): 163 * 1024, (9, 0): 227 * 1024}

# Units and rows of the persistent kernels: one unit, few, those of the sine, and the most for each number of rows, in
# registers alone and with shared memory.
RECURRENCES = {
    ("lstm", "float32"): [(1, 1), (50, 1), (64, 4), (95, 2), (96, 1), (128, 1)],
    ("lstm", "float64"): [(7, 2), (32, 4), (48, 1)],
    ("gru", "float32"): [(1, 1), (50, 1), (96, 4), (117, 1), (128, 1)],
    ("gru", "float64"): [(7, 2), (40, 4), (48, 2), (72, 1)],
}
GATES = {"lstm": 4, "gru": 3}  # That take a part of U.
CELLS = ["lstm", "gru", "gru_reset_before", "simple_rnn"]
# Their plain form, and those with options: of the usual activations, and of others.
OTHERS = (3, 2)
CHOICES = [None, (0, 1), OTHERS]
# Of other templates that have some.
CONSTANTS = {name: list(itertools.product(CELLS, [None, OTHERS])) for name in ("step_forward", "step_backward")}
CONSTANTS |= {
    name: [("gru_reset_before", activations) for activations in CHOICES] for name in ("reset_forward", "reset_backward")
}
CONSTANTS["add_biases"] = [("gru",)]
CONSTANTS["_multiply"] = list(itertools.product([(16, 4, 16), (8, 4, 32), (8, 2, 64)], (False, True)))

FMA_FLOOR = {
    ("lstm", "forward"): {False: 0.30, True: 0.22},
    ("lstm", "backward"): {False: 0.28, True: 0.22},
    ("gru", "forward"): {False: 0.12, True: 0.10},
    ("gru", "backward"): {False: 0.12, True: 0.10},
}
"""The least share of fused multiply-adds in the loop from 50 units on, by whether the kernels have options."""


def recurrences(cell, dtype, activations):
    """The units and rows of the persistent kernels that are compiled here."""
    pairs = RECURRENCES[cell, dtype]
    if activations is not None:
        # Those with options take two rows of fewer units.
        pairs = [(80, 2) if pair == (95, 2) else pair for pair in pairs if pair not in ((1, 1), (7, 2))]
    if activations == OTHERS:
        # The same kernels but for what they call: here the most units alone.
        pairs = pairs[-1:]
    return pairs


def kernels():
    """All kernels of the package by file and name, those with constants as templates."""
    from numlstm.kernels.cuda.runtime.launch import Kernel, Template

    found = {}
    folder = Path(numlstm.kernels.__file__).parent / "cuda"
    for path in sorted(folder.rglob("*.py")):
        place = ".".join(path.relative_to(folder).with_suffix("").parts)
        module = importlib.import_module(f"numlstm.kernels.cuda.{place}")
        for name, member in vars(module).items():
            if isinstance(member, (Kernel, Template)) and f"{module.__name__}." in member.name:
                found[path.stem, name] = member
    return found


@pytest.mark.slow
@pytest.mark.parametrize("capability", CAPABILITIES, ids="sm_{0[0]}{0[1]}".format)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kernel_compiles(dtype, capability):
    from cuda_code import inspect

    from numlstm.kernels.cuda.runtime.launch import Template

    found = kernels()
    assert ("persistent_forward", "forward") in found
    for (file, name), kernel in found.items():
        if file in ("persistent_forward", "persistent_backward"):
            continue
        for constants in CONSTANTS.get(name, [()]) if isinstance(kernel, Template) else [None]:
            code = inspect(kernel if constants is None else kernel[constants], dtype, capability)
            assert code.registers > 0, name
            assert code.spills == 0, (name, code.spills)
            assert code.registers * code.threads <= 65536, name


@pytest.mark.slow
@pytest.mark.parametrize("capability", CAPABILITIES, ids="sm_{0[0]}{0[1]}".format)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("activations", CHOICES, ids=str)
@pytest.mark.parametrize("cell", GATES)
def test_persistent_kernels_stay_in_registers(cell, direction, dtype, capability, activations):
    """A spilled weight would be read from memory at every step."""
    from cuda_code import inspect

    from numlstm.kernels.cuda.recurrence import persistent as recurrence

    gates = GATES[cell]
    for units, rows in recurrences(cell, dtype, activations):
        assert units <= recurrence.MOST_UNITS[gates][dtype]
        code = inspect(getattr(recurrence, direction)[cell, units, rows, activations], dtype, capability)
        what = f"{direction} of {units} units, {rows} rows: {code.registers} registers"
        assert (code.spills, code.stack) == (0, 0), what
        # What any GPU gives without being asked, or what `most_units` asks for.
        most = 48 * 1024 if units <= recurrence.UNITS_IN_REGISTERS[gates] else recurrence.SHARED_BYTES[gates]
        assert code.shared <= most <= SHARED_BYTES[capability], what
        # The instructions are the same for all capabilities.
        if dtype == "float32" and capability == CAPABILITIES[-1]:
            assert not any(".f64" in line for line in code.ptx), what
            products, instructions = code.fma_share()
            if units >= 50:
                floor = FMA_FLOOR[cell, direction][activations is not None]
                assert products / instructions >= floor, f"{what}, {products} of {instructions}"
                assert any("ld.shared.v4.f32" in line for line in code.ptx), what


@pytest.mark.parametrize(
    ("cell", "direction", "dtype"),
    [
        ("lstm", "forward", "float32"),
        ("gru", "backward", "float64"),
    ],
)
def test_what_numba_makes_for_one_generation_is_what_it_makes_for_the_next(cell, direction, dtype):
    """So the other tests compile for the older one, and link for both."""
    from cuda_code import inspect

    from numlstm.kernels.cuda.recurrence import persistent as recurrence

    kernel, newest = getattr(recurrence, direction)[cell, 32, 1, (0, 1)], CAPABILITIES[-1]
    one, other = (inspect(kernel, dtype, newest, compiled_for) for compiled_for in CAPABILITIES)
    for name in ("registers", "stack", "spills", "shared", "threads"):
        assert getattr(one, name) == getattr(other, name)
    # But for the kernel's name, and the numbers that numba gives to blocks of shared memory.
    anonymous = [[re.sub(r"_Z\w*(?=_param)|(?<=_smem_)\d+", "", line) for line in each.ptx] for each in (one, other)]
    assert anonymous[0] == anonymous[1]


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize(("units", "rows"), [(50, 1), (128, 1)])
def test_options_cost_few_instructions(direction, units, rows):
    """Those of a step are all that options cost on the GPU but for what they read."""
    from cuda_code import inspect

    from numlstm.kernels.cuda.recurrence import persistent as recurrence

    kernel = getattr(recurrence, direction)
    plain, with_options = (
        inspect(kernel["lstm", units, rows, activations], "float32", (9, 0)).fma_share()[1]
        for activations in CHOICES[:2]
    )
    assert with_options <= 1.15 * plain, (with_options, plain)


@pytest.mark.parametrize("activations", CHOICES[:2], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", GATES)
def test_the_most_units_and_rows_are_among_them(cell, dtype, activations):
    from numlstm.kernels.cuda.recurrence import persistent as recurrence

    pairs, gates = recurrences(cell, dtype, activations), GATES[cell]
    assert max(units for units, _ in pairs) == recurrence.MOST_UNITS[gates][dtype]
    for limit, rows in (recurrence.ROWS_WITH_OPTIONS if activations else recurrence.ROWS)[gates][dtype]:
        assert (limit, rows) in pairs


def test_a_gpu_of_little_shared_memory_holds_fewer_units(monkeypatch):
    from numlstm.kernels.cuda.recurrence import persistent as recurrence

    for kilobytes, most, of_three_gates in ((64, 96, 117), (99, 96, 128), (163, 128, 128), (227, 128, 128)):
        monkeypatch.setattr(recurrence, "shared_bytes", lambda kilobytes=kilobytes: kilobytes * 1024)
        assert recurrence.most_units(LSTMCell(1, 1, "float32")) == most
        assert recurrence.most_units(GRUCell(1, 1, "float32")) == of_three_gates
        assert recurrence.most_units(LSTMCell(1, 1, "float64")) == recurrence.MOST_UNITS[4]["float64"]


def test_machine_code_is_kept(tmp_path, monkeypatch):
    from cuda_code import require_compiler

    from numlstm.kernels.cuda.pointwise import optimizer
    from numlstm.kernels.cuda.runtime import cache, launch

    require_compiler()
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    told = []
    monkeypatch.setattr(launch, "_listener", lambda *event: told.append(event))
    first = optimizer._adam.binary("float32", (9, 0))
    assert told == [("_adam", True), ("_adam", False)]
    (file,) = tmp_path.iterdir()
    monkeypatch.setattr(launch, "link", None)
    assert optimizer._adam.binary("float32", (9, 0)) == first
    # Half a file is no machine code.
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(TypeError):
        optimizer._adam.binary("float32", (9, 0))


def test_machine_code_is_kept_by_what_was_compiled(monkeypatch):
    """A constant of a module that a test or a user has replaced is a part of the key."""
    from numlstm.kernels.cuda.recurrence import persistent_backward
    from numlstm.kernels.cuda.runtime import cache

    keys = []
    monkeypatch.setattr(cache, "read", lambda key: keys.append(key) or "code")
    kernel = persistent_backward.backward["lstm", 104, 1, None]
    for kept in (56, 56, 48):
        monkeypatch.setattr(persistent_backward, "KEPT", {4: {104: kept}})
        assert kernel.binary("float32", (9, 0)) == "code"
    assert keys[0] == keys[1] != keys[2]


def test_what_stands_in_the_way_is_one_sentence(monkeypatch):
    from numlstm.kernels.cuda.runtime import device

    obstacle = device.availability()
    if obstacle is not None:
        assert "\n" not in obstacle
        with pytest.raises(device.GPUError) as raised:
            device.device()
        assert str(raised.value) == obstacle
    # The function itself, not what it has found before.
    monkeypatch.setattr(device, "package_obstacle", device.package_obstacle.__wrapped__)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert device.availability() == 'numba-cuda is not installed: run `pip install "numlstm[cuda13]"`'
