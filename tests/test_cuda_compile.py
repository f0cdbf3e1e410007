"""Every CUDA kernel compiled for GPUs of two generations, on any machine, and what the compiler made of it."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import pytest

import numlstm.kernels

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")

CAPABILITIES = [(8, 0), (9, 0)]
SHARED_BYTES = {(8, 0): 163 * 1024, (9, 0): 227 * 1024}

# Constants of the recurrence: every number of rows, and units at every limit.
RECURRENCES = [(1, 1), (50, 1), (64, 1), (64, 2), (64, 4), (95, 2), (96, 1), (97, 1), (112, 1), (113, 1), (128, 1)]
DOUBLE_RECURRENCES = [(7, 2), (32, 4), (33, 1), (48, 1)]
# Their general forms: as many units, but fewer rows.
GENERAL_RECURRENCES = [(1, 1), (50, 1), (64, 4), (96, 1), (112, 1), (113, 1), (128, 1)]
GENERAL_DOUBLE_RECURRENCES = [(7, 1), (32, 1), (33, 1), (48, 1)]
# Those of other templates, where they have some.
CONSTANTS = {"step_forward": [(False,), (True,)], "step_backward": [(False,), (True,)]}

FMA_FLOOR = {False: 0.30, True: 0.22}
"""The least share of fused multiply-adds in the persistent kernels' loop over time, from 50 units on, if general."""


def recurrences(dtype, general):
    """The units and rows of the persistent kernels that are compiled here."""
    if dtype == "float32":
        return GENERAL_RECURRENCES if general else RECURRENCES
    return GENERAL_DOUBLE_RECURRENCES if general else DOUBLE_RECURRENCES


def kernels():
    """All kernels of the package by file and name, those with constants as templates."""
    from numlstm.kernels.cuda.launch import Kernel, Template

    found = {}
    for path in sorted((Path(numlstm.kernels.__file__).parent / "cuda").glob("*.py")):
        module = importlib.import_module(f"numlstm.kernels.cuda.{path.stem}")
        for name, member in vars(module).items():
            if isinstance(member, (Kernel, Template)) and member.name.startswith(f"{module.__name__}."):
                found[path.stem, name] = member
    return found


@pytest.mark.parametrize("capability", CAPABILITIES, ids="sm_{0[0]}{0[1]}".format)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kernel_compiles(dtype, capability):
    from cuda_code import inspect

    from numlstm.kernels.cuda.launch import Template

    found = kernels()
    assert ("recurrence", "forward") in found
    for (file, name), kernel in found.items():
        if (file, name) in (("recurrence", "forward"), ("recurrence", "backward")):
            continue
        made = [kernel[each] for each in CONSTANTS.get(name, [()])] if isinstance(kernel, Template) else [kernel]
        for each in made:
            code = inspect(each, dtype, capability)
            assert code.registers > 0, name
            assert code.spills == 0, (name, code.spills)
            assert code.registers * code.threads <= 65536, name


@pytest.mark.parametrize("capability", CAPABILITIES, ids="sm_{0[0]}{0[1]}".format)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("general", [False, True])
def test_persistent_kernels_stay_in_registers(direction, dtype, capability, general):
    """A spilled weight would be read from memory at every step."""
    from cuda_code import inspect

    from numlstm.kernels.cuda import recurrence

    for units, rows in recurrences(dtype, general):
        assert units <= recurrence.MOST_UNITS[dtype]
        code = inspect(getattr(recurrence, direction)[units, rows, general], dtype, capability)
        what = f"{direction} of {units} units, {rows} rows: {code.registers} registers"
        assert (code.spills, code.stack) == (0, 0), what
        assert code.shared <= SHARED_BYTES[capability], what
        if dtype == "float32":
            assert not any(".f64" in line for line in code.ptx), what
            products, instructions = code.fma_share()
            if units >= 50:
                assert products / instructions >= FMA_FLOOR[general], f"{what}, {products} of {instructions}"
                assert any("ld.shared.v4.f32" in line for line in code.ptx), what


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_most_units_and_rows_are_among_them(dtype, general):
    from numlstm.kernels.cuda import recurrence

    pairs = recurrences(dtype, general)
    assert max(units for units, _ in pairs) == recurrence.MOST_UNITS[dtype]
    for limit, rows in (recurrence._ROWS_GENERAL if general else recurrence._ROWS)[dtype]:
        assert (limit, rows) in pairs


def test_machine_code_is_kept(tmp_path, monkeypatch):
    from numlstm.kernels.cuda import cache, launch, optimizer

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


def test_what_stands_in_the_way_is_one_sentence(monkeypatch):
    from numlstm.kernels.cuda import device

    obstacle = device.availability()
    if obstacle is not None:
        assert "\n" not in obstacle
        with pytest.raises(device.GPUError) as raised:
            device.device()
        assert str(raised.value) == obstacle
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert device.availability() == 'numba-cuda is not installed: run `pip install "numlstm[cuda13]"`'
