"""numlstm: an LSTM engine in Python on Numba."""

try:
    from numlstm import starting

    starting.begin()

    import numpy  # noqa: F401

    import numlstm.kernels  # noqa: F401 - lies in another folder; the installation maps it here
except ModuleNotFoundError as error:
    missing = "numlstm" if error.name == "numlstm.kernels" else error.name
    message = f"{missing} is not installed here: run `pip install -e .` in the root of the numlstm clone first"
    raise ImportError(message) from None

from typing import Any

from numlstm import callbacks, initializers, layers, losses, metrics, optimizers, regularizers, utils
from numlstm.layers.input import Input
from numlstm.model import Model, Sequential, load_model
from numlstm.optimizers import schedules
from numlstm.seeds import set_seed

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "__version__",
    "callbacks",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
    "schedules",
    "set_seed",
    "utils",
]


__version__: str
"""The version that is installed."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("numlstm")
    raise AttributeError(f"module 'numlstm' has no attribute {name!r}")
