"""`numlstm bench options`: the cost of each option of an LSTM layer, compared with the plain layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from numlstm import backend
from numlstm.cli.bench.measure import Row, by_turns
from numlstm.layers import LSTM

__all__ = ["SHAPES", "measure"]

Shape = tuple[int, int, int, int]

SHAPES: tuple[Shape, ...] = ((32, 10, 1, 50), (64, 100, 32, 128))
"""The default shapes, (B, T, F, H)."""

_PLAIN = "plain"


@dataclass(frozen=True)
class _Option:
    """One option.

    bound: the limit of its time divided by that of the plain layer
    with_options: whether it needs the kernels with options
    arguments: arguments of the layer
    given: returns the arguments of `forward` beside x, from the shape
    """

    bound: float
    with_options: bool
    arguments: dict[str, Any]
    given: Callable[[Shape], dict[str, Any]] = lambda _: {}


def _lengths(shape: Shape) -> np.ndarray:
    """Random lengths from half of the steps to all steps."""
    B, T, _, _ = shape
    return np.random.default_rng(1).integers(-(-T // 2), T, size=B, endpoint=True)


def _padded(shape: Shape) -> np.ndarray:
    return np.arange(shape[1]) < _lengths(shape)[:, None]


def _with_holes(shape: Shape) -> np.ndarray:
    return np.random.default_rng(2).uniform(size=shape[:2]) < 0.8


def _resets(shape: Shape) -> np.ndarray:
    return np.random.default_rng(3).uniform(size=shape[:2]) < 0.1


def _state(shape: Shape) -> list[np.ndarray]:
    B, _, _, H = shape
    return list(np.random.default_rng(4).normal(size=(2, B, H)).astype(np.float32))


_OPTIONS = {
    "activation relu": _Option(1.25, True, {"activation": "relu"}),
    "recurrent_activation hard_sigmoid": _Option(1.25, True, {"recurrent_activation": "hard_sigmoid"}),
    "dropout 0.2": _Option(1.15, False, {"dropout": 0.2}),
    "recurrent_dropout 0.2": _Option(1.15, True, {"recurrent_dropout": 0.2}),
    "mask, padded on the right": _Option(1.15, False, {}, lambda shape: {"mask": _padded(shape)}),
    "mask with holes": _Option(1.15, False, {}, lambda shape: {"mask": _with_holes(shape)}),
    "lengths": _Option(1.15, False, {}, lambda shape: {"lengths": _lengths(shape)}),
    "reset_mask": _Option(1.25, True, {}, lambda shape: {"reset_mask": _resets(shape)}),
    "zero_output_for_mask, mask with holes": _Option(
        1.25, False, {"zero_output_for_mask": True}, lambda shape: {"mask": _with_holes(shape)}
    ),
    "go_backwards": _Option(1.25, False, {"go_backwards": True}),
    "stateful": _Option(1.25, False, {"stateful": True}),
    "initial_state": _Option(1.25, False, {}, lambda shape: {"initial_state": _state(shape)}),
    "no bias": _Option(1.25, False, {"use_bias": False}),
}


def measure(shapes: Sequence[Shape], device: str, rounds: int) -> Iterator[Row]:
    """Yield a row for each option of each shape: forward and backward, in turns with the plain layer.

    Raises:
        ValueError: If the kernels that ran are not those of the option, because times would then mean nothing.
        numlstm.backend.DeviceError: If the device cannot be used.
    """
    for shape in shapes:
        plain = _Option(1.0, False, {})
        calls, paths = {}, {}
        for name, option in {_PLAIN: plain, **_OPTIONS}.items():
            calls[name], paths[name] = _prepare(name, option, shape, device)
        times = by_turns(calls, rounds)
        for name, option in _OPTIONS.items():
            label = f"{shape} {name}"
            yield Row(label, times[name], plain=times[_PLAIN], bound=option.bound, kernel_name=paths[name])


def _prepare(name: str, option: _Option, shape: Shape, device: str) -> tuple[Callable[[], Any], str]:
    """Return the call to measure, and the kernels that it ran."""
    B, T, F, H = shape
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(size=(B, T, size)).astype(np.float32) for size in (F, H))
    layer = LSTM(H, return_sequences=True, seed=0, **option.arguments)
    layer.build((None, T, F), backend=backend.load(device))
    call = partial(_train, layer, x, dy, option.given(shape))
    call()
    path = layer.kernel_name or "none"
    if path.endswith(", with options") != option.with_options:
        expected = "with-options" if option.with_options else "plain"
        raise ValueError(f"{shape} {name}: expected the {expected} kernels, but {path!r} ran")
    return call, path


def _train(layer: LSTM, x: np.ndarray, dy: np.ndarray, given: dict[str, Any]) -> None:
    layer.forward(x, training=True, **given)
    layer.backward(dy)
