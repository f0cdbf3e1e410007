"""The command line on the CUDA twin in numba's simulator, which needs no GPU but a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

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
    assert "persistent" in metrics["kernel_name"]
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-5)
