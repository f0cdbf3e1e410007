"""Data that are generated: noisy shapes."""

from __future__ import annotations

import numpy as np

from numlstm.tasks.classify.sequences import Sequences

__all__ = ["shapes"]

_SHAPES = {
    "sine": lambda turn: np.sin(2 * np.pi * turn),
    "square": lambda turn: np.sign(np.sin(2 * np.pi * turn)),
    "triangle": lambda turn: 1 - 4 * np.abs(turn % 1 - 0.5),
    "sawtooth": lambda turn: 2 * (turn % 1) - 1,
}
"""One period each, from -1 to 1."""


def shapes(count: int = 600, noise: float = 0.1, seed: int = 0) -> Sequences:
    """Bursts of waves in noise. Length, place, period, phase and height of a burst are random; its shape is the class.

    Args:
        count: N.
        noise: standard deviation of the noise; a burst reaches from -1 to 1, times a height of 0.7 to 1.3.
        seed: seed of all random numbers.
    """
    random = np.random.default_rng(seed)
    values, labels = [], []
    for number in range(count):
        name = list(_SHAPES)[number % len(_SHAPES)]
        steps = int(random.integers(80, 161))
        length = int(random.integers(48, 81))
        start = int(random.integers(0, steps - length + 1))
        turn = np.arange(length) / random.uniform(12, 24) + random.uniform()
        signal = random.normal(0.0, noise, steps)
        signal[start : start + length] += random.uniform(0.7, 1.3) * _SHAPES[name](turn)
        values.append(signal[:, None])
        labels.append(name)
    ids = tuple(str(number + 1) for number in range(count))
    return Sequences("shapes", ("signal",), ids, tuple(values), None, np.array(labels))
