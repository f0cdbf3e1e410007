"""Optimizers, with Keras' names, arguments and defaults. Each updates a model's flat buffers in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from numlstm import checks, missing
from numlstm.optimizers import schedules
from numlstm.optimizers.adam import Adam, AdamW, Nadam
from numlstm.optimizers.descent import SGD, RMSprop
from numlstm.optimizers.optimizer import Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Nadam", "Optimizer", "RMSprop", "get", "schedules"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.optimizers", __all__)

_CLASSES: dict[str, type[Optimizer]] = {
    "adam": Adam, "adamw": AdamW, "nadam": Nadam, "rmsprop": RMSprop, "sgd": SGD,
}  # fmt: skip
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


@overload
def get(identifier: None) -> None: ...
@overload
def get(identifier: str | dict | Optimizer) -> Optimizer: ...
def get(identifier: str | dict | Optimizer | None) -> Optimizer | None:
    """Return an optimizer; None for None.

    Args:
        identifier: An optimizer, its name such as "adam", or its `{"class_name": ..., "config": ...}` from a file.

    Raises:
        ValueError: If there is no optimizer of that name.
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, dict) and identifier.get("class_name") in _CLASSES:
        return _CLASSES[identifier["class_name"]].from_config(identifier.get("config", {}))
    return checks.choose(identifier, "optimizer", _CLASSES)
