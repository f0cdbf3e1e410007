"""`numlstm bench stream`: one step of LSTM and Dense 1, which keep the state between calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numba
import numpy as np

from numlstm import Sequential
from numlstm.cli.bench.measure import Row, by_turns, require_agreement
from numlstm.cli.bench.peers import Peer
from numlstm.layers import LSTM, Dense

__all__ = ["measure"]

_STEPS = 50
_TOLERANCE = 1e-5


def measure(peers: Mapping[str, Peer], device: str, rounds: int, units: int) -> Iterator[Row]:
    """Yield a row for `push(x_t)` and one for `push(x_t, out=y)`. Errors as for `kernels.measure`."""
    model = Sequential([LSTM(units, input_shape=(None, 1)), Dense(1)])
    model.compile(device=device, verbose=0)
    stream, y = model.stream(), np.empty(1, np.float32)
    theirs: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        name: peer.stream(model.get_weights(), numba.get_num_threads()) for name, peer in peers.items() if peer.stream
    }
    x = np.random.default_rng(0).normal(size=(_STEPS, 1)).astype(np.float32)
    ours = [stream.push(x_t) for x_t in x]
    error = {
        name: require_agreement("the stream", name, ours, [push(x_t) for x_t in x], _TOLERANCE)
        for name, push in theirs.items()
    }
    calls = {"push(x_t)": partial(stream.push, x[0]), "push(x_t, out=y)": partial(stream.push, x[0], out=y)}
    times = by_turns(calls | {name: partial(push, x[0]) for name, push in theirs.items()}, rounds)
    for name in calls:
        yield Row(name, times[name], {peer: times[peer] for peer in theirs}, error=error)
