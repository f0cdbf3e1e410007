"""Timing: several calls take turns, so that drift of the machine affects all alike. Times and rows of results."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Row", "Times", "by_turns", "require_agreement"]

_TURN = 0.02  # Seconds of one turn; a turn has at least one call.
_REST = 0.005  # Seconds in which the threads of the previous call stop spinning.


@dataclass(frozen=True)
class Times:
    """The seconds that the calls took."""

    samples: np.ndarray

    @property
    def median(self) -> float:
        """The median of the samples."""
        return float(np.median(self.samples))

    def summary(self) -> dict[str, float]:
        """Return the numbers for JSON, in seconds."""
        q1, median, q3, p99 = (float(value) for value in np.quantile(self.samples, (0.25, 0.5, 0.75, 0.99)))
        return {"median": median, "q1": q1, "q3": q3, "p99": p99, "count": len(self.samples)}


@dataclass(frozen=True)
class Row:
    """One measurement.

    name: what was measured
    ours: times of numlstm
    peers: times of the peers, by name
    work: floating-point operations of one call, or None
    peak: operations per second of multiply-adds on registers alone at the time, or None
    error: by peer, the largest difference from ours, relative to the largest value above one
    plain: for an option, the times of the layer without it
    bound: for an option, the limit of `cost`
    kernel_name: for an option, the kernels that ran
    """

    name: str
    ours: Times
    peers: dict[str, Times] = field(default_factory=dict)
    work: float | None = None
    peak: float | None = None
    error: dict[str, float] = field(default_factory=dict)
    plain: Times | None = None
    bound: float | None = None
    kernel_name: str | None = None

    @property
    def cost(self) -> float | None:
        """The time of an option divided by that of the plain layer."""
        return None if self.plain is None else self.ours.median / self.plain.median

    def ratio(self, peer: str) -> float:
        """The time of the peer divided by ours."""
        return self.peers[peer].median / self.ours.median


def by_turns(calls: Mapping[str, Callable[[], Any]], rounds: int, warm_up: bool = True) -> dict[str, Times]:
    """Time calls in turns. In every round each call has one turn, of many short calls or one long call.

    The first call of a turn is not counted, because other calls have changed the caches and let the threads sleep. A
    turn of one long call is counted: this hardly affects it.

    calls: by name
    rounds: turns of each
    warm_up: whether each is called once before
    """
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values() if warm_up else ():
        call()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, call in calls.items():
                time.sleep(_REST)
                turn = _turn(call)
                samples[name] += turn[1:] or turn
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return {name: Times(np.array(taken)) for name, taken in samples.items()}


def _turn(call: Callable[[], Any]) -> list[float]:
    taken: list[float] = []
    end = time.perf_counter() + _TURN
    while True:
        begun = time.perf_counter()
        call()
        now = time.perf_counter()
        taken.append(now - begun)
        if now >= end:
            return taken


def require_agreement(what: str, peer: str, ours: Any, theirs: Any, tolerance: float) -> float:
    """Return the largest difference between corresponding arrays, relative to the largest value above one.

    Raises:
        ValueError: If it exceeds the tolerance, because times would then mean nothing.
    """
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        error = float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) if a.shape == b.shape else np.inf
        # This form is true for NaN too.
        if not error <= tolerance:
            raise ValueError(f"{what}: numlstm and {peer} differ by {error:.2g}, more than {tolerance:.2g}")
        worst = max(worst, error)
    return worst
