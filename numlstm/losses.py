"""Losses: thin objects that name a kernel. Each is a mean over samples, steps and outputs."""

from __future__ import annotations

from typing import Any

from numlstm import checks
from numlstm.kernels import Array, Backend

__all__ = ["Huber", "Loss", "MeanAbsoluteError", "MeanSquaredError", "get"]


class Loss:
    """What all losses share."""

    name: str
    function: str
    """What it calls of the contract."""

    def run(self, backend: Backend, y: Array, target: Array, total: Array, dy: Array) -> None:
        """Add the loss to `total` and write its gradient.

        y: [R, N] outputs
        target: [R, N]
        total: [1] float64, to which the sum over R of the mean over N is added
        dy: [R, N] overwritten with the gradient of the mean over R and N
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this loss again."""
        return {}


class MeanSquaredError(Loss):
    """mean (y - t)²."""

    name, function = "mean_squared_error", "mse"

    def run(self, backend: Backend, y: Array, target: Array, total: Array, dy: Array) -> None:
        """See `Loss.run`."""
        backend.mse(y, target, total, dy)


class MeanAbsoluteError(Loss):
    """mean |y - t|."""

    name, function = "mean_absolute_error", "mae"

    def run(self, backend: Backend, y: Array, target: Array, total: Array, dy: Array) -> None:
        """See `Loss.run`."""
        backend.mae(y, target, total, dy)


class Huber(Loss):
    """Squared near zero, absolute beyond `delta`: e²/2 where |e| <= delta, else delta (|e| - delta/2) (Huber 1964)."""

    name = function = "huber"

    def __init__(self, delta: float = 1.0) -> None:
        if not delta > 0:
            raise ValueError(f"delta must be positive, not {delta}")
        self.delta = float(delta)

    def run(self, backend: Backend, y: Array, target: Array, total: Array, dy: Array) -> None:
        """See `Loss.run`."""
        backend.huber(y, target, total, dy, self.delta)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this loss again."""
        return {"delta": self.delta}


_CLASSES: dict[str, type[Loss]] = {
    "huber": Huber,
    "mae": MeanAbsoluteError,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


def get(identifier: str | dict | Loss) -> Loss:
    """Return a loss.

    Args:
        identifier: A loss, or its name: "mse", "mean_squared_error", "mae", "mean_absolute_error" or "huber".

    Raises:
        ValueError: If there is none of that name.
    """
    return identifier if isinstance(identifier, Loss) else checks.choose(identifier, "loss", _CLASSES)
