"""Data that are generated: noisy shapes, and visits of patients."""

from __future__ import annotations

import numpy as np

from numlstm.tasks.classify.sequences import Sequences

__all__ = ["shapes", "visits"]

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


_MEASURED = {
    "pulse": (75.0, 9.0, 8.0),
    "pressure": (125.0, -8.0, 9.0),
    "lactate": (1.2, 0.5, 0.35),
    "urea": (5.5, 1.6, 1.2),
}
"""What a visit may measure: the usual value, how much it changes with severity, and the deviation of its noise."""


def visits(count: int = 600, seed: int = 0) -> Sequences:
    """Visits of generated patients, at irregular times, at which some of four values are measured.

    The severity of three in ten patients grows by days, not by visits, from a day on that is not known; that of the
    others goes up and down. Who is more ill is seen more often, and has more measured: what is missing, and when, tells
    something too, as in real records (Lipton et al. 2016, Che et al. 2018).

    Args:
        count: N.
        seed: seed of all random numbers.
    """
    random = np.random.default_rng(seed)
    values, times, labels = [], [], []
    for _ in range(count):
        worsens = bool(random.random() < 0.3)
        steps = int(random.integers(6, 25))
        days = np.cumsum(random.exponential(4.0, steps))
        onset, pace = random.uniform(0.2, 0.6) * days[-1], random.uniform(0.05, 0.12)
        level = random.normal(0.0, 0.5) + 0.5 * np.sin(days / random.uniform(5.0, 20.0) + random.uniform(0.0, 6.3))
        severity = level + (pace * np.maximum(days - onset, 0.0) if worsens else 0.0)
        kept = random.random(steps) < 0.6 + 0.2 * np.tanh(severity)
        kept[-3:] = True
        usual, change, noise = (np.array(each) for each in zip(*_MEASURED.values(), strict=True))
        seen = usual + severity[:, None] * change + random.normal(0.0, noise, (steps, len(usual)))
        absent = random.random(seen.shape) > 0.4 + 0.15 * np.tanh(severity)[:, None]
        seen[absent] = np.nan
        values.append(np.round(seen[kept], 1))
        times.append(np.round(days[kept], 1))
        labels.append("worsens" if worsens else "stable")
    ids = tuple(f"patient {number + 1}" for number in range(count))
    note = "the visits are generated, of patients that never lived: nothing here is medical evidence"
    return Sequences("visits", tuple(_MEASURED), ids, tuple(values), tuple(times), np.array(labels), None, (note,))
