"""The CUDA twin in numba's simulator, which needs no GPU but a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parents[1] / "simulator"


pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")


def test_the_command_line_gives_the_losses_of_the_cpu(tmp_path):
    losses = {}
    for device in ("cpu", "cuda"):
        command = ["train", "--samples", "40", "--units", "4", "--epochs", "1", "--device", device, "--out", device]
        subprocess.run(
            [sys.executable, "-m", "numlstm", *command, "--no-plot", "--quiet"],
            env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
            cwd=tmp_path,
            check=True,
            timeout=300,
        )
        metrics = json.loads((tmp_path / device / "metrics.json").read_text())
        assert metrics["backend"] == device
        losses[device] = metrics["loss"]
    assert "persistent" in metrics["kernel_path"]
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-5)


@pytest.mark.parametrize(
    "mode",
    [
        ["kernels", "--shape", "2,2,1,3", "--peers", "none"],
        ["options", "--shape", "1,2,1,2"],
        ["train", "--units", "3", "--samples", "14", "--epochs", "1", "--peers", "none"],
        ["stream", "--units", "3", "--peers", "none"],
    ],
    ids=lambda mode: mode[0],
)
def test_the_benchmarks_run(tmp_path, mode):
    command = ["bench", *mode, "--rounds", "1", "--device", "cuda", "--json", "out.json"]
    subprocess.run(
        [sys.executable, "-m", "numlstm", *command],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cwd=tmp_path,
        check=True,
        timeout=300,
    )
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert all(row["numlstm"]["median"] > 0 for row in rows)
    assert len(rows) == {"kernels": 2, "options": 13, "train": 1, "stream": 2}[mode[0]]


def test_all_cases():
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--durations=5", "-p", "no:cacheprovider", str(CASES)],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert process.returncode == 0, process.stdout[-20000:] + process.stderr[-5000:]
