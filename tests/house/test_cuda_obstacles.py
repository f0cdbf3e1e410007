"""What can be wrong with a GPU, its driver or its compiler, with the driver played by the test: one sentence each."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from stand_in_driver import StandIn

import numlstm
from numlstm import backend
from numlstm.cli import main

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")


@pytest.fixture
def drive(monkeypatch):
    """Put a driver with these answers in the place of NVIDIA's. Skips the test without NVIDIA's compiler."""
    from cuda_code import require_compiler

    from numlstm.kernels.cuda.runtime import device

    require_compiler()

    def install(opened=None, **answers):
        driver = StandIn(**answers)
        monkeypatch.setattr(device, "_driver", lambda: driver)
        monkeypatch.setattr(device, "_opened", opened)
        return device, driver

    return install


class Opened:
    context = "our context"

    def enter(self):
        pass


BAD = {
    "an old driver": (
        {"cuDriverGetVersion": (12040,)},
        "the NVIDIA driver supports CUDA 12.4, but the compiler that is installed makes code for CUDA 13: update the "
        'driver, or install the compiler of that version, as by `pip install "numlstm[cuda12]"`',
    ),
    "an old GPU": (
        {"COMPUTE_CAPABILITY_MAJOR": 6, "COMPUTE_CAPABILITY_MINOR": 1},
        "the GPU Some GPU has compute capability 6.1, but the compiler of CUDA 13 begins with 7.5: run `pip install "
        '"numlstm[cuda12]"`, or compute on the CPU',
    ),
    "no memory pools": (
        {"MEMORY_POOLS_SUPPORTED": 0},
        "the GPU Some GPU has no memory pools, as some virtual GPUs have none: compute on the CPU",
    ),
    "no GPU": ({"cuDeviceGetCount": (0,)}, "the NVIDIA driver found no GPU"),
}


@pytest.mark.parametrize(("answers", "sentence"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_a_sentence_and_auto_goes_on_on_the_cpu(drive, answers, sentence):
    device, _ = drive(**answers)
    assert device.availability() == sentence
    with pytest.raises(device.GPUError) as raised:
        device.device()
    assert str(raised.value) == sentence
    chosen = backend.choose("auto", 1e15)
    assert (chosen.name, chosen.reason) == ("cpu", f"a GPU cannot be used: {sentence}")
    with pytest.raises(numlstm.backend.DeviceError, match=r"^device 'cuda' cannot be used: "):
        backend.choose("cuda")


def test_nothing_is_wrong_with_a_gpu_that_has_all(drive):
    device, _ = drive()
    assert device.availability() is None


def test_a_context_that_another_library_has_taken_is_set_again(drive):
    device, driver = drive(opened=Opened(), cuMemGetInfo=201)
    real = driver.cuCtxSetCurrent

    def back(context):
        assert context == Opened.context
        driver.answers["cuMemGetInfo"] = (1, 2)
        return real(context)

    driver.cuCtxSetCurrent = back
    assert device.call("cuMemGetInfo") == (1, 2)
    assert driver.calls == ["cuMemGetInfo", "cuCtxSetCurrent", "cuMemGetInfo"]


def test_a_context_that_cannot_be_set_again_is_an_error(drive):
    device, driver = drive(opened=Opened(), cuMemGetInfo=201)
    with pytest.raises(device.GPUError, match=r"^the GPU failed in cuMemGetInfo: a reason$"):
        device.call("cuMemGetInfo")
    assert driver.calls.count("cuMemGetInfo") == 2


def test_a_gpu_that_was_reset_is_a_sentence(drive):
    device, _ = drive(opened=Opened(), cuMemGetInfo=709)
    with pytest.raises(device.GPUError, match=r"^another library has reset the GPU, .*: start Python anew$"):
        device.call("cuMemGetInfo")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("used", [False, True])
def test_a_forked_process_does_not_use_the_gpu_of_its_parent(drive, used):
    device, _ = drive(opened=Opened() if used else None, cuMemGetInfo=3)
    child = os.fork()
    if not child:
        right = False
        try:
            sentence = device._AFTER_FORK if used else None
            right = device.availability() == sentence
            try:
                device.call("cuMemGetInfo")
            except device.GPUError as error:
                right &= str(error) == (sentence or "the GPU failed in cuMemGetInfo: a reason")
            right &= backend.choose("auto", 1e15).name == ("cpu" if used else "cuda")
        finally:
            os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert device.availability() is None


def test_what_a_report_of_a_fault_needs_is_described(drive):
    from numlstm.kernels.cuda.runtime import memory

    drive()
    said = memory.describe()
    assert said["GPU"] == "Some GPU"
    assert (said["compute capability"], said["driver"], said["multiprocessors"]) == ("9.0", "CUDA 13.0", "132")
    assert said["compiler"].startswith("CUDA 13.")
    assert said["shared memory"] == "227 KiB a block"
    assert said["memory"] == "32.0 GiB, 16.0 free"


def facts(text):
    """What `numlstm info` prints, by name."""
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in text.splitlines())


def test_info_tells_all_that_a_report_needs(drive, monkeypatch, tmp_path):
    from numlstm.kernels.cuda.runtime import cache, software

    drive()
    monkeypatch.setattr(software, "DRIVER_FILE", tmp_path / "version")
    software.DRIVER_FILE.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 2025\n")
    result = CliRunner().invoke(main, ["info"])
    assert result.exit_code == 0, result.output
    said = facts(result.stdout)
    assert (said["GPU"], said["compute capability"], said["driver"]) == ("Some GPU", "9.0", "CUDA 13.0")
    assert said["driver module"] == "580.65.06"
    assert said["memory pool"] == "0.0 GiB reserved, 0.0 used"
    assert said["CUDA kernel cache"] == str(cache.folder())
    assert said["kernel cache"] == backend.load("cpu").describe()["kernel cache"]
    for library in ("libNVVM", "NVRTC", "nvJitLink"):
        assert Path(said[library]).is_absolute(), library
    assert "cuBLAS" in said
    assert said["numba-cuda"] == importlib.metadata.version("numba-cuda")


def test_info_tells_of_the_software_without_a_gpu_too(drive, monkeypatch, tmp_path):
    from numlstm.kernels.cuda.runtime import software

    drive(cuDeviceGetCount=(0,))
    monkeypatch.setattr(software, "DRIVER_FILE", tmp_path / "none")
    said = facts(CliRunner().invoke(main, ["info"]).stdout)
    assert said["gpu"] == "none: device 'cuda' cannot be used: the NVIDIA driver found no GPU"
    assert said["driver module"].startswith("unknown: ")
    assert Path(said["nvJitLink"]).is_absolute()
    assert "memory pool" not in said
