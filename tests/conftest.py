"""What all tests share: the backends, the dtypes, and what counts as equal."""

from __future__ import annotations

import gc
import importlib
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import simulated

# Before anybody imports the kernels: each call compares its arguments with the kernel's signature. Not so in tests'
# processes of their own, which call kernels as users' do. Who sets it to 1 has the kernels check their indices too.
os.environ.setdefault("NUMLSTM_CHECKED", "types")
# PyTorch's threads would spin for each other, on cores that other workers need.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Tests send these signals to themselves and to processes that they start. nohup and background jobs ignore them, and
# a process that is started inherits that.
for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)


def backends():
    """The CPU, and CUDA where a GPU can be used; in the simulator CUDA has tests of its own, at its own sizes."""
    try:
        gpu = importlib.import_module("numlstm.kernels.cuda.runtime.device")
    except ImportError:
        return ["cpu"]  # pytest_configure says what is wrong.
    return ["cpu"] if gpu.SIMULATED or gpu.availability() is not None else ["cpu", "cuda"]


BACKENDS = backends()


def pytest_configure(config):
    try:
        importlib.import_module("numlstm.kernels")
    except ImportError as error:
        raise pytest.UsageError(
            'numlstm is not installed in this Python: run `pip install -e ".[test]"` in the root of the clone, then '
            f"`pytest` again ({error})"
        ) from None
    simulated.register(config, gpu="cuda" in BACKENDS)


def pytest_collection_finish(session):
    """Keep the collected tests out of garbage collections: numba's compiler causes many, and none would find any."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.gpu if name == "cuda" else ()) for name in BACKENDS])
def backend(request):
    """The functions of `numlstm.kernels.Backend`, of one backend after the other."""
    return importlib.import_module(f"numlstm.kernels.{request.param}")


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def assert_close():
    """A check of max|a - b| / max(1, max|b|) against a bound that follows from the arithmetic.

    length: how many products one number of the result sums up, over all time steps
    factor: how many such sums follow on each other

    The bound is oneDNN's: rounding errors of a sum grow with the depth of its tree, log2(length), times eps. Where
    products are rounded before they are added, that is one more level.
    """
    from numlstm.kernels.cpu.runtime.target import target

    level = 0 if target().fused else 1

    def check(actual, expected, dtype, length, factor=4, what=""):
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape, f"{what}: {actual.shape} instead of {expected.shape}"
        assert actual.dtype == dtype, f"{what}: {actual.dtype} instead of {dtype}"
        if expected.size == 0:
            return
        error = np.abs(actual.astype(np.float64) - expected).max() / max(1.0, np.abs(expected).max())
        bound = factor * (math.ceil(math.log2(max(length, 2))) + level) * np.finfo(dtype).eps
        # `not <=` and never `>`, so that NaN fails.
        if not error <= bound:
            where = np.unravel_index(np.nanargmax(np.abs(actual - expected)), expected.shape)
            raise AssertionError(f"{what}: error {error:.3g} over the bound {bound:.3g}, worst at {where}")

    return check


@pytest.fixture
def python(tmp_path):
    """Runs a script in a Python of its own and returns what it printed; whatever kills the process fails the test."""

    def run(*script, timeout=120, **environment):
        """The script comes in parts; the environment is this one with some variables changed, None for unset."""
        changed = {"NUMBA_NUM_THREADS": None, "NUMBA_THREADING_LAYER": None, "NUMLSTM_CHECKED": None}
        changed |= environment
        kept = {name: value for name, value in os.environ.items() if name not in changed}
        process = subprocess.run(
            [sys.executable, "-c", "".join(script)],
            env=kept | {name: str(value) for name, value in changed.items() if value is not None},
            # Elsewhere: Python would put the root of the clone before everything on its path.
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert process.returncode == 0, f"exit code {process.returncode}\n{process.stdout}\n{process.stderr}"
        return process.stdout

    return run
