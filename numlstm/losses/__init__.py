"""Losses: objects that check the targets and call a kernel."""

from __future__ import annotations

from numlstm import checks
from numlstm.losses.crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from numlstm.losses.loss import Loss
from numlstm.losses.regression import GaussianNLL, Huber, LogCosh, MeanAbsoluteError, MeanSquaredError, Quantile

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "GaussianNLL",
    "Huber",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "get",
]

_CLASSES: dict[str, type[Loss]] = {
    "bce": BinaryCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "gaussian_nll": GaussianNLL,
    "huber": Huber,
    "log_cosh": LogCosh,
    "mae": MeanAbsoluteError,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "quantile": Quantile,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
}
_CLASSES |= {name.upper(): _CLASSES[name] for name in ("bce", "mae", "mse")}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


def get(identifier: str | dict | Loss) -> Loss:
    """Return a loss.

    Args:
        identifier: A loss, its class name, its name with underscores, or "mse", "mae" or "bce".

    Raises:
        ValueError: If there is no loss of that name.
    """
    return identifier if isinstance(identifier, Loss) else checks.choose(identifier, "loss", _CLASSES)
