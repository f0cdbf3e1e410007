"""The cache of machine code, seen from processes that run a copy of the package."""

from __future__ import annotations

import ast
import importlib.util
import json
import math
import os
import platform
import re
import shutil
import sys
from pathlib import Path

import pytest

import numlstm
import numlstm.cli
import numlstm.kernels
from numlstm.kernels import cache_file, cache_key

LISTEN = """
import json, sys
from numba.core import event

compiled = []

class Compilations(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        compiled.append([f"{function.__module__}.{function.__qualname__}", str(event.data["args"])])

    def on_end(self, event):
        pass

event.register("numba:compile", Compilations())
"""

# The job of the README.
SINE_JOB = """
import numpy as np
from numlstm import Sequential
from numlstm.layers import LSTM, Dense

points = np.sin(np.linspace(0, 100, 200))
x_data, y_data = np.lib.stride_tricks.sliding_window_view(points, 10)[:-1, :, None], points[10:]
model = Sequential()
model.add(LSTM(units=50, return_sequences=False, input_shape=(10, 1)))
model.add(Dense(units=1))
model.compile(optimizer="adam", loss="mean_squared_error")
model.fit(x_data, y_data, epochs=2, batch_size=32, verbose=0, validation_split=0.1)
model.evaluate(x_data, y_data, verbose=0)
model.predict(x_data, verbose=0)
model.predict(x_data.astype("float32"), verbose=0)
model.predict(x_data[:1], verbose=0)
"""

TRAIN = """
import contextlib
from numlstm.cli import main

with contextlib.suppress(SystemExit):
    main(["train", "--epochs", "1", "--no-plot", "--quiet", "--device", "cpu", "--out", "run"])
"""

# One unit, one feature, one step, weights of one and no bias, so that z = x in all four gates.
ONE_STEP = """
import numpy as np
from numlstm.layers import LSTM

layer = LSTM(1, kernel_initializer="ones", use_bias=False)
result = float(layer(np.full((1, 1, 1), 0.5))[0, 0])
"""

# A kernel is what Python calls; helpers may be compiled into several of them.
REPORT = """
import gc
from numlstm.kernels.cpu.runtime.launch import Kernel

kernels = {each._function for each in gc.get_objects() if isinstance(each, Kernel)}
names = [f"{k.__module__}.{k.__qualname__}" for k in kernels]
print(json.dumps({"compiled": compiled, "kernels": names, "result": globals().get("result")}))
"""

FIRST_RUN = {
    "_adam",
    "_add_losses_mse",
    "multiply_panels",
    "_product",
    "backward_steps_lstm",
    "forward_steps_lstm",
    "pack_gates",
    "pack_matrix",
    "pack_transposed",
    "weight_gradients_lstm",
}
"""The kernels that the README's job compiles on its first day: those that a user waits for."""

