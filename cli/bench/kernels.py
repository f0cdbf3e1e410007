"""`numlstm bench kernels`: single recurrent layers, forward and backward, through the public calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numba
import numpy as np

from numlstm import backend
from numlstm.cli.bench.measure import Row, by_turns, require_agreement
from numlstm.cli.bench.peers import Peer
from numlstm.layers import GRU, LSTM, SimpleRNN
from numlstm.layers.recurrent.layer import Recurrent

__all__ = ["SHAPES", "measure"]

Shape = tuple[int, int, int, int]

SHAPES: tuple[Shape, ...] = (
    (1, 10, 1, 50), (32, 10, 1, 50), (64, 100, 32, 128), (64, 100, 64, 256), (64, 50, 128, 512), (32, 100, 512, 1024),
    # Unusual shapes: one row and a U larger than a core's cache, no divisible size, few units, a long sequence.
    (1, 100, 40, 400), (7, 33, 13, 85), (64, 100, 8, 12), (2, 1000, 3, 64),
)  # fmt: skip
"""The default shapes, (B, T, F, H)."""

_LAYERS: dict[str, Callable[..., Recurrent]] = {"lstm": LSTM, "gru": GRU, "simple_rnn": SimpleRNN}
_TOLERANCE = 1e-4  # float32, on both sides, through up to a thousand steps.


def measure(
    shapes: Sequence[Shape], peers: Mapping[str, Peer], device: str, rounds: int, cell: str = "lstm"
) -> Iterator[Row]:
    """Yield two rows for each shape: inference, and forward and backward.

    Args:
        shapes: (B, T, F, H) of each layer.
        peers: By name.
        device: "cpu" or "cuda".
        rounds: Turns of each call.
        cell: "lstm", "gru" (with `reset_after`) or "simple_rnn".

    Raises:
        ValueError: If a peer's outputs or gradients differ from ours.
        numlstm.backend.DeviceError: If the device cannot be used.
    """
    for B, T, F, H in shapes:
        rng = np.random.default_rng(0)
        x, dy = (rng.normal(size=(B, T, size)).astype(np.float32) for size in (F, H))
        layer = _LAYERS[cell](H, return_sequences=True, bias_initializer="random_normal")
        layer.build((None, T, F), backend=backend.load(device))
        theirs = {
            name: peer.layer(layer.cell, layer.get_weights(), device, numba.get_num_threads())
            for name, peer in peers.items()
        }
        trained = {name: theirs[name] for name, peer in peers.items() if peer.trains}

        name, work = f"({B}, {T}, {F}, {H})", 2.0 * T * B * (F + H) * len(layer.cell.gates) * H
        calls = {"numlstm": partial(layer, x)} | {peer: partial(other.forward, x) for peer, other in theirs.items()}
        yield _row(f"{name} forward", calls, dict.fromkeys(calls, list), work, device, rounds)
        calls = {"numlstm": partial(_train, layer, x, dy)} | {
            peer: partial(other.forward_backward, x, dy) for peer, other in trained.items()
        }
        gradients = {"numlstm": layer.gradients} | {peer: other.gradients for peer, other in trained.items()}
        yield _row(f"{name} forward + backward", calls, gradients, 3 * work, device, rounds)


def _train(layer: Recurrent, x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
    return [layer.forward(x, training=True), layer.backward(dy)]


def _row(
    name: str,
    calls: dict[str, Callable[[], Any]],
    remaining: Mapping[str, Callable[[], list[np.ndarray]]],
    work: float,
    device: str,
    rounds: int,
) -> Row:
    """Check agreement, then measure. `remaining` returns the results that a call computes but does not return."""
    results = {key: [*_arrays(call()), *remaining[key]()] for key, call in calls.items()}
    ours = results.pop("numlstm")
    error = {peer: require_agreement(name, peer, ours, arrays, _TOLERANCE) for peer, arrays in results.items()}
    times = by_turns(calls, rounds)
    return Row(name, times.pop("numlstm"), times, work, _peak(device), error)


def _arrays(result: np.ndarray | list[np.ndarray]) -> list[np.ndarray]:
    return result if isinstance(result, list) else [result]


def _peak(device: str) -> float | None:
    """Measure the machine's peak at this time, because its clock may drift."""
    if device != "cpu":
        return None
    from numlstm.cli.bench.peak import measure_peak

    return measure_peak()
