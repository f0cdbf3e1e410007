"""The two problems: sequences that are drawn afresh for every step of a training, each from its position alone.

adding (Hochreiter & Schmidhuber 1997, experiment 4, in the form of Le, Jaitly & Hinton 2015): each step has a number
from 0 to 1 and a marker. Two steps are marked, one in each half. The target is the sum of the two marked numbers.

copy (Arjovsky, Shah & Bengio 2016): three symbols of four, a pause of the lag's length, a sign to begin. The model is
to say the symbols in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

__all__ = ["ALPHABET", "SYMBOLS", "Problem", "Sequences", "Source", "Use"]

SYMBOLS, ALPHABET = 3, 4
"""The symbols to copy, and how many there are to choose from."""
_BLANK, _SIGN = ALPHABET, ALPHABET + 1


class Use(IntEnum):
    """What sequences are for. Those of different uses have nothing in common."""

    TRAINING = 0
    VALIDATION = 1
    TEST = 2
    FRESH = 3


@dataclass(frozen=True)
class Sequences:
    """Sequences and their targets.

    x: [K, T, F] float32
    y: [K, 1] sums; or [K, T] symbols, of which those before the sign are blanks
    weights: [K, T] weights of the steps in the loss, zero before the sign; None: one target a sequence
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None

    def parts(self) -> tuple[np.ndarray, ...]:
        """What `fit` and `evaluate` take."""
        return (self.x, self.y) if self.weights is None else (self.x, self.y, self.weights)


@dataclass(frozen=True)
class Problem:
    """A problem at one lag.

    name: "adding" or "copy"
    lag: steps
    """

    name: str
    lag: int

    @property
    def steps(self) -> int:
        """T."""
        return self.lag if self.name == "adding" else self.lag + 2 * SYMBOLS

    @property
    def features(self) -> int:
        """F."""
        return 2 if self.name == "adding" else ALPHABET + 2

    def draw(self, count: int, seed: int, use: Use, position: int = 0) -> Sequences:
        """Draw sequences. The same arguments give the same sequences."""
        random = np.random.default_rng([seed, use, self.lag, position])
        return self._adding(count, random) if self.name == "adding" else self._copy(count, random)

    def _adding(self, count: int, random: np.random.Generator) -> Sequences:
        T, rows = self.lag, np.arange(count)
        x = np.zeros((count, T, 2), np.float32)
        x[..., 0] = random.random((count, T))
        x[rows, random.integers(0, T // 2, count), 1] = 1
        x[rows, random.integers(T // 2, T, count), 1] = 1
        return Sequences(x, np.sum(x[..., 0] * x[..., 1], axis=1, keepdims=True), None)

    def _copy(self, count: int, random: np.random.Generator) -> Sequences:
        T = self.steps
        symbols = random.integers(0, ALPHABET, (count, SYMBOLS))
        shown = np.full((count, T), _BLANK)
        shown[:, :SYMBOLS] = symbols
        shown[:, T - SYMBOLS - 1] = _SIGN
        y = np.full((count, T), _BLANK)
        y[:, -SYMBOLS:] = symbols
        weights = np.zeros((count, T), np.float32)
        weights[:, -SYMBOLS:] = T / SYMBOLS  # The loss is a mean over all T steps.
        return Sequences(np.eye(ALPHABET + 2, dtype=np.float32)[shown], y, weights)


class Source:
    """The batches of a training, by their numbers: `Model.fit` can go on at any of them.

    Args:
        problem: the problem.
        batch_size: sequences in a batch.
        batches: the number of batches.
        seed: the seed.
    """

    def __init__(self, problem: Problem, batch_size: int, batches: int, seed: int) -> None:
        self._problem, self._batch_size, self._batches, self._seed = problem, batch_size, batches, seed

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        return self._problem.draw(self._batch_size, self._seed, Use.TRAINING, number).parts()