SHARED = 3
"""How many of them that job shares among two threads, each by a `fork_join` of its own."""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the installed package; the folder to put on the path."""
    folder = tmp_path_factory.mktemp("copy")
    copy_package(folder)
    return folder


def copy_package(folder):
    leave_out = shutil.ignore_patterns("__pycache__", "results")
    for module, place in ((numlstm, "."), (numlstm.kernels, "kernels"), (numlstm.cli, "cli")):
        source = Path(module.__file__).parent
        shutil.copytree(source, folder / "numlstm" / place, ignore=leave_out, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
def test_the_cache_from_its_first_day_on(python, package, cache):
    """One test, since each part goes on from the part before, and compiling everything takes its time."""

    def run(job):
        # The jobs' kernels are those of two threads, however many cores there are.
        environment = {"PYTHONPATH": package, "NUMBA_CACHE_DIR": cache, "NUMBA_NUM_THREADS": 2}
        return json.loads(python(LISTEN, job, REPORT, **environment))

    first = run(SINE_JOB)
    names = [name for name, _ in first["compiled"]]
    compiled = [name for name in names if name in first["kernels"]]
    assert compiled, "the first process has compiled no kernel: the listener hears nothing"
    twice = {name for name in compiled if compiled.count(name) > 1}
    assert not twice, f"compiled more than once: {twice}"
    # The name of a kernel into which functions are bound ends with their digest.
    assert {re.sub("_[0-9a-f]{8}$", "", name.rpartition(".")[2]) for name in compiled} == FIRST_RUN
    assert sum(name.endswith(".fork_join") for name in names) == SHARED
    assert list(cache.rglob("*.nbc")), "the folder that the user chose holds no machine code"

    assert run(SINE_JOB)["compiled"] == [], "the second process compiled again"
    assert run(TRAIN)["compiled"] == [], "`numlstm train` takes other kernels than the README's job"

    z = 0.5
    sigmoid, tanh = lambda a: 1 / (1 + math.exp(-a)), math.tanh
    for edit in (edit_a_benchmark, edit_a_file_without_code, edit_comments, edit_docstrings, document, age, move):
        package = edit(package)
        step = run(ONE_STEP)
        assert step["compiled"] == [], edit.__name__
        assert step["result"] == pytest.approx(sigmoid(z) * tanh(sigmoid(z) * tanh(z)), rel=1e-6)

    # A helper of another file than the kernels', which numba's own stamps do not see.
    with open(package / "numlstm" / "kernels" / "cpu" / "cells" / "activation.py", "a", encoding="utf-8") as file:
        file.write("\n\n@njit\ndef sigmoid(x):\n    return tanh(x)\n")
    step = run(ONE_STEP)
    assert any("forward_steps_lstm" in name for name, _ in step["compiled"])
    assert step["result"] == pytest.approx(tanh(z) * tanh(tanh(z) * tanh(z)), rel=1e-6)


# Edits that change no machine code. Each returns the folder that the package is in then.


def edit_a_benchmark(package):
    append(package / "numlstm" / "cli" / "bench" / "kernels.py", "\nANOTHER = 1\n")
    return package


def edit_a_file_without_code(package):
    append(package / "numlstm" / "kernels" / "cpu" / "cells" / "__init__.py", '\n"""More is to be said."""\n')
    return package


def edit_comments(package):
    """All lines move."""
    for path in kernel_files(package):
        path.write_text("# A comment.\n\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    return package


def edit_docstrings(package):
    """All lines that follow a function's docstring move."""
    for path in kernel_files(package):
        opening = re.compile(r'^( *)"""(?=\S)', flags=re.MULTILINE)
        text = opening.sub(r'\1"""Another sentence.\n\n\1', path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    return package


def document(package):
    """Functions that have no docstring get one, which is another constant in their bytecode."""
    for path in kernel_files(package):
        text = path.read_text(encoding="utf-8")
        lines, nodes = text.splitlines(), ast.walk(ast.parse(text))
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        for node in sorted(functions, key=lambda node: -node.lineno):
            first = node.body[0]
            line = min([first.lineno, *(decorator.lineno for decorator in getattr(first, "decorator_list", []))])
            if ast.get_docstring(node) is None and line > node.lineno:
                lines.insert(line - 1, " " * first.col_offset + '"""What it does."""')
        path.write_text("\n".join(lines), encoding="utf-8")
    return package


def age(package):
    for path in kernel_files(package):
        os.utime(path, (1e9, 1e9))
    return package


def move(package):
    return package.rename(package.with_name("elsewhere"))


def append(path, text):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def kernel_files(package):
    found = list((package / "numlstm" / "kernels").rglob("*.py"))
    assert found
    return found


@pytest.fixture
def key(tmp_path):
    """The name of a backend's folder, as a copy of the package has it."""
    copy_package(tmp_path)
    spec = importlib.util.spec_from_file_location("copied_key", tmp_path / "numlstm" / "kernels" / "cache_key.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def key(backend, versions="numba 1"):
        return module.folder(backend, module.sources(backend), versions, str(tmp_path / "cache")).name

    return key


PROTOCOL = '\n\nclass More(Protocol):\n    def more(self) -> Array:\n        """Another function."""\n'


@pytest.mark.parametrize(
    ("file", "text", "changed"),
    [
        ("cpu/cells/activation.py", "\nANOTHER = 1\n", {"cpu"}),
        ("cpu/runtime/launch.py", "\nANOTHER = 1\n", {"cpu"}),
        ("cuda/cells/activation.py", "\nANOTHER = 1\n", {"cuda"}),
        ("cuda/cells/activation.py", "\n# A comment.\n", set()),
        ("contract/activation.py", '\nACTIVATIONS = ("sigmoid", "tanh")\n', {"cpu", "cuda"}),
        ("contract/memory.py", PROTOCOL, set()),
        ("replay.py", "\nANOTHER = 1\n", set()),
        ("../cli/bench/kernels.py", "\nANOTHER = 1\n", set()),
        ("../backend.py", "\nANOTHER = 1\n", set()),
    ],
)
def test_what_the_key_covers(key, tmp_path, file, text, changed):
    before = {backend: key(backend) for backend in ("cpu", "cuda")}
    append(tmp_path / "numlstm" / "kernels" / file, text)
    assert {backend for backend, name in before.items() if key(backend) != name} == changed


def test_the_key_covers_edits_that_keep_the_size_of_a_file(key, tmp_path):
    path = tmp_path / "numlstm" / "kernels" / "cpu" / "cells" / "activation.py"
    append(path, "\nANOTHER = 1\n")
    before = key("cpu")
    path.write_text(path.read_text(encoding="utf-8").replace("ANOTHER = 1", "ANOTHER = 2"), encoding="utf-8")
    assert key("cpu") != before


def test_the_key_covers_who_compiles(key):
    assert key("cpu", "numba 1") != key("cpu", "numba 2")


def test_a_damaged_note_of_the_key_does_no_harm(key, tmp_path):
    before = key("cpu")
    (note,) = (tmp_path / "cache" / "numlstm").glob("*.key")
    for damage in (b"", note.read_bytes()[:-1], b"\xff" * 16):
        note.write_bytes(damage)
        assert key("cpu") == before


def test_the_backends_take_their_keys_from_there():
    for backend in ("cpu", "cuda"):
        folder = importlib.import_module(f"numlstm.kernels.{backend}.runtime.cache").folder()
        assert folder is None or re.fullmatch(f"{backend}-[0-9a-f]{{16}}", folder.name)


def test_kernels_are_told_apart_by_their_names():
    """The cache has nothing else to tell them apart by: neither the lines of functions nor what they close over."""
    importlib.import_module("numlstm.kernels.cpu")
    modules = [module for name, module in sys.modules.items() if name.startswith("numlstm.kernels.cpu.")]
    functions = {k._function for module in modules for k in vars(module).values() if type(k).__name__ == "Kernel"}
    assert len({(function.__module__, function.__qualname__) for function in functions}) == len(functions) > 0
    assert not [function for function in functions if function.__closure__]


def test_a_cache_folder_that_cannot_be_made(python, tmp_path):
    """Read-only homes exist: then everything is compiled anew, and works."""
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    python(ONE_STEP, NUMBA_CACHE_DIR=file / "folder")


SMALL_JOB = """
import numpy as np
from numlstm.kernels.cpu.pointwise.activation import softmax

x = np.ones((2, 3), "float32")
softmax(x, x)
assert abs(x - 1 / 3).max() < 1e-6
print(len(compiled))
"""


DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:2000],
    "foreign": lambda content: b"\x80\x04garbage",
    "in the machine code": lambda content: content.replace(b"\x48\x8b", b"\x0f\x0b"),  # Illegal instructions.
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_compiled_again(python, tmp_path, damage):
    assert int(python(LISTEN, SMALL_JOB, NUMBA_CACHE_DIR=tmp_path)) > 0
    entries = list(tmp_path.rglob("*.nbc"))
    for path in entries:
        content = path.read_bytes()
        path.write_bytes(damage(content))
        assert path.read_bytes() != content
    assert int(python(LISTEN, SMALL_JOB, NUMBA_CACHE_DIR=tmp_path)) > 0
    assert int(python(LISTEN, SMALL_JOB, NUMBA_CACHE_DIR=tmp_path)) == 0
    assert sorted(entries) == sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".key")


