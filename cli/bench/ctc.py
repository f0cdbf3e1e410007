"""`numlstm bench kernels`: the loss CTC with its gradient, log softmax included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numba
import numpy as np

from numlstm import backend
from numlstm.cli.bench.measure import Row, by_turns, require_agreement
from numlstm.cli.bench.peers import Peer
from numlstm.kernels import Backend, CTCTargets

__all__ = ["SHAPES", "measure"]

Shape = tuple[int, int, int, int]

SHAPES: tuple[Shape, ...] = ((16, 200, 40, 20), (8, 1000, 30, 50))
"""(B, T, V, L): sequences, steps, classes and labels."""

_TOLERANCE = 1e-2
"""PyTorch sums logarithms in float32. Those of 1,000 steps are in the thousands, which leaves gradients three digits.
Ours are in float64; `tests/witnesses/test_ctc_parity.py` compares with PyTorch's float64."""


def measure(peers: Mapping[str, Peer], device: str, rounds: int, shapes: tuple[Shape, ...] = SHAPES) -> Iterator[Row]:
    """Yield a row for each shape.

    Args:
        peers: By name. Those without the loss are left out.
        device: "cpu" or "cuda".
        rounds: Turns of each call.
        shapes: (B, T, V, L) of each batch.

    Raises:
        ValueError: If a peer's loss or gradient differs from ours.
        numlstm.backend.DeviceError: If the device cannot be used.
    """
    for B, T, V, L in shapes:
        rng = np.random.default_rng(0)
        y, labels = rng.normal(size=(B, T, V)).astype(np.float32), rng.integers(1, V, (B, L))
        name = f"ctc ({B}, {T}, {V}, {L}) loss + gradient"
        calls = {"numlstm": _loss(backend.load(device), y, labels)}
        for peer, functions in peers.items():
            if functions.ctc is not None:
                calls[peer] = functions.ctc(y, labels, device, numba.get_num_threads())
        results = {key: _relative(call()) for key, call in calls.items()}
        ours = results.pop("numlstm")
        error = {peer: require_agreement(name, peer, ours, arrays, _TOLERANCE) for peer, arrays in results.items()}
        times = by_turns(calls, rounds)
        yield Row(name, times.pop("numlstm"), times, error=error)


def _loss(functions: Backend, y: np.ndarray, labels: np.ndarray) -> Callable[[], list[np.ndarray]]:
    """Make the function that returns [the sum of the losses, the gradient of their mean]."""
    logits, targets = functions.asarray(y, "float32"), functions.asarray(labels, "int64")
    total, dy = functions.zeros((1,), "float64"), functions.empty(y.shape, "float32")

    def run() -> list[np.ndarray]:
        functions.copy(total, np.zeros(1))
        functions.ctc(logits, CTCTargets(targets, None, 0, False), None, total, dy)
        return [functions.to_host(total), functions.to_host(dy)]

    return run


def _relative(result: list[np.ndarray]) -> list[np.ndarray]:
    """The loss, and the gradient for each sequence, whose numbers are from -1 to 1."""
    loss, dy = result
    return [np.array(loss).reshape(1), np.array(dy) * len(dy)]
