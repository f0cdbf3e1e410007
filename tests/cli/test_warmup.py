"""Compiling ahead, and saying so when it happens in between."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from numlstm import backend
from numlstm.cli import main
from numlstm.tasks import task

TRAIN = """
import sys
import numpy as np
from numlstm import Sequential
from numlstm.layers import Dense

model = Sequential([Dense(1, input_shape=(2,))])
model.compile("sgd", "mse", verbose=int(sys.argv[1]))
model.fit(np.zeros((4, 2)), np.zeros(4), verbose=int(sys.argv[1]))
"""


@pytest.fixture
def run(tmp_path):
    """Runs Python with a cache of its own, empty at first; returns (stdout, stderr)."""

    def run(*arguments, **environment):
        changed = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")} | environment
        kept = {name: value for name, value in os.environ.items() if name not in changed}
        process = subprocess.run(
            [sys.executable, *arguments],
            env=kept | {name: value for name, value in changed.items() if value is not None},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout, process.stderr

    return run


def test_the_first_fit_says_that_it_compiles_and_the_second_has_nothing_to_say(run):
    assert run("-c", TRAIN, "2")[1].splitlines() == ["Compiling kernels, once: the next run finds them in the cache"]
    assert run("-c", TRAIN, "2")[1] == ""


def test_a_silent_fit_is_silent(run):
    assert run("-c", TRAIN, "0") == ("", "")


@pytest.mark.slow
def test_warmup_leaves_train_nothing_to_compile(run, tmp_path):
    first, _ = run("-m", "numlstm", "warmup")
    assert took_time(first, "lstm")
    assert "gru" not in first
    assert not took_time(run("-m", "numlstm", "warmup")[0], "")
    compiled = machine_code(tmp_path)
    output, errors = run("-m", "numlstm", "train", "--no-plot", "--out", "run")
    assert "saved in run" in output
    assert errors == ""
    assert machine_code(tmp_path) == compiled


@pytest.mark.parametrize("options", [[], ["--all"]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_warmup_compiles_for_the_dtype(monkeypatch, dtype, options):
    asked = []
    monkeypatch.setattr("numlstm.kernels.cpu.prepare", lambda functions, dtype: asked.append((*functions, dtype)))
    result = CliRunner().invoke(main, ["warmup", "--device", "cpu", "--dtype", dtype, *options])
    assert result.exit_code == 0, result.output
    wanted = backend.load("cpu").preparable() if options else task.kernels_used(task.DEFAULT)
    assert asked == [(name, dtype) for name in wanted]


@pytest.mark.parametrize("options", [[], ["--all"]])
def test_the_columns_of_warmup_line_up(monkeypatch, options):
    monkeypatch.setattr("numlstm.kernels.cpu.prepare", lambda functions, dtype: None)
    result = CliRunner().invoke(main, ["warmup", "--device", "cpu", *options])
    assert result.exit_code == 0, result.output
    *lines, _ = result.output.splitlines()
    assert len({line.rindex(" ready") for line in lines}) == 1


def machine_code(folder):
    """What the cache holds."""
    files = {path: path.stat().st_mtime_ns for path in (folder / "cache").rglob("*.nb[ic]")}
    assert files
    return files


def took_time(output, function):
    """Whether something of this name was compiled rather than found ready."""
    lines = [line for line in output.splitlines()[:-1] if function in line]
    assert lines
    return any(line.endswith(" s") for line in lines)


def test_a_live_line_is_erased_when_the_kernel_is_ready(monkeypatch, capsys):
    from numlstm.training.progress import Compilation

    class Kernels:
        def on_compile(self, listener):
            self.listener = listener

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    kernels = Kernels()
    with Compilation(kernels, verbose=1):
        kernels.listener("forward_steps", True)
        assert capsys.readouterr().err.endswith("Compiling kernels, once: 1 (forward_steps)")
        kernels.listener("forward_steps", False)
        assert capsys.readouterr().err == "\r\x1b[K"
    assert kernels.listener is None
