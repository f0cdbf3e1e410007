"""The frameworks to compare with, and the functions that each must have."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from numlstm.kernels import Cell

__all__ = ["PEERS", "Layer", "Peer", "Weights", "load", "reorder_gates", "two_biases", "versions"]

PEERS = {"torch": ("torch",), "onnxruntime": ("onnxruntime", "onnx"), "keras": ("keras", "tensorflow")}
"""The peers, and the packages that each needs."""

Weights = list[np.ndarray]


class Layer(Protocol):
    """A recurrent layer that returns all outputs. Arrays are NumPy's, batch-major and float32, in and out."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Inference."""

    def forward_backward(self, x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
        """Return [y, dx]. As in our layer, the weights' gradients stay where they were computed."""

    def gradients(self) -> list[np.ndarray]:
        """Return [dW, dU, db] of the last `forward_backward`, in our layout."""


class Peer:
    """The functions of the module `peer_NAME`; None for those that it does not have.

    layer: takes a cell, its (W, U, b), the device and the number of threads; returns a `Layer`
    trains: whether `Layer` has `forward_backward`
    trainer: takes weights of LSTM and Dense, x (N, T, F), y (N, 1) and threads; returns a function of epochs and
        shuffle that continues to train with Adam in batches of 32, and returns the mean loss of the last epoch
    stream: takes weights of LSTM and Dense, and threads; returns a function of x_t (F,) that runs one step and returns
        y (N,)
    ctc: takes logits (B, T, V), labels (B, L), the device and threads; returns a function without parameters that
        returns the sum of the losses and the gradient of their mean
    library: takes threads; returns the module that the examples import, with the names of Keras
    script: the path of the script of the whole sine job
    translator: that of the script that trains a translator, as `translate_torch.py` does
    """

    def __init__(self, name: str) -> None:
        module = importlib.import_module(f"numlstm.cli.bench.peer_{name}")
        self.layer: Callable[[Cell, Weights, str, int], Layer] = module.Layer
        self.trains = hasattr(module.Layer, "forward_backward")
        self.trainer: Callable[..., Callable[[int, bool], float]] | None = getattr(module, "trainer", None)
        self.stream: Callable[..., Callable[[np.ndarray], np.ndarray]] | None = getattr(module, "stream", None)
        self.ctc: Callable[..., Callable[[], list[np.ndarray]]] | None = getattr(module, "ctc", None)
        self.library: Callable[[int], ModuleType] | None = getattr(module, "library", None)
        self.script, self.translator = (_script(f"{job}_{name}.py") for job in ("sine", "translate"))


def load(names: Sequence[str] | None) -> dict[str, Peer]:
    """Return the peers of these names; None: those that are installed.

    Raises:
        ValueError: If one is unknown or not installed.
    """
    found: dict[str, Peer] = {}
    for name in PEERS if names is None else names:
        if name not in PEERS:
            raise ValueError(f"peers are {', '.join(PEERS)}, not {name!r}")
        missing = [package for package in PEERS[name] if find_spec(package) is None]
        if missing and names is not None:
            raise ValueError(f"the peer {name} needs {' and '.join(missing)}, not installed here")
        if not missing:
            found[name] = Peer(name)
    return found


def _script(name: str) -> Path | None:
    path = Path(__file__).with_name(name)
    return path if path.exists() else None


def reorder_gates(array: np.ndarray, order: str, wanted: str) -> np.ndarray:
    """Reorder the gates' blocks of columns.

    array: [..., GH]
    order: a letter for each block, as in `Cell.gates`
    wanted: the same letters in the order of the result
    """
    blocks = dict(zip(order, np.split(array, len(order), axis=-1), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted], axis=-1)


def two_biases(bias: np.ndarray) -> np.ndarray:
    """Return the biases of W and of U, [2, GH]. A single bias [GH] is that of W."""
    return bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])


def versions(names: Sequence[str]) -> dict[str, str]:
    """Return the version of each package of these peers."""
    distributions = packages_distributions()
    return {package: version(distributions[package][0]) for name in names for package in PEERS[name]}
