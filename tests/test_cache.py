"""The cache of machine code, seen from processes that run a copy of the package."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

import numlstm
import numlstm.kernels

# The job of the README, and what numba compiled for it.
SINE_JOB = """
import json, sys
import math
from numba.core import event

compiled = []

class Compilations(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        compiled.append([f"{function.__module__}.{function.__qualname__}", str(event.data["args"])])

    def on_end(self, event):
        pass

event.register("numba:compile", Compilations())

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

# A kernel is what Python calls; helpers may be compiled into several of them.
modules = [module for name, module in sys.modules.items() if name.startswith("numlstm.kernels.cpu.")]
kernels = {k._function for module in modules for k in vars(module).values() if type(k).__name__ == "Kernel"}
print(json.dumps({"compiled": compiled, "kernels": [f"{k.__module__}.{k.__qualname__}" for k in kernels]}))
"""

# One unit, one feature, one step, weights of one and no bias, so that z = x in all four gates.
ONE_STEP = """
import numpy as np
from numlstm.layers import LSTM

layer = LSTM(1, kernel_initializer="ones", use_bias=False)
print(float(layer(np.full((1, 1, 1), 0.5))[0, 0]))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the installed package; the folder to put on the path."""
    folder = tmp_path_factory.mktemp("copy")
    leave_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(numlstm.__file__).parent, folder / "numlstm", ignore=leave_out)
    kernels = Path(numlstm.kernels.__file__).parent
    shutil.copytree(kernels, folder / "numlstm" / "kernels", ignore=leave_out, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_the_cache_from_its_first_day_on(python, package, cache):
    """One test, since each part goes on from the part before, and compiling everything takes its time."""
    environment = {"PYTHONPATH": package, "NUMBA_CACHE_DIR": cache}
    first = json.loads(python(SINE_JOB, **environment))
    times = {kernel: [name for name, _ in first["compiled"]].count(kernel) for kernel in first["kernels"]}
    assert 1 in times.values(), "the first process has compiled no kernel: the listener hears nothing"
    twice = [entry for entry in first["compiled"] if times.get(entry[0], 0) > 1]
    assert not twice, f"compiled more than once: {twice}"
    assert list(cache.rglob("*.nbi")), "the folder that the user chose holds no machine code"

    second = json.loads(python(SINE_JOB, **environment))
    assert second["compiled"] == [], "the second process compiled again"

    z = 0.5
    sigmoid, tanh = lambda a: 1 / (1 + math.exp(-a)), math.tanh
    assert float(python(ONE_STEP, **environment)) == pytest.approx(sigmoid(z) * tanh(sigmoid(z) * tanh(z)), rel=1e-6)
    # A helper of another file than the kernels', which numba's own stamps do not see.
    with open(package / "numlstm" / "kernels" / "cpu" / "cells" / "activation.py", "a") as file:
        file.write("\n\n@njit\ndef sigmoid(x):\n    return tanh(x)\n")
    assert float(python(ONE_STEP, **environment)) == pytest.approx(tanh(z) * tanh(tanh(z) * tanh(z)), rel=1e-6)


def test_a_cache_folder_that_cannot_be_made(python, tmp_path):
    """Read-only homes exist: then everything is compiled anew, and works."""
    file = tmp_path / "file"
    file.write_text("")
    python(ONE_STEP, NUMBA_CACHE_DIR=file / "folder")


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
