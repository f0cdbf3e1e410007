"""Regularizers: penalties on weights, which are added to the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "l1", "l1_l2", "l2", "serialize"]


class Regularizer:
    """What all regularizers share: they penalise weights w by l1 Σ|w| + l2 Σ w²."""

    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, weights: np.ndarray) -> float:
        """The penalty on some weights."""
        w = np.asarray(weights, np.float64)
        return float(self.l1 * np.abs(w).sum() + self.l2 * (w * w).sum())

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this regularizer again."""
        return dict(vars(self))


class L1(Regularizer):
    """l1 Σ|w|.

    Args:
        l1: Not negative.

    Raises:
        ValueError: If it is.
        TypeError: If it is no number.
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = checks.at_least_zero(l1, "l1")


class L2(Regularizer):
    """l2 Σ w².

    Args:
        l2: Not negative.

    Raises:
        ValueError: If it is.
        TypeError: If it is no number.
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = checks.at_least_zero(l2, "l2")


class L1L2(Regularizer):
    """l1 Σ|w| + l2 Σ w². By the name "l1_l2" both are 0.01.

    Args:
        l1: Not negative.
        l2: Not negative.

    Raises:
        ValueError: If one is.
        TypeError: If one is no number.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = checks.at_least_zero(l1, "l1"), checks.at_least_zero(l2, "l2")


_CLASSES: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


# Keras has both names.
l1, l2, l1_l2 = L1, L2, L1L2


def get(identifier: str | dict | Regularizer | None) -> Regularizer | None:
    """Return a regularizer.

    Args:
        identifier: A regularizer, its class, or its name: "l1", "l2" or "l1_l2"; None: none.

    Raises:
        ValueError: If there is none of that name.
    """
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Regularizer):
        return identifier()
    if isinstance(identifier, str) and identifier == "l1_l2":
        return L1L2(0.01, 0.01)
    return checks.choose(identifier, "regularizer", _CLASSES)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """The regularizer as `get` takes it back."""
    if regularizer is None:
        return None
    return {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}
