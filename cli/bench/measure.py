"""Timing: several calls by turns, so that a machine's drift hits them all, and what is left of the samples."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Row", "Times", "by_turns", "require_agreement"]

_TURN = 0.02  # Seconds of one call's turn, at the least one call.
_REST = 0.005  # Seconds in which the threads of the one before stop spinning.


@dataclass(frozen=True)
class Times:
    """Seconds that a call took."""

    samples: np.ndarray

    @property
    def median(self) -> float:
        """Their median."""
        return float(np.median(self.samples))

    def summary(self) -> dict[str, float]:
        """What JSON keeps, in seconds."""
        q1, median, q3, p99 = (float(value) for value in np.quantile(self.samples, (0.25, 0.5, 0.75, 0.99)))
        return {"median": median, "q1": q1, "q3": q3, "p99": p99, "count": len(self.samples)}


@dataclass(frozen=True)
class Row:
    """One thing measured.

    name: what
    ours: of numlstm
    peers: of others, by name
    work: floating-point operations of one call, or None
    peak: operations per second that the micro-kernel reached at the time, or None
    error: by peer, the largest difference from ours, relative to the largest value above one
    plain: of an option: the layer without it
    bound: of an option: what `cost` should not exceed
    kernel_path: of an option: the kernels that ran
    """

    name: str
    ours: Times
    peers: dict[str, Times] = field(default_factory=dict)
    work: float | None = None
    peak: float | None = None
    error: dict[str, float] = field(default_factory=dict)
    plain: Times | None = None
    bound: float | None = None
    kernel_path: str | None = None

    @property
    def cost(self) -> float | None:
        """How many times the plain layer's time an option takes."""
        return None if self.plain is None else self.ours.median / self.plain.median

    def ratio(self, peer: str) -> float:
        """How many times faster than the peer we are."""
        return self.peers[peer].median / self.ours.median


def by_turns(calls: Mapping[str, Callable[[], Any]], rounds: int, warm_up: bool = True) -> dict[str, Times]:
    """Time calls by turns: in every round each has one turn of many calls, or of one long call.

    The first call of a turn is not counted, for it finds caches and sleeping threads as the others left them; long
    calls, which that hardly touches, are counted all.

    calls: by name
    rounds: turns of each
    warm_up: whether to call each once before
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
    """The largest difference between corresponding arrays, relative to the largest value above one.

    Raises:
        ValueError: If it is beyond the tolerance: then times would say nothing.
    """
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        error = float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) if a.shape == b.shape else np.inf
        # A comparison that NaN fails.
        if not error <= tolerance:
            raise ValueError(f"{what}: numlstm and {peer} differ by {error:.2g}, more than {tolerance:.2g}")
        worst = max(worst, error)
    return worst
