"""What the GPU's memory can hold, with the driver played by the test."""

from __future__ import annotations

import importlib.util

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")

GIB = 2**30


@pytest.fixture
def memory(monkeypatch):
    """The module, on a GPU of 16 GiB: the driver has 2 of them free, 5 are with our pool, which uses 3."""
    from numlstm.kernels.cuda.runtime import device, memory

    answers = {
        "cuMemGetInfo": (2 * GIB, 16 * GIB),
        "CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT": 5 * GIB,
        "CU_MEMPOOL_ATTR_USED_MEM_CURRENT": 3 * GIB,
    }
    gpu = object.__new__(device.Device)
    gpu._pool = "the pool"

    def call(name, *arguments):
        if not arguments:
            return answers[name]
        assert (name, arguments[0]) == ("cuMemPoolGetAttribute", gpu._pool)
        return answers[arguments[1].name]

    monkeypatch.setattr(device, "call", call)
    monkeypatch.setattr(device, "device", lambda: gpu)
    monkeypatch.setattr(memory, "SIMULATED", False)
    return memory


def test_what_fits_is_let_through(memory):
    memory.require(4 * GIB, "a pass")
    memory.require(0, "a pass")


def test_what_does_not_fit_is_refused_with_the_numbers(memory):
    from numlstm.kernels.cuda.runtime.device import GPUError

    sentence = "a pass needs 4.5 GiB of the GPU's memory, where 4.0 GiB of 16.0 GiB are free"
    with pytest.raises(GPUError) as raised:
        memory.require(4 * GIB + GIB // 2, "a pass")
    assert str(raised.value) == sentence
