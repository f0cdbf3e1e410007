"""The backends are twins: the same files, with the same functions of the contract, with the same parameters."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import numlstm.kernels

KERNELS = Path(numlstm.kernels.__file__).parent
ONLY_CPU = {
    "beams.py",
    "products/copies.py",
    "products/layout.py",
    "products/tile.py",
    "recurrence/loops.py",
    "recurrence/packing.py",
    "runtime/checked.py",
    "runtime/interrupts.py",
    "runtime/target.py",
    "runtime/threads.py",
    "runtime/vector.py",
}
ONLY_CUDA = {
    "products/cublas.py",
    "recurrence/arguments.py",
    "recurrence/named_plan.py",
    "recurrence/persistent.py",
    "recurrence/persistent_backward.py",
    "recurrence/persistent_block.py",
    "recurrence/persistent_forward.py",
    "recurrence/products.py",
    "recurrence/steps.py",
    "recurrence/tuples.py",
    "runtime/device.py",
    "runtime/gpus.py",
    "runtime/graph.py",
    "runtime/ptx.py",
    "runtime/resources.py",
    "runtime/signature.py",
    "runtime/software.py",
    "runtime/upload.py",
}
# CUDA chooses activations within one function, and has `update` where the CPU has `cell_output`.
ONLY_CPU_GATE_MATH = {"exp", "cell_activation", "cell_slope", "cell_output"}


def functions(backend, file):
    """The public functions of a file: name to parameters."""
    tree = ast.parse((KERNELS / backend / file).read_text(encoding="utf-8"))
    return {
        node.name: [argument.arg for argument in node.args.args]
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_"
    }


def files(backend):
    """The files of a backend, by their places in it."""
    return sorted(path.relative_to(KERNELS / backend).as_posix() for path in (KERNELS / backend).rglob("*.py"))


def test_the_same_files():
    cpu, cuda = set(files("cpu")), set(files("cuda"))
    assert cpu - ONLY_CPU == cuda - ONLY_CUDA
    assert not cuda & ONLY_CPU
    assert not cpu & ONLY_CUDA


def test_the_functions_of_the_contract_have_the_same_place_and_parameters():
    contract = {
        name: list(inspect.signature(member).parameters)[1:]
        for name, member in inspect.getmembers(numlstm.kernels.Backend)
        if inspect.isfunction(member) and name[0] != "_"
    }
    places = {}
    for backend in ("cpu", "cuda"):
        for file in files(backend):
            for name, parameters in functions(backend, file).items():
                if name in contract:
                    assert parameters == contract[name], (backend, file, name)
                    places.setdefault(name, []).append(file)
    # Recording calls is one file for both.
    assert set(places) == set(contract) - {"record"}
    assert all(len(found) == 2 and found[0] == found[1] for found in places.values()), places


def test_the_gate_math_has_the_same_functions():
    for file in files("cpu"):
        if file.startswith("cells/") and not file.endswith("__init__.py"):
            cpu, cuda = (functions(backend, file) for backend in ("cpu", "cuda"))
            assert cpu
            assert {name: cpu[name] for name in cpu.keys() - ONLY_CPU_GATE_MATH}.items() <= cuda.items()


def test_both_backends_prepare_the_same_functions():
    cpu, cuda = (importlib.import_module(f"numlstm.kernels.{backend}").preparable() for backend in ("cpu", "cuda"))
    assert cpu == [*cuda, "threads"]
