"""The common random generator of initializers, shuffling and the seeds of dropout."""

from __future__ import annotations

import os
from math import inf
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.messages import quoted

__all__ = ["RandomStream", "draw", "generator", "set_seed", "set_state", "state"]

_generator: np.random.Generator | None = None


def set_seed(seed: int) -> None:
    """Seed the common generator: the following initial weights, orders of samples and dropout are reproducible.

    `np.random.seed` and `random.seed` have no effect on numlstm: it has a generator of its own.

    Args:
        seed: An integer from 0.

    Raises:
        ValueError, TypeError: If the seed is not an integer from 0.
    """
    global _generator
    _generator = np.random.default_rng(checks.integer(seed, "seed", least=0, most=inf))


def generator() -> np.random.Generator:
    """The common generator, which every draw advances. Without `set_seed` its numbers differ from run to run."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def state() -> dict[str, Any]:
    """The state of the common generator, as plain data."""
    return dict(generator().bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Restore the result of `state`.

    Raises:
        ValueError: If it is the state of another generator.
    """
    numbers = generator().bit_generator
    own, given = numbers.state["bit_generator"], state["bit_generator"]
    if given != own:
        raise ValueError(f"the random numbers are those of {quoted(given)}, but this numlstm draws from {own}")
    numbers.state = state


def _free_generator() -> None:
    """Free the generator's lock in a forked child: another thread of the parent may have been drawing."""
    if _generator is not None:
        lock: Any = _generator.bit_generator.lock
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):  # Windows has no fork.
    os.register_at_fork(after_in_child=_free_generator)


def draw() -> int:
    """Draw a 64-bit seed for the kernels' random numbers."""
    return int(generator().integers(2**64, dtype=np.uint64))


class RandomStream:
    """The state of the random numbers of a layer's dropout. They depend only on the seed and the number of the pass.

    seed: an integer from 0; None if nothing is dropped
    step: the number of training passes that have drawn numbers
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self.step = 0

    def next_step(self) -> int:
        """Count a pass with dropout, and return its number."""
        self.step = self.step + 1 & 0xFFFFFFFF
        return self.step
