"""`numlstm bench train`: the fit of the sine job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numba
import numpy as np

from numlstm import Sequential, checks
from numlstm.cli.bench.measure import Row, by_turns, require_agreement
from numlstm.cli.bench.peers import Peer, Weights
from numlstm.layers import LSTM, Dense

__all__ = ["measure"]

_TOLERANCE = 1e-3  # Of the loss: the frameworks' Adams add epsilon in different places.


def measure(
    peers: Mapping[str, Peer], device: str, rounds: int, units: int, samples: int, epochs: int
) -> Iterator[Row]:
    """Yield one row: `epochs` epochs over a series of `samples` numbers. Errors as for `kernels.measure`."""
    # The series, windows of ten numbers, and targets.
    checks.fits(68 * samples, f"a series of {samples} numbers")
    series = np.sin(np.linspace(0, 50, samples)) + np.random.default_rng(0).normal(0, 0.1, samples)
    x = np.lib.stride_tricks.sliding_window_view(series, 10)[:-1, :, None].astype(np.float32)
    y = series[10:, None].astype(np.float32)
    weights = Sequential([LSTM(units, input_shape=(10, 1)), Dense(1)]).get_weights()
    fits = {"numlstm": _trainer(weights, x, y, device)} | {
        name: peer.trainer(weights, x, y, numba.get_num_threads()) for name, peer in peers.items() if peer.trainer
    }
    losses = {name: fit(2, False) for name, fit in fits.items()}
    ours = losses.pop("numlstm")
    name = "the sine job's fit"
    # The error is relative to the loss, which is far below one.
    error = {peer: require_agreement(name, peer, [1.0], [loss / ours], _TOLERANCE) for peer, loss in losses.items()}
    times = by_turns({name: partial(fit, epochs, True) for name, fit in fits.items()}, rounds)
    yield Row(name, times.pop("numlstm"), times, error=error)


def _trainer(weights: Weights, x: np.ndarray, y: np.ndarray, device: str) -> Callable[[int, bool], float]:
    """The counterpart of `peers.Peer.trainer`."""
    model = Sequential([LSTM(weights[1].shape[0], input_shape=(10, 1)), Dense(1)])
    model.set_weights(weights)
    model.compile("adam", "mse", device=device, verbose=0)
    return lambda epochs, shuffle: model.fit(x, y, epochs=epochs, shuffle=shuffle, verbose=0).history["loss"][-1]
