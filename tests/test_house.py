"""Who may import what, and that the backends keep the contract."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from pathlib import Path

import numlstm.cli
import numlstm.kernels
import pytest
from conftest import BACKENDS

import numlstm

LIBRARY = Path(numlstm.__file__).parent
KERNELS = Path(numlstm.kernels.__file__).parent
CLI = Path(numlstm.cli.__file__).parent

HEAVY = {"numba", "llvmlite", "matplotlib", "pandas", "rich", "safetensors", "scipy"}
"""What is imported only where and when it is used."""


def imports(path, top_level_only=False):
    """The absolute names of all modules that a file imports, wherever in it."""
    tree = ast.parse(path.read_text(), filename=str(path))
    nodes = tree.body if top_level_only else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            # `from numlstm import trainer` imports numlstm.trainer.
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def inside(name, *packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def files(folder):
    found = sorted(path for path in folder.rglob("*.py") if "kernels" not in path.relative_to(folder).parts)
    assert found
    return found


def names_of(path):
    return str(path.relative_to(path.parents[2]))


@pytest.mark.parametrize("name", BACKENDS)
def test_kernels_know_only_numba_numpy_and_the_contract(name):
    others = [f"numlstm.kernels.{other}" for other in ("cpu", "cuda") if other != name]
    for path in files(KERNELS / name):
        for imported in imports(path):
            if inside(imported, "numlstm"):
                assert inside(imported, "numlstm.kernels") and not inside(imported, *others), (names_of(path), imported)


def test_the_contract_imports_nothing():
    assert not {
        name for name in imports(KERNELS / "__init__.py") if not inside(name, "__future__", "dataclasses", "typing")
    }


def test_only_the_dispatcher_names_a_kernels_package():
    for path in files(LIBRARY) + files(CLI):
        if path == LIBRARY / "backend.py":
            continue
        for imported in imports(path):
            assert not inside(imported, "numlstm.kernels.cpu", "numlstm.kernels.cuda"), (names_of(path), imported)
        # Nor in a string, for importlib.
        assert "kernels.c" not in path.read_text(), names_of(path)


def test_the_library_names_no_numba():
    for path in files(LIBRARY):
        assert not {name for name in imports(path) if inside(name, "numba", "llvmlite")}, names_of(path)


# Each part of the library, and the parts above it, of which it knows nothing.
ABOVE = {
    "parameters.py": ["layers", "model", "losses", "optimizers", "trainer", "callbacks", "data", "tasks", "formats", "plot"],
    "initializers.py": ["layers", "model", "optimizers", "trainer", "callbacks", "data", "tasks", "formats", "plot"],
    "losses.py": ["layers", "model", "trainer", "callbacks", "data", "tasks", "formats", "plot"],
    "optimizers.py": ["layers", "model", "trainer", "callbacks", "data", "tasks", "formats", "plot"],
    "layers": ["model", "losses", "optimizers", "trainer", "callbacks", "data", "tasks", "formats", "plot"],
    "callbacks.py": ["trainer", "data", "tasks", "formats", "plot"],
    "model.py": ["data", "tasks", "plot"],
    "trainer.py": ["data", "tasks", "formats", "plot"],
    "data": ["layers", "model", "losses", "optimizers", "trainer", "callbacks", "tasks", "plot"],
    "formats": ["trainer", "data", "tasks", "plot"],
}  # fmt: skip


def test_nothing_imports_what_stands_above_it():
    for part, above in ABOVE.items():
        place = LIBRARY / part
        for path in files(place) if place.is_dir() else [place]:
            forbidden = [f"numlstm.{name}" for name in (*above, "cli")]
            found = {name for name in imports(path) if inside(name, *forbidden)} - type_checking_imports(path)
            assert not found, (names_of(path), found)


def type_checking_imports(path):
    """What a file imports under `if TYPE_CHECKING`, which is for readers alone."""
    tree = ast.parse(path.read_text())
    return {
        f"{node.module}.{alias.name}"
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_library_knows_nothing_of_the_command_line():
    for path in files(LIBRARY):
        if not path.is_relative_to(CLI):
            assert not {name for name in imports(path) if inside(name, "numlstm.cli", "click")}, names_of(path)


def test_the_command_line_uses_public_names():
    for path in files(CLI):
        for imported in imports(path):
            assert not inside(imported, "numlstm.kernels", "numba"), (names_of(path), imported)
            assert not any(part.startswith("_") for part in imported.split(".") if part != "__future__"), imported


def test_the_oracle_shares_no_code():
    assert {name.split(".")[0] for name in imports(Path(__file__).parent / "reference.py")} == {
        "__future__",
        "dataclasses",
        "numpy",
    }


def test_importing_numlstm_loads_nothing_heavy(python):
    script = "import json, sys, numlstm\nfrom numlstm import Sequential\nfrom numlstm.layers import LSTM\n"
    loaded = set(json.loads(python(script, "print(json.dumps(list(sys.modules)))")))
    assert "numlstm.layers" in loaded
    assert not HEAVY & loaded


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_has_the_functions_of_the_contract(name):
    module = importlib.import_module(f"numlstm.kernels.{name}")
    contract = {
        name: member
        for name, member in vars(numlstm.kernels.Backend).items()
        if inspect.isfunction(member) and name[0] != "_"
    }
    assert "lstm_forward" in contract
    for function, declared in contract.items():
        expected = list(inspect.signature(declared).parameters)[1:]
        assert list(inspect.signature(getattr(module, function)).parameters) == expected, function
    assert set(module.__all__) == set(contract)
