"""The backends are twins: the same files, with the same functions of the contract, with the same parameters."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import numlstm.kernels

KERNELS = Path(numlstm.kernels.__file__).parent
ONLY_CPU = {"vector.py", "layout.py", "threads.py"}
ONLY_CUDA = {"ptx.py", "device.py", "cache.py", "cublas.py"}


def functions(backend, file):
    """The public functions of a file: name to parameters."""
    tree = ast.parse((KERNELS / backend / file).read_text())
    return {
        node.name: [argument.arg for argument in node.args.args]
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_"
    }


def test_the_same_files():
    cpu, cuda = ({path.name for path in (KERNELS / name).glob("*.py")} for name in ("cpu", "cuda"))
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
        for path in sorted((KERNELS / backend).glob("*.py")):
            for name, parameters in functions(backend, path.name).items():
                if name in contract:
                    assert parameters == contract[name], (backend, path.name, name)
                    places.setdefault(name, []).append(path.name)
    assert set(places) == set(contract)
    assert all(len(found) == 2 and found[0] == found[1] for found in places.values()), places


def test_the_gate_math_has_the_same_functions():
    cpu, cuda = (functions(backend, "gates.py") for backend in ("cpu", "cuda"))
    assert cpu
    assert cpu.items() <= cuda.items()
