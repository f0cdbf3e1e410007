"""How well a model solves its problem, beside what one can do without memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm.model import Sequential
from numlstm.tasks.memory.problems import ALPHABET, SYMBOLS, Problem, Sequences

__all__ = ["ERROR", "answers", "measure", "reached"]

ERROR = 0.04
"""The mean absolute error below which the adding problem is solved: what Hochreiter & Schmidhuber (1997) call right."""


def reached(problem: Problem, logs: dict[str, float]) -> bool:
    """Whether the losses and metrics of an epoch say that the problem is solved: on sequences for validation."""
    return logs["val_mae"] < ERROR if problem.name == "adding" else logs["val_accuracy"] >= 1


def answers(model: Sequential, problem: Problem, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Targets and outputs of sequences: two arrays of sums, [K], or of symbols, [K, 3]."""
    outputs = model.predict(sequences.x, verbose=0)
    if problem.name == "adding":
        return sequences.y[:, 0], outputs[:, 0]
    return sequences.y[:, -SYMBOLS:], np.argmax(outputs[:, -SYMBOLS:], axis=2)


def measure(problem: Problem, target: np.ndarray, output: np.ndarray) -> dict[str, Any]:
    """Compute the errors of answers, and those of the naive rival, which predicts the mean or guesses.

    `right` is the share of the sequences with an error below 0.04, or with all symbols right.

    Args:
        problem: the problem.
        target: the targets, as `answers` returns them.
        output: the outputs, likewise.
    """
    if problem.name == "adding":
        naive = np.full_like(target, 1.0)  # The mean of the sum of two numbers from 0 to 1.
        return {
            "mae": float(np.mean(np.abs(output - target))),
            "mse": float(np.mean((output - target) ** 2)),
            "right": float(np.mean(np.abs(output - target) < ERROR)),
            "naive_mae": float(np.mean(np.abs(naive - target))),
            "naive_mse": float(np.mean((naive - target) ** 2)),
            "naive_right": float(np.mean(np.abs(naive - target) < ERROR)),
        }
    return {
        "accuracy": float(np.mean(output == target)),
        "right": float(np.mean(np.all(output == target, axis=1))),
        "naive_accuracy": 1 / ALPHABET,
        "naive_right": ALPHABET**-SYMBOLS,
    }
