"""Regularizers: penalties on weights that are added to the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from numlstm import checks, missing
from numlstm.attributes import CheckedAttributes
from numlstm.messages import quoted

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "l1", "l1_l2", "l2", "serialize"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.regularizers", __all__)


class Regularizer(CheckedAttributes):
    """The base of all regularizers, with the penalty l1 Σ|w| + l2 Σ w² on weights w. There are no others."""

    never_called: ClassVar = {"__call__": "set l1 and l2, the factors of the penalty l1 Σ|w| + l2 Σ w²"}

    l1: float = 0.0
    l2: float = 0.0

    def __call__(self, weights: np.ndarray) -> float:
        """The penalty on an array of weights."""
        w = np.asarray(weights, np.float64)
        return float(self.l1 * np.abs(w).sum() + self.l2 * (w * w).sum())

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this regularizer."""
        return dict(vars(self))


class L1(Regularizer):
    """l1 Σ|w|.

    Args:
        l1: A number from 0.

    Raises:
        ValueError: If `l1` is negative or not finite.
        TypeError: If `l1` is not a number.
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = checks.at_least_zero(l1, "l1")


class L2(Regularizer):
    """l2 Σ w².

    Args:
        l2: A number from 0.

    Raises:
        ValueError: If `l2` is negative or not finite.
        TypeError: If `l2` is not a number.
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = checks.at_least_zero(l2, "l2")


class L1L2(Regularizer):
    """l1 Σ|w| + l2 Σ w². The name "l1_l2" gives 0.01 for both. The name "l1l2" gives 0 for both, as in Keras.

    Args:
        l1: A number from 0.
        l2: A number from 0.

    Raises:
        ValueError: If an argument is negative or not finite.
        TypeError: If an argument is not a number.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = checks.at_least_zero(l1, "l1"), checks.at_least_zero(l2, "l2")


_CLASSES: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


# Keras has these names too.
l1, l2, l1_l2 = L1, L2, L1L2


def get(identifier: str | dict | Regularizer | None, name: str = "regularizer") -> Regularizer | None:
    """Return a regularizer.

    Args:
        identifier: A regularizer, its class, or its name: "l1", "l2" or "l1_l2"; None: no regularizer.
        name: The name of the argument, for the message.

    Raises:
        ValueError: If there is no regularizer of that name.
    """
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Regularizer):
        return identifier()
    if isinstance(identifier, str) and identifier == "l1_l2":
        return L1L2(0.01, 0.01)
    if isinstance(identifier, str) and identifier == "l1l2":
        return L1L2()
    return checks.choose(identifier, name, _CLASSES)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """Convert a regularizer to a dict for `get`; TypeError if it is something else."""
    if regularizer is None:
        return None
    if not isinstance(regularizer, Regularizer):
        raise TypeError(f"only a regularizer can be serialized, not {quoted(regularizer)}")
    return {"class_name": type(regularizer).__name__, "config": regularizer.get_config()}
