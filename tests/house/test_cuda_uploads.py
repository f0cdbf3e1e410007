"""Uploads read a page-locked copy, so that an array may be changed at once: the driver is played by the test."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from stand_in_driver import driven

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")


@pytest.fixture
def begun(monkeypatch):
    """Begin with a driver of these answers, and with slots of 64 bytes: (driver, module of uploads)."""
    from numlstm.kernels.cuda.runtime import device, upload

    def begin(**answers):
        driver = driven(monkeypatch, **answers)
        monkeypatch.setattr(upload, "_SLOT", 64)
        device.device()
        driver.calls.clear()
        return driver, upload

    return begin


def refilled(module, count=40):
    """Upload one host array again and again, with other contents each time: what must lie at each address."""
    random, host, expected = np.random.default_rng(0), np.zeros(200, np.uint8), {}
    for number in range(count):
        size = int(random.integers(1, 200))
        host[:size] = random.integers(0, 256, size)
        module.upload(1000 * number, host[:size])
        expected[1000 * number] = host[:size].tobytes()
    return expected


def found(driver, expected):
    """What lies at each address: copies of more than a slot come in parts."""
    driver.cuStreamSynchronize("stream")
    ends = sorted(driver.memory)
    return {
        address: b"".join(driver.memory[part] for part in ends if address <= part < address + len(content))
        for address, content in expected.items()
    }


def test_a_buffer_may_be_refilled_while_the_gpu_has_not_read_it(begun):
    driver, module = begun()
    expected = refilled(module)
    assert found(driver, expected) == expected
    assert driver.calls.count("cuMemHostAlloc") == 2


def test_without_the_wait_for_a_slot_it_would_be_read_too_late(begun, monkeypatch):
    driver, module = begun()
    monkeypatch.setattr(driver, "_marks", dict.fromkeys(["event 1", "event 2", "event 3", "event 4"], 0), raising=False)
    monkeypatch.setattr(type(driver), "_cuEventSynchronize", lambda self, event: (0,))
    expected = refilled(module)
    assert found(driver, expected) != expected


def test_small_uploads_are_one_call_each_until_a_slot_is_full(begun):
    driver, module = begun()
    for _ in range(8):
        module.upload(0, np.zeros(16, np.uint8))
    kinds = [name for name in driver.calls if name not in ("cuMemHostAlloc", "cuEventCreate")]
    assert kinds == ["cuMemcpyHtoDAsync"] * 4 + ["cuEventRecord"] + ["cuMemcpyHtoDAsync"] * 4


@pytest.mark.parametrize("answers", [{"cuMemHostAlloc": 2}, {"cuEventCreate": 2}], ids=str)
def test_where_memory_cannot_be_locked_an_upload_waits(begun, answers):
    driver, module = begun(**answers)
    expected = refilled(module, 5)
    assert driver.memory == expected
    assert driver.calls[-2:] == ["cuMemcpyHtoDAsync", "cuStreamSynchronize"]


def test_an_error_of_a_copy_is_told(begun):
    from numlstm.kernels.cuda.runtime.device import GPUError

    _, module = begun(cuMemcpyHtoDAsync=700)
    with pytest.raises(GPUError, match="the GPU failed in cuMemcpyHtoDAsync"):
        module.upload(0, np.zeros(16, np.uint8))
