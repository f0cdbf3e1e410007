"""The dispatcher: which kernels run, and why. The only file that names a kernels package."""

from __future__ import annotations

import importlib
from typing import cast

from numlstm.kernels import Backend

__all__ = ["DEVICES", "Backend", "DeviceError", "load", "name_of"]

DEVICES = ("auto", "cpu", "cuda")


class DeviceError(RuntimeError):
    """The device that was asked for cannot be used here."""


def load(device: str = "auto") -> Backend:
    """Return the backend for a device.

    Args:
        device: "cpu", "cuda", or "auto", which takes the CPU.

    Raises:
        ValueError: If the device is none of the three.
        DeviceError: If the device cannot be used.
        ImportError: If numba is not installed.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(map(repr, DEVICES))}, not {device!r}")
    if device == "cuda":
        raise DeviceError("device 'cuda' cannot be used: this version of numlstm has no CUDA kernels")
    try:
        return cast(Backend, importlib.import_module("numlstm.kernels.cpu"))
    except ModuleNotFoundError as error:
        if error.name not in ("numba", "llvmlite"):
            raise
        message = f"numlstm needs {error.name}, which is not installed: run `pip install -e .` in the clone's root"
        raise ImportError(message) from None


def name_of(backend: Backend) -> str:
    """The backend's name, as `metrics.json` and `numlstm info` give it: "cpu" or "cuda"."""
    return str(getattr(backend, "__name__", "")).rpartition(".")[2]
