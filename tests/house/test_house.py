"""Who may import what, and that the backends keep the contract."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from pathlib import Path

import pytest

import numlstm
import numlstm.cli
import numlstm.kernels
from numlstm.tasks.task import TASKS

LIBRARY = Path(numlstm.__file__).parent
KERNELS = Path(numlstm.kernels.__file__).parent
CLI = Path(numlstm.cli.__file__).parent
BENCH = CLI / "bench"

HEAVY = {"numba", "llvmlite", "matplotlib", "pandas", "safetensors", "scipy"}
"""What is imported only where and when it is used."""


def imported_by(nodes):
    """The absolute names of all modules that statements import; `from numlstm import model` gives numlstm.model."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "there is a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports(path):
    """What a file imports, wherever in it."""
    return imported_by(ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))))


def inside(name, *packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def files(folder):
    found = sorted(path for path in folder.rglob("*.py") if "kernels" not in path.relative_to(folder).parts)
    assert found
    return found


def names_of(path):
    return str(path.relative_to(path.parents[2]))


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_kernels_know_only_numba_numpy_and_the_contract(name):
    others = [f"numlstm.kernels.{other}" for other in ("cpu", "cuda") if other != name]
    for path in files(KERNELS / name):
        for imported in imports(path):
            foreign = inside(imported, "numlstm") and not inside(imported, "numlstm.kernels")
            assert not foreign, (names_of(path), imported)
            assert not inside(imported, *others), (names_of(path), imported)


def test_the_contract_imports_only_itself():
    for path in [KERNELS / "__init__.py", *files(KERNELS / "contract")]:
        known = ("__future__", "collections", "dataclasses", "functools", "typing", "numlstm.kernels.contract")
        assert not {name for name in imports(path) if not inside(name, *known)}, names_of(path)


def test_only_the_dispatcher_names_a_kernels_package():
    for path in files(LIBRARY) + files(CLI):
        if path in (LIBRARY / "backend.py", BENCH / "peak.py"):
            continue
        for imported in imports(path):
            assert not inside(imported, "numlstm.kernels.cpu", "numlstm.kernels.cuda"), (names_of(path), imported)
        # Nor in a string, for importlib.
        assert "kernels.c" not in path.read_text(encoding="utf-8"), names_of(path)


def test_the_library_names_no_numba():
    for path in files(LIBRARY):
        assert not {name for name in imports(path) if inside(name, "numba", "llvmlite")}, names_of(path)


# The parts of the library from the top down. A part is a file or a folder.
LEVELS = [
    ["__init__"],
    ["copies", "models", "tasks"],
    ["model"],
    ["storage"],
    ["formats"],
    ["inference", "saved"],
    ["architecture", "training"],
    ["chain"],
    ["network"],
    ["graph", "graph_executor", "summary"],
    ["layers", "utils"],
    ["callbacks", "data", "decoding", "initializers", "metrics", "plan", "timeseries"],
    ["backend", "losses", "optimizers", "plot", "reading", "regularizers", "seeds"],
    ["attributes", "checks", "files", "missing", "page"],
    [
        "__main__",
        "locks",
        "messages",
        "moving",
        "notebook",
        "override",
        "parameters",
        "starting",
        "terminal",
    ],
]


def imports_within_the_library():
    """For each module of the library the modules of the library that it imports, for readers (type-only) or not."""
    modules = {}
    for path in files(LIBRARY):
        parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    known = {name: {found for found in imports(path) if inside(found, "numlstm")} for name, path in modules.items()}
    # `from numlstm.model import Sequential` names something in a module.
    return {
        name: {each if each in modules else each.rpartition(".")[0] for each in found} & set(modules) - {name}
        for name, found in known.items()
    }


def test_no_module_of_the_library_knows_itself_through_others():
    graph = imports_within_the_library()
    while free := {name for name, found in graph.items() if not found & set(graph)}:
        graph = {name: found for name, found in graph.items() if name not in free}
    assert not graph, "these import each other in circles: " + ", ".join(sorted(graph))


def test_the_levels_are_those_that_the_imports_give():
    """A part stands one level above the highest part that it imports."""

    def part(name):
        return [*name.split("."), "__init__"][1]

    below = {}
    for name, found in imports_within_the_library().items():
        below.setdefault(part(name), set()).update({part(other) for other in found} - {part(name)})
    levels = {}
    while below:
        ready = {part for part, others in below.items() if others <= set(levels)}
        assert ready, f"these parts import each other in circles: {sorted(below)}"
        levels |= {part: 1 + max((levels[other] for other in below[part]), default=-1) for part in ready}
        below = {part: others for part, others in below.items() if part not in ready}
    computed = [sorted(part for part in levels if levels[part] == level) for level in range(max(levels.values()) + 1)]
    assert computed[::-1] == LEVELS, "\n".join(map(str, computed[::-1]))


def test_locks_are_free_after_a_fork():
    """`forks.lock` makes them. A lock of `threading` that another thread held would never be free in the child."""
    for path in [*files(LIBRARY), *KERNELS.rglob("*.py")]:
        if path != KERNELS / "forks.py":
            code = path.read_text(encoding="utf-8")
            assert not re.search(r"threading\.(R?Lock|Condition|Semaphore|Event)\(", code), names_of(path)


def test_the_library_knows_nothing_of_the_command_line():
    for path in files(LIBRARY):
        if path != LIBRARY / "__main__.py":
            assert not {name for name in imports(path) if inside(name, "numlstm.cli", "click")}, names_of(path)


def test_the_command_line_uses_public_names():
    for path in files(CLI):
        for imported in imports(path):
            measured = BENCH in path.parents and inside(imported, "numlstm.kernels", "numba")
            assert measured or not inside(imported, "numlstm.kernels", "numba"), (names_of(path), imported)
            assert not any(part.startswith("_") for part in imported.split(".") if part != "__future__"), imported


def test_the_command_line_names_no_task():
    """The commands know `tasks/task.py`, which finds a task by its name."""
    folders = [f"numlstm.tasks.{name}" for name in TASKS]
    for path in files(CLI):
        if BENCH not in path.parents:
            assert not {name for name in imports(path) if inside(name, *folders)}, names_of(path)


def test_the_oracle_shares_no_code():
    for name in ("reference.py", "reference_recurrence.py", "reference_attention.py"):
        known = {"__future__", "dataclasses", "numpy", "reference"}
        assert {imported.split(".")[0] for imported in imports(Path(__file__).parents[1] / name)} <= known


def test_importing_numlstm_loads_nothing_heavy(python):
    script = "import json, sys, numlstm\nfrom numlstm import Sequential\nfrom numlstm.layers import LSTM\n"
    loaded = set(json.loads(python(script, "print(json.dumps(list(sys.modules)))")))
    assert "numlstm.layers" in loaded
    assert not HEAVY & loaded


def test_numlstm_alone_brings_its_public_names(python):
    script = "import json, numlstm\n"
    missing = "print(json.dumps([name for name in numlstm.__all__ if not hasattr(numlstm, name)]))"
    assert json.loads(python(script, missing)) == []


@pytest.mark.parametrize("name", ["cpu", "cuda"])
def test_a_backend_has_the_functions_of_the_contract(name):
    module = importlib.import_module(f"numlstm.kernels.{name}")
    contract = {
        name: member
        for name, member in inspect.getmembers(numlstm.kernels.Backend)
        if inspect.isfunction(member) and name[0] != "_"
    }
    assert "recurrent_forward" in contract
    for function, declared in contract.items():
        expected = list(inspect.signature(declared).parameters)[1:]
        assert list(inspect.signature(getattr(module, function)).parameters) == expected, function
    assert {function for function, member in vars(module).items() if inspect.isfunction(member)} == set(contract)
