"""The CUDA twin in numba's simulator, which needs no GPU but a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("cuda_cases.py")


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
def test_all_cases():
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--durations=5", "-p", "no:cacheprovider", str(CASES)],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert process.returncode == 0, process.stdout[-20000:] + process.stderr[-5000:]
