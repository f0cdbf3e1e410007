"""The dispatcher: choose the backend, and give the reason. The only file that names a kernels package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from numlstm import missing
from numlstm.kernels import Backend, Beams, DeviceError, RecurrentPlan, forks
from numlstm.messages import quoted

__all__ = [
    "DEVICES",
    "Backend",
    "Choice",
    "DeviceError",
    "beams",
    "choose",
    "cuda_software",
    "load",
    "name_of",
    "planner",
]

if not TYPE_CHECKING:  # Users of Keras import `backend as K`.
    __getattr__, __dir__ = missing.public("numlstm.backend", __all__)

DEVICES = ("auto", "cpu", "cuda")

_WORK_FOR_GPU = 2e8
"""Operations per training step above which a GPU is worth its kernel launch overhead. An estimate."""


@dataclass(frozen=True)
class Choice:
    """A backend, and the reason for it.

    backend: the module with the backend's functions
    name: "cpu" or "cuda"
    reason: the reason, in words
    """

    backend: Backend
    name: str
    reason: str


def choose(device: str = "auto", work: float = 0.0) -> Choice:
    """Choose the backend for a device.

    Args:
        device: "cpu", "cuda", or "auto": CUDA if a GPU can be used and the work is large enough, else the CPU.
        work: Floating-point operations per training step.

    Raises:
        ValueError: If `device` is another value.
        DeviceError: If the device cannot be used.
        ImportError: If numba is not installed.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(map(repr, DEVICES))}, not {quoted(device)}")
    if device == "cpu":
        return Choice(_load("cpu"), "cpu", "it was asked for")
    if device == "auto" and work < _WORK_FOR_GPU:
        return Choice(_load("cpu"), "cpu", f"a training step of {work:.2g} operations is too small to gain from a GPU")
    obstacle = _cuda_obstacle()
    if obstacle is None:
        reason = "it was asked for" if device == "cuda" else f"a training step has {work:.2g} operations"
        return Choice(_load("cuda"), "cuda", reason)
    if device == "cuda":
        raise DeviceError(f"device 'cuda' cannot be used: {obstacle}")
    return Choice(_load("cpu"), "cpu", f"a GPU cannot be used: {obstacle}")


def load(device: str = "auto") -> Backend:
    """Return the backend for a device. "auto" is the CPU, because the work is not known. Errors as for `choose`."""
    return choose(device).backend


def planner(gpu: str) -> tuple[Callable[..., RecurrentPlan], str]:
    """Return the CUDA backend's `recurrent_plan` for a GPU that need not be here, and a sentence on the GPU.

    Raises:
        ValueError: If the architecture `gpu`, such as "sm_90", is not known.
        DeviceError: If nothing can be compiled for it here.
    """
    device = forks.import_module("numlstm.kernels.cuda.runtime.device")
    if device.package_obstacle() is not None:
        raise DeviceError(f"no kernel can be compiled for {quoted(gpu)}: {device.package_obstacle()}")
    module = forks.import_module("numlstm.kernels.cuda.recurrence.named_plan")
    return cast("tuple[Callable[..., RecurrentPlan], str]", module.planner(gpu))


def cuda_software() -> dict[str, str]:
    """Describe NVIDIA's software on this machine, be there a GPU or not, as name and value. `numlstm info` prints it.

    It is {} where numlstm's CUDA packages are not installed.
    """
    if forks.import_module("numlstm.kernels.cuda.runtime.device").package_obstacle() is not None:
        return {}
    return cast("dict[str, str]", forks.import_module("numlstm.kernels.cuda.runtime.software").software())


def beams() -> Beams:
    """Return the functions of beam search. They run on the host, whatever the device of a model.

    Raises:
        ImportError: If numba is not installed.
    """
    return cast(Beams, _load("cpu.beams"))


def name_of(backend: Backend) -> str:
    """The backend's name, as in `metrics.json` and `numlstm info`: "cpu" or "cuda"."""
    return str(getattr(backend, "__name__", "")).rpartition(".")[2]


def _load(name: str) -> Backend:
    try:
        return cast(Backend, forks.import_module(f"numlstm.kernels.{name}"))
    except ModuleNotFoundError as error:
        if error.name not in ("numba", "llvmlite"):
            raise
        message = f"numlstm needs {error.name}, which is not installed: run `pip install -e .` in the clone's root"
        raise ImportError(message) from None


def _cuda_obstacle() -> str | None:
    """The reason why CUDA cannot be used; None if it can be used."""
    try:
        device = forks.import_module("numlstm.kernels.cuda.runtime.device")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("numlstm.kernels.cuda"):
            raise
        return "this version of numlstm has no CUDA kernels"
    return cast("str | None", device.availability())
