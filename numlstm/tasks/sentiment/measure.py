"""How well labels are told, beside rivals that do not know the order of words."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import layers, optimizers, regularizers
from numlstm.model import Sequential
from numlstm.seeds import set_seed

__all__ = ["RIVALS", "bag_of_words", "bags", "measure", "scores"]

RIVALS = {"bag_of_words": "a bag of words", "most_frequent": "the most frequent label"}
"""The words for each rival in a report. The first one is a logistic regression."""
_EPOCHS, _RATE, _DECAY, _BATCH = 15, 1e-2, 1e-4, 64


def measure(target: np.ndarray, predicted: np.ndarray, labels: tuple[str, ...]) -> dict[str, Any]:
    """Compute the errors.

    Args:
        target: [N] the indices of the true labels.
        predicted: [N] those of the predicted ones.
        labels: C names.

    Returns:
        "accuracy", "macro_f1", "texts"; "confusion": [C][C] with a row for each true label; and "per_label": precision,
        recall, F1 (0 without any right one) and number of each.
    """
    C = len(labels)
    confusion = np.bincount(target * C + predicted, minlength=C * C).reshape(C, C)
    right, support, found = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    rates = [right / np.maximum(found, 1), right / np.maximum(support, 1), 2 * right / np.maximum(found + support, 1)]
    per_label = {
        name: {"precision": precision, "recall": recall, "f1": f1, "texts": int(number)}
        for name, precision, recall, f1, number in zip(labels, *(rate.tolist() for rate in rates), support, strict=True)
    }
    return scores(target, predicted, C) | {
        "texts": len(target), "labels": list(labels), "confusion": confusion.tolist(), "per_label": per_label
    }  # fmt: skip


def scores(target: np.ndarray, predicted: np.ndarray, labels: int) -> dict[str, float]:
    """The accuracy, and the mean of the labels' F1. A label that is neither there nor predicted does not count."""
    f1 = []
    for label in range(labels):
        true, said = target == label, predicted == label
        if true.any() or said.any():
            f1.append(2 * np.sum(true & said) / (np.sum(true) + np.sum(said)))
    return {"accuracy": float(np.mean(target == predicted)), "macro_f1": float(np.mean(f1))}


def bag_of_words(x: np.ndarray, y: np.ndarray, size: int, labels: int) -> Sequential:
    """Fit a logistic regression on which words a text has.

    Its regularization was chosen on the validation part of the movie sentences.

    Args:
        x: [N, T] numbers of words, as of a `Vocabulary`.
        y: [N] indices of labels.
        size: how many numbers there are.
        labels: how many labels there are.
    """
    set_seed(0)
    head = layers.Dense(
        labels, activation="softmax", kernel_initializer="zeros", kernel_regularizer=regularizers.L2(_DECAY),
        input_shape=(size,),
    )  # fmt: skip
    model = Sequential([head])
    model.compile(optimizers.Adam(_RATE), "sparse_categorical_crossentropy", device="cpu", verbose=0)
    model.fit(Bags(x, y, size), epochs=_EPOCHS, verbose=0)
    return model


class Bags:
    """Batches of texts as bags of words, by their numbers: all at once would not fit into memory.

    Args:
        x, y, size: as for `bag_of_words`.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, size: int) -> None:
        order = np.random.default_rng(0).permutation(len(x))
        self._x, self._y, self._size = x[order], y[order], size

    def __len__(self) -> int:
        return -(-len(self._x) // _BATCH)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(number * _BATCH, (number + 1) * _BATCH)
        return bags(self._x[rows], self._size), self._y[rows]


def bags(x: np.ndarray, size: int) -> np.ndarray:
    """[N, size] ones for the words of each text."""
    found = np.zeros((len(x), size), np.float32)
    found[np.arange(len(x))[:, None], x] = 1
    found[:, 0] = 0
    return found
