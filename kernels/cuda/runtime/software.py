"""NVIDIA's software on this machine, for reports of faults: versions, paths, and our memory pool."""

import contextlib
import re
from pathlib import Path

from numlstm.kernels.cuda.runtime import cache
from numlstm.kernels.cuda.runtime.device import SIMULATED, availability, device

__all__ = ["software"]

DRIVER_FILE = Path("/proc/driver/nvidia/version")
"""Where NVIDIA's driver on Linux says its version."""

_LIBRARIES = {"libNVVM": "nvvm", "NVRTC": "nvrtc", "nvJitLink": "nvJitLink", "cuBLAS": "cublas"}
"""The libraries that are loaded, by the names that users know."""


def software():
    """Describe what is there, as name and value. No GPU is needed; {} in the simulator, which uses none of it."""
    if SIMULATED:
        return {}
    found = {"driver module": _driver_module()} | _libraries()
    found["CUDA kernel cache"] = str(cache.folder() or "none: no folder can be written")
    if availability() is None:
        reserved, used = (f"{size / 2**30:.1f}" for size in device().pool())
        found["memory pool"] = f"{reserved} GiB reserved, {used} used"
    return found


def _driver_module():
    """The version of the driver itself. The driver's calls tell only which CUDA it supports."""
    with contextlib.suppress(OSError):
        match = re.search(r"\d+\.\d+(\.\d+)*", DRIVER_FILE.read_text(encoding="utf-8", errors="replace"))
        if match:
            return match[0]
    return f"unknown: {DRIVER_FILE} does not tell"


def _libraries():
    """The paths of NVIDIA's libraries. A machine may have several of each."""
    from cuda import pathfinder

    found = {}
    for name, library in _LIBRARIES.items():
        try:
            found[name] = pathfinder.load_nvidia_dynamic_lib(library).abs_path or "loaded, from an unknown path"
        except pathfinder.DynamicLibNotFoundError:
            found[name] = "none: it was not found"
    return found
