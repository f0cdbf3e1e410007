"""PyTorch as a peer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from numlstm.cli.bench.peers import Weights
from numlstm.cli.bench.sine_torch import Forecaster, fit

__all__ = ["Layer", "stream", "trainer"]


class Layer:
    """`torch.nn.LSTM`. See `peers.Layer`."""

    def __init__(self, weights: Weights, device: str, threads: int) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("the peer torch cannot use CUDA here: choose other --peers")
        torch.set_num_threads(threads)
        kernel, recurrent, _ = weights
        self._device = device
        self._lstm = torch.nn.LSTM(kernel.shape[0], recurrent.shape[0], batch_first=True).to(device)
        _set_lstm(self._lstm, weights)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Inference."""
        with torch.inference_mode():
            return self._lstm(torch.from_numpy(x).to(self._device))[0].cpu().numpy()

    def forward_backward(self, x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
        """[y, dx, dW, dU, db]."""
        lstm = self._lstm
        lstm.zero_grad()
        given = torch.from_numpy(x).to(self._device).requires_grad_()
        y = lstm(given)[0]
        y.backward(torch.from_numpy(dy).to(self._device))
        gradients = given.grad, lstm.weight_ih_l0.grad.T, lstm.weight_hh_l0.grad.T, lstm.bias_ih_l0.grad
        return [array.detach().cpu().numpy() for array in (y, *gradients)]


def trainer(weights: Weights, x: np.ndarray, y: np.ndarray, threads: int) -> Callable[[int, bool], float]:
    """See `peers.Peer`."""
    torch.set_num_threads(threads)
    model = _forecaster(weights)
    # The second bias, which ours does not have, would make the first learn twice as fast.
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


def _forecaster(weights: Weights) -> Forecaster:
    model = Forecaster(weights[0].shape[0], weights[1].shape[0])
    _set_lstm(model.lstm, weights[:3])
    with torch.no_grad():
        model.dense.weight.copy_(torch.from_numpy(weights[3].T))
        model.dense.bias.copy_(torch.from_numpy(weights[4]))
    return model


def _set_lstm(lstm: torch.nn.LSTM, weights: Weights) -> None:
    kernel, recurrent, bias = (torch.from_numpy(array) for array in weights)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(kernel.T)
        lstm.weight_hh_l0.copy_(recurrent.T)
        lstm.bias_ih_l0.copy_(bias)
        lstm.bias_hh_l0.zero_()
