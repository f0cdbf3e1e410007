"""PyTorch as a peer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from numlstm.cli.bench.peers import Weights, reorder_gates, two_biases
from numlstm.cli.bench.sine_torch import Forecaster, fit
from numlstm.kernels import Cell

__all__ = ["Layer", "ctc", "stream", "trainer"]

_MODULES = {"lstm": (torch.nn.LSTM, "ifgo"), "gru": (torch.nn.GRU, "rzn"), "simple_rnn": (torch.nn.RNN, "h")}
"""By the cell's name: the module and the order of its gates."""


class Layer:
    """The module of the same cell. See `peers.Layer`."""

    def __init__(self, cell: Cell, weights: Weights, device: str, threads: int) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("the peer torch cannot use CUDA here: choose other --peers")
        torch.set_num_threads(threads)
        make, self._gates = _MODULES[cell.name]
        self._cell, self._device = cell, device
        self._module = make(cell.features, cell.units, batch_first=True).to(device)
        _set_weights(self._module, [reorder_gates(array, cell.gates, self._gates) for array in weights])

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Inference."""
        with torch.inference_mode():
            return self._module(torch.from_numpy(x).to(self._device))[0].cpu().numpy()

    def forward_backward(self, x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
        """[y, dx]."""
        self._module.zero_grad()
        given = torch.from_numpy(x).to(self._device).requires_grad_()
        y = self._module(given)[0]
        y.backward(torch.from_numpy(dy).to(self._device))
        return [array.detach().cpu().numpy() for array in (y, given.grad)]

    def gradients(self) -> list[np.ndarray]:
        """[dW, dU, db], with the gates in our order."""
        kernel, recurrent, *biases = (
            reorder_gates(parameter.grad.cpu().numpy().T, self._gates, self._cell.gates)
            for parameter in self._module.parameters()
        )
        return [kernel, recurrent, biases[0] if self._cell.biases == 1 else np.stack(biases)]


def trainer(weights: Weights, x: np.ndarray, y: np.ndarray, threads: int) -> Callable[[int, bool], float]:
    """See `peers.Peer`."""
    torch.set_num_threads(threads)
    model = _forecaster(weights)
    # Our layer has no second bias. Two biases would make their sum learn twice as fast.
    model.lstm.bias_hh_l0.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    return lambda epochs, shuffle: fit(model, optimizer, inputs, targets, epochs, shuffle)


def stream(weights: Weights, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """See `peers.Peer`."""
    torch.set_num_threads(threads)
    model = _forecaster(weights)
    state = None

    def push(x_t: np.ndarray) -> np.ndarray:
        nonlocal state
        with torch.inference_mode():
            y, state = model.lstm(torch.from_numpy(x_t)[None, None], state)
            return model.dense(y[0, 0]).numpy()

    return push


def ctc(y: np.ndarray, labels: np.ndarray, device: str, threads: int) -> Callable[[], list[np.ndarray]]:
    """See `peers.Peer`."""
    torch.set_num_threads(threads)
    # Time-major, as the function takes its input.
    logits = torch.from_numpy(y.transpose(1, 0, 2).copy()).to(device).requires_grad_()
    targets = torch.from_numpy(labels).to(device)
    steps, lengths = torch.full((len(y),), y.shape[1]), torch.full((len(y),), labels.shape[1])

    def run() -> list[np.ndarray]:
        logits.grad = None
        losses = torch.nn.functional.ctc_loss(logits.log_softmax(2), targets, steps, lengths, reduction="none")
        losses.mean().backward()
        return [losses.detach().sum().cpu().numpy(), logits.grad.cpu().numpy().transpose(1, 0, 2)]

    return run


def _forecaster(weights: Weights) -> Forecaster:
    model = Forecaster(weights[0].shape[0], weights[1].shape[0])
    _set_weights(model.lstm, weights[:3])
    with torch.no_grad():
        model.dense.weight.copy_(torch.from_numpy(weights[3].T))
        model.dense.bias.copy_(torch.from_numpy(weights[4]))
    return model


def _set_weights(module: torch.nn.RNNBase, weights: Weights) -> None:
    """Copy (W, U, b), with the gates in the module's order, into the module."""
    kernel, recurrent, bias = weights
    with torch.no_grad():
        for parameter, array in zip(module.parameters(), (kernel, recurrent, *two_biases(bias)), strict=True):
            parameter.copy_(torch.from_numpy(array.T))
