"""Losses: objects that check the targets and call a kernel."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from numlstm import checks, missing
from numlstm.losses import crossentropy, ctc, regression, sampled
from numlstm.losses.crossentropy import *
from numlstm.losses.ctc import *
from numlstm.losses.loss import Loss
from numlstm.losses.regression import *
from numlstm.losses.sampled import *
from numlstm.messages import a

__all__ = ["Loss", "get"]
__all__ += crossentropy.__all__
__all__ += ctc.__all__
__all__ += regression.__all__
__all__ += sampled.__all__

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.losses", __all__)


def get(identifier: str | dict | Loss) -> Loss:
    """Return a loss.

    Args:
        identifier: A loss, its class name, its name with underscores, or "mse", "mae" or "bce".

    Raises:
        ValueError: If there is no loss of that name.
        TypeError: If `identifier` is a class, a function, or a loss that extends none of these losses.
    """
    if not isinstance(identifier, Loss):
        return checks.choose(identifier, "loss", _classes())
    if not hasattr(identifier, "kernel"):
        raise TypeError(f"{a(type(identifier).__name__)} computes nothing: {Loss.never_called['call']}")
    return identifier


@functools.cache
def _classes() -> dict[str, type[Loss]]:
    """The losses by all their names."""
    short = {"mse": MeanSquaredError, "mae": MeanAbsoluteError, "bce": BinaryCrossentropy}
    return checks.by_name([crossentropy, ctc, regression, sampled], short)
