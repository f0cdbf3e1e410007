"""Plans for GPUs that need not be here: the path follows from the architecture, and its kernels are compiled."""

import os
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from cuda_code import require_compiler

from numlstm import Sequential
from numlstm.cli import main
from numlstm.layers import GRU, LSTM, Dense, SimpleRNN
from numlstm.plan import plan_layer

KERNEL = r"(\d+) threads of (\d+) registers, no spills, [\d.]+ KB of shared memory a block"
compiled = pytest.mark.usefixtures("compiler")


@pytest.fixture
def compiler():
    require_compiler()


def numlstm(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm")


@compiled
@pytest.mark.parametrize(
    ("gpu", "shape", "path"),
    [
        ("sm_90", (32, 10, 1, 50), "persistent blocks of 1 row"),
        ("sm_90", (200, 10, 1, 50), "persistent blocks of 2 rows"),
        ("sm_80", (400, 10, 1, 50), "persistent blocks of 4 rows"),
        ("sm_90", (4, 10, 3, 128), "persistent blocks of 1 row"),
        ("sm_86", (4, 10, 3, 128), "step by step"),
        ("sm_90", (4, 10, 3, 129), "step by step"),
    ],
)
def test_the_path_follows_from_the_architecture(gpu, shape, path):
    plan = plan_layer(*shape, gpu=gpu)
    (layer,) = plan.layers
    assert (plan.backend, layer.kernel_name, layer.shape) == ("cuda", path, shape)
    assert list(layer.code) == ["forward", "backward"] + ["h' U", "dz Uᵀ"] * (path == "step by step")
    for taken in layer.code.values():
        threads, registers = map(int, re.match(KERNEL, taken).groups())
        assert threads * registers <= 65536


@compiled
@pytest.mark.parametrize("layer", [LSTM(20, recurrent_dropout=0.1), GRU(20), SimpleRNN(20)], ids=["lstm", "gru", "rnn"])
def test_a_layer_is_planned_with_the_kernels_of_its_cell_and_options(layer):
    model = Sequential([layer, Dense(1)])
    model.build((None, 6, 3))
    (planned,) = model.plan(8, gpu="sm_90").layers
    assert planned.kernel_name.endswith("with options") == (layer.recurrent_dropout > 0)
    assert all(re.match(KERNEL, taken) for taken in planned.code.values())


@compiled
@pytest.mark.parametrize(
    ("layer", "rows", "forward", "backward"),
    [
        (LSTM(256), 64, "256 blocks of 16 × 16 numbers", "64 blocks of 16 × 16 numbers"),
        (LSTM(512), 64, "128 blocks of 32 × 32 numbers", "128 blocks of 16 × 16 numbers"),
        (LSTM(512), 512, "256 blocks of 64 × 64 numbers", "256 blocks of 32 × 32 numbers"),
        (GRU(256), 65, "240 blocks of 16 × 16 numbers", "80 blocks of 16 × 16 numbers"),
        (SimpleRNN(10), 1, "1 block of 16 × 16 numbers", "1 block of 16 × 16 numbers"),
    ],
    ids=["lstm", "more units", "more rows", "gru", "rnn"],
)
def test_a_step_tells_how_its_products_are_divided(layer, rows, forward, backward):
    """Fewer numbers are divided into smaller tiles, so that more multiprocessors have some."""
    model = Sequential([layer, Dense(1)])
    model.build((None, 6, 3))
    (planned,) = model.plan(rows, gpu="sm_90").layers
    for what, blocks in (("h' U", forward), ("dz Uᵀ", backward)):
        assert planned.code[what].endswith(f", {blocks} a step on 132 multiprocessors")


@compiled
def test_the_command_tells_of_the_gpu_and_of_each_kernel():
    result = numlstm("plan", "--shape", "64,100,64,128", "--gpu", "sm_90")
    assert result.exit_code == 0, result.output
    first, layer, forward, backward, memory = result.stdout.splitlines()
    assert first == "backend      cuda: for sm_90, with the 132 multiprocessors of the H100 SXM"
    assert layer.startswith("lstm         persistent blocks of 1 row (B 64, T 100, F 64, H 128): ")
    assert re.fullmatch(f"  forward    {KERNEL}", forward)
    assert re.fullmatch(f"  backward   {KERNEL}", backward)
    assert memory.startswith("memory ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gpu", "sm_91"], "the GPU must be one of sm_75 (T4), sm_80 (A100), "),
        (["--gpu", ""], "not ''"),
        (["--gpu", "sm_90", "--device", "cpu"], "a GPU is named, but the device is the CPU: leave one of them out"),
    ],
)
def test_what_cannot_be_planned_is_refused(options, message):
    result = numlstm("plan", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_simulator_compiles_nothing():
    command = [sys.executable, "-m", "numlstm", "plan", "--gpu", "sm_90"]
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: no kernel can be compiled for sm_90: numba's CUDA simulator is on")
