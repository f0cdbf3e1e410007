"""The state in which kernels are compiled: with checks of their indices, without interruption, or not at all."""

from __future__ import annotations

import importlib.util

import pytest

BEYOND = """
import numpy as np
import numlstm.kernels.cpu
from numlstm.kernels.cpu.runtime.launch import kernel
from numlstm.kernels.cpu.runtime.vector import load, load_part, store

@kernel("real1C int")
def _elements(x, at):
    x[at] = 1.0

@kernel("real1A int")
def _vectors(x, at):
    store(x, at, load(x, at))

@kernel("real2A int")
def _parts(x, at):
    store(x, 0, load_part(x, at, 3))

def refused(kernel, x, at):
    try:
        kernel[x.dtype](x, at)
    except IndexError:
        return True
    return False

x = np.zeros((5, 16), "float32")
flat = x.reshape(-1)
"""

INSIDE = """
assert [refused(_elements, flat, at) for at in (0, 79)] == [False] * 2
assert [refused(_vectors, flat, at) for at in (0, 3, 64)] == [False] * 3
assert [refused(_vectors, flat[::-1], at) for at in (-79, -15)] == [False] * 2
assert [refused(_parts, x, at) for at in (0, 77)] == [False] * 2
assert [refused(_parts, x[::-1], at) for at in (-64, 13)] == [False] * 2
"""

OUTSIDE = """
assert [refused(_elements, flat, at) for at in (80, 10**9)] == [True] * 2
assert [refused(_vectors, flat, at) for at in (-1, 65, 10**9)] == [True] * 3
assert [refused(_vectors, flat[::-1], at) for at in (-80, 0)] == [True] * 2
assert [refused(_parts, x, at) for at in (-1, 78)] == [True] * 2
assert refused(_vectors, flat[:0], 0)
"""


def test_kernels_check_their_indices_where_it_is_asked_for(python):
    python(BEYOND, INSIDE, OUTSIDE, NUMLSTM_CHECKED=1)
    python(BEYOND, INSIDE)


def test_a_product_checks_its_matrices(python):
    """The caller of a linked kernel, which gets addresses only."""
    script = """
from numlstm.kernels.cpu.products.matmul import MATMUL, add_product

@kernel("real2C int real1C real2C", uses=MATMUL)
def _multiply(a, rows, b, c):
    add_product(a, 0, a.shape[1], 0, 1, b, 0, c, 0, c.shape[1], 1, a.shape[1], rows, False)

width = 64 // 4
a, b, c = np.ones((3, 5), "float32"), np.ones(5 * width, "float32"), np.zeros((3, width), "float32")
_multiply["float32"](a, 3, b, c)
assert (c == 5).all()
for wrong in ((a, 4, b, c), (a, 3, b[1:], c), (a, 3, b, c[:2])):
    try:
        _multiply["float32"](*wrong)
    except IndexError:
        continue
    raise AssertionError
"""
    python(BEYOND, script, NUMLSTM_CHECKED=1)


def test_a_wrong_index_in_a_thread_ends_the_process(python):
    script = """
import os
from numlstm.kernels.cpu.runtime.launch import part_of

@kernel("real1C int int int")
def _shared(x, at, chunk, chunks):
    begin, end = part_of(4, chunk, chunks)
    for k in range(begin, end):
        x[at + k] = 1.0

_shared.share("float32", 2, flat, 0)
_shared.share("float32", 2, flat, 76)
child = os.fork()
if child == 0:
    _shared.share("float32", 2, flat, 77)
    os._exit(0)
assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
"""
    python(BEYOND, script, NUMLSTM_CHECKED=1, NUMBA_NUM_THREADS=2)


def test_ctrl_c_waits_until_a_kernel_is_compiled(python):
    """Between two steps of LLVM, an exception would leave it in a state in which it crashes later."""
    script = """
import os, signal
import numpy as np
import numlstm.kernels.cpu as cpu

heard = []

def interrupt(name, begins):
    if begins and not heard:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    heard.append(begins)

cpu.on_compile(interrupt)
x = np.ones((2, 3), "float32")
handler = signal.getsignal(signal.SIGINT)
try:
    cpu.softmax(x, x)
except KeyboardInterrupt:
    heard.append("interrupted")
assert heard[:3] == [True, False, "interrupted"], heard
assert signal.getsignal(signal.SIGINT) is handler
cpu.softmax(x, x)
"""
    python(script, NUMBA_CACHE_DIR="cache")


@pytest.mark.parametrize("command", [["info"], ["train", "--epochs", "1", "--quiet"]], ids=lambda command: command[0])
def test_a_compiler_that_is_off(python, command):
    script = f"""
import contextlib, io
import numpy as np
from numlstm.cli import main
from numlstm.kernels import DeviceError
from numlstm.layers import LSTM

sentence = "the kernels need numba's compiler, which NUMBA_DISABLE_JIT turns off: unset it"
for _ in range(2):
    try:
        LSTM(3)(np.ones((1, 2, 3)))
    except DeviceError as error:
        assert str(error) == sentence
    else:
        raise AssertionError
printed = io.StringIO()
with contextlib.redirect_stderr(printed):
    try:
        main({command})
    except SystemExit as end:
        assert end.code == 2
assert printed.getvalue() == f"Error: {{sentence}}\\n", printed.getvalue()
"""
    python(script, NUMBA_DISABLE_JIT=1)


@pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
def test_numba_cuda_that_is_not_active(python):
    """As on a PYTHONPATH, where Python reads no .pth files: numba.cuda is numba's own, which is another one."""
    script = """
import sys

sys.meta_path = [finder for finder in sys.meta_path if "numba_cuda" not in type(finder).__module__]

from numlstm import backend
from numlstm.cli import main

assert backend.choose("auto", 1e12).name == "cpu"
assert "numba-cuda is not active" in backend.choose("auto", 1e12).reason
try:
    backend.choose("cuda")
except backend.DeviceError as error:
    assert "numba-cuda is not active" in str(error)
for command in (["info"], ["plan", "--shape", "64,100,64,256"]):
    try:
        main(command)
    except SystemExit as end:
        assert not end.code
"""
    assert "numba-cuda is not active" in python(script)