def test_no_damaged_file_is_read(tmp_path):
    path = tmp_path / "entry"
    assert cache_file.read(path) is None
    cache_file.write(path, b"machine\ncode")
    assert cache_file.read(path) == b"machine\ncode"
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode, "another user cannot read it"
    (tmp_path / "other").unlink()
    whole = path.read_bytes()
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            assert cache_file.read(path) is None
    assert list(tmp_path.iterdir()) == [path]


def test_both_backends_keep_their_code_in_such_files(tmp_path, monkeypatch):
    cuda = importlib.import_module("numlstm.kernels.cuda.runtime.cache")
    monkeypatch.setattr(cuda, "folder", lambda: tmp_path)
    binary = cuda.Binary("name", b"machine\ncode", 128, 1024)
    cuda.write("key", binary)
    assert cuda.read("key") == binary
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes().replace(b"128", b"999"))
    assert cuda.read("key") is None


def test_code_that_checks_its_indices_has_a_folder_of_its_own(python):
    script = "from numlstm.kernels.cpu.runtime.cache import folder; print(folder())"
    folders = [python(script, NUMLSTM_CHECKED=value) for value in (None, "types", "1")]
    assert folders[0] == folders[1] != folders[2]


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="the other target is an x86 processor"
)
def test_targets_share_a_folder_but_no_file(python, tmp_path):
    """numba writes an index and the code without a lock: in one file, targets could get each other's code."""

    def files():
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb[ic]")}

    assert int(python(LISTEN, SMALL_JOB, NUMBA_CACHE_DIR=tmp_path)) > 0
    first = files()
    other = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": tmp_path}
    assert int(python(LISTEN, SMALL_JOB, **other)) > 0
    both = files()
    assert len(both) == 2 * len(first)
    assert first.items() <= both.items()
    assert int(python(LISTEN, SMALL_JOB, **other)) == 0


def test_a_cache_that_can_only_be_read_is_read(python, tmp_path, monkeypatch):
    """As in an image that was warmed up by another user."""
    folder = cache_key.folder("cpu", {"a.py": b"1"}, "", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert cache_key.folder("cpu", {"a.py": b"1"}, "", str(tmp_path)) == folder


@pytest.mark.skipif(importlib.util.find_spec("resource") is None, reason="this system has no limits of resources")
def test_a_cache_folder_without_room(python, tmp_path):
    """Disks and quotas are full at times: what was compiled is used all the same."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    python(limit, ONE_STEP, NUMBA_CACHE_DIR=tmp_path)
    assert not list(tmp_path.rglob("*.nbc"))


def test_the_users_own_cache_setting_stands(python, tmp_path):
    script = """
import os, numba
assert numba.config.CACHE_DIR == os.environ["NUMBA_CACHE_DIR"], numba.config.CACHE_DIR
"""
    python(ONE_STEP, script, NUMBA_CACHE_DIR=tmp_path)
