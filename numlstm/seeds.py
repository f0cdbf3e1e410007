"""The one source of chance: initializers draw from it, and so do shuffling and the seeds of dropout."""

from __future__ import annotations

import numpy as np

from numlstm import checks

__all__ = ["draw", "generator", "set_seed"]

_generator: np.random.Generator | None = None


def set_seed(seed: int) -> None:
    """Make everything that follows repeatable: initial weights and the order of the samples.

    Args:
        seed: Any integer from 0.

    Raises:
        ValueError, TypeError: If the seed is no such integer.
    """
    global _generator
    _generator = np.random.default_rng(checks.integer(seed, "seed", least=0))


def generator() -> np.random.Generator:
    """The generator in use, which every draw advances; without a seed it differs from run to run."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def draw() -> int:
    """A seed of 64 bits for the kernels' own random numbers."""
    return int(generator().integers(2**64, dtype=np.uint64))
