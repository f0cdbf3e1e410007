"""numlstm: an LSTM engine in Python on Numba."""

try:
    from numlstm import starting

    starting.begin()

    import numpy  # noqa: F401

    import numlstm.kernels  # noqa: F401 - lies in another folder; the installation maps it here
except ModuleNotFoundError as error:
    absent = "numlstm" if error.name == "numlstm.kernels" else error.name
    message = f"{absent} is not installed here: run `pip install -e .` in the root of the numlstm clone first"
    raise ImportError(message) from None

from typing import TYPE_CHECKING

from numlstm import callbacks, copies, initializers, layers, losses, metrics, models, optimizers, regularizers, utils
from numlstm.layers.input import Input
from numlstm.missing import explain_imports, public
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
    "models",
    "optimizers",
    "regularizers",
    "schedules",
    "set_seed",
    "utils",
]


def _version() -> str:
    from importlib.metadata import version

    return version("numlstm")


__version__: str
"""The version that is installed."""

copies.register()
explain_imports()

if not TYPE_CHECKING:
    __getattr__, __dir__ = public("numlstm", __all__, {"__version__": _version})
