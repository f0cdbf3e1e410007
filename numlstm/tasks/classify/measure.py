"""The errors of a classifier: accuracy, F1, and the confusion of the classes."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["measure", "scores"]


def measure(targets: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    """Compare predicted classes with the true ones.

    Args:
        targets: [N] the indices of the true classes.
        predicted: [N] those of the predicted ones.
        classes: C names.

    Returns:
        "accuracy", "macro_f1", "sequences", "classes", "confusion": [C][C] with a row for each true class and a column
        for each predicted one; and "per_class": precision, recall, f1 and support of each. A precision without
        predictions and a recall without sequences are None, and so is F1 without both.
    """
    C = len(classes)
    confusion = np.bincount(targets * C + predicted, minlength=C * C).reshape(C, C)
    right, support, found = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    per_class = {
        name: {
            "precision": _ratio(right[c], found[c]),
            "recall": _ratio(right[c], support[c]),
            "f1": _ratio(2 * right[c], support[c] + found[c]),
            "support": int(support[c]),
        }
        for c, name in enumerate(classes)
    }
    return {
        **scores(targets, predicted, C),
        "sequences": len(targets),
        "classes": list(classes),
        "confusion": confusion.tolist(),
        "per_class": per_class,
    }


def scores(targets: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, float]:
    """The accuracy, and the mean of the classes' F1. Classes that are neither there nor predicted do not count."""
    f1 = []
    for c in range(classes):
        size = np.count_nonzero(targets == c) + np.count_nonzero(predicted == c)
        if size:
            f1.append(2 * np.count_nonzero((targets == c) & (predicted == c)) / size)
    return {"accuracy": float(np.mean(targets == predicted)), "macro_f1": float(np.mean(f1))}


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
