"""The base of all callbacks, and one made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numlstm.model import Sequential

__all__ = ["Callback", "LambdaCallback", "Logs"]

Logs = dict[str, Any] | None
"""What a hook is told: names to numbers."""


class Callback:
    """The base of all callbacks: each hook does nothing until it is overridden.

    `logs` maps "loss", and "val_loss" where there is validation data, to floats. What a hook adds to the logs of an
    epoch, the hooks after it and the history see.
    """

    model: Sequential
    """The model that is trained, evaluated or asked."""
    params: dict[str, Any] | None = None
    """How: "verbose", "epochs" and "steps"; in `fit` also "metrics", the names of all numbers that will come."""

    def set_model(self, model: Sequential) -> None:
        """Called first, with the model."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called next, with the params."""
        self.params = params

    def listens(self, hook: str) -> bool:
        """Whether a hook of this name does anything. Where nobody listens to batches, no step waits for its loss."""
        names = {hook, hook.replace("on_train_batch", "on_batch")}
        return any(getattr(getattr(self, name), "__func__", None) is not getattr(Callback, name) for name in names)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Called after the last epoch, with its logs, unless `fit` was interrupted."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Called before an epoch; the first is 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called after an epoch, with its numbers in `logs`."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a step; the first of an epoch is 0."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a step, with the numbers over the epoch so far. Overriding it makes every step wait."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Keras' older name for `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Keras' older name for `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Called before an evaluation or a validation."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Called after an evaluation or a validation, with its numbers."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of an evaluation or a validation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of an evaluation or a validation, with the numbers so far; makes every batch wait."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Called after a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of a prediction, with its "outputs"."""


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        hooks: The name of a hook and the function called in its place, such as `on_epoch_end=lambda epoch, logs: ...`.

    Raises:
        TypeError: If there is no such hook, or its function is none.
    """

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        for name, function in hooks.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                known = ", ".join(hook for hook in vars(Callback) if hook.startswith("on_"))
                raise TypeError(f"there is no hook {name!r}, only {known}")
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function, not {function!r}")
            if function is not None:
                setattr(self, name, function)
