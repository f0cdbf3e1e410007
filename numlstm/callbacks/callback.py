"""The base of all callbacks, and a callback that is made of functions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from numlstm.messages import quoted
from numlstm.optimizers import Optimizer

__all__ = ["Callback", "LambdaCallback", "Logs", "Model"]

Logs = dict[str, Any] | None
"""The numbers that a hook gets, by name."""


class Model(Protocol):
    """The attributes of a model that callbacks use."""

    history: Any
    """The `History` of the last `fit`."""
    stop_training: bool
    """If a callback sets it to True, `fit` takes no further step."""
    stop_evaluating: bool
    """If a callback sets it to True, `evaluate` and a validation take no further batch."""
    stop_predicting: bool
    """If a callback sets it to True, `predict` takes no further batch."""

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimizer of the model; None before `compile`."""

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights."""

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite all weights."""

    def reset_states(self) -> None:
        """Clear the states of all stateful layers."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file."""

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write only the weights to a file."""


class Callback:
    """The base of all callbacks. Hooks do nothing unless they are overridden.

    `logs` maps "loss", the names of metrics and, with validation data, "val_loss" and so on to floats. A hook may add
    numbers to the logs of an epoch: later hooks and the history get them too.
    """

    model: Model
    """The model that is trained, evaluated or used for prediction."""
    params: dict[str, Any] | None = None
    """The settings of the run: "verbose", "epochs" and "steps"; in `fit` also "metrics", all names in the logs."""

    def set_model(self, model: Model) -> None:
        """Called before all hooks, with the model."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called after `set_model`, with the settings of the run."""
        self.params = params

    def listens(self, hook: str) -> bool:
        """Whether a hook is overridden. If no callback listens to batches, steps need not wait for their loss."""
        names = {hook, hook.replace("on_train_batch", "on_batch")}
        return any(getattr(getattr(self, name), "__func__", None) is not getattr(Callback, name) for name in names)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of the callback: numbers, strings, None, arrays of numbers, lists and dicts of them.

        The keys of dicts are strings. Tuples come back as lists, and NumPy's scalars as Python's numbers. `fit` asks
        for the state when a training with checkpoints begins, after `on_train_begin`, and raises TypeError for others.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `state`. Called after `on_train_begin` of a training that is resumed."""

    def on_train_begin(self, logs: Logs = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """Called after the last epoch, with its logs, unless `fit` was interrupted."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Called before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Called after an epoch, with its numbers in `logs`."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a training step, counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a training step, with the epoch's numbers so far. An override makes each step wait for them."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called by `on_train_batch_begin`: its older name in Keras."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called by `on_train_batch_end`: its older name in Keras."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """Called before an evaluation or a validation."""

    def on_test_end(self, logs: Logs = None) -> None:
        """Called after an evaluation or a validation, with its numbers."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of an evaluation or a validation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of an evaluation or a validation, with the numbers so far. Each batch waits for them."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """Called after a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Called before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Called after a batch of a prediction, with its "outputs"."""


class LambdaCallback(Callback):
    """A callback that is made of functions.

    Args:
        hooks: The functions by the names of hooks, such as `on_epoch_end=lambda epoch, logs: ...`. None has no effect.
            Another name, such as `best=0.0`, becomes an attribute.

    Raises:
        TypeError: If a hook does not exist, its value is not callable, or an attribute is one of `Callback`.
    """

    def __init__(self, **hooks: Any) -> None:
        for name, function in hooks.items():
            if not name.startswith("on_") and not hasattr(Callback, name) and name != "model":
                setattr(self, name, function)
                continue
            if not name.startswith("on_") or not hasattr(Callback, name):
                known = ", ".join(hook for hook in vars(Callback) if hook.startswith("on_"))
                raise TypeError(f"there is no hook {quoted(name)}, only {known}")
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function, not {quoted(function)}")
            if function is not None:
                setattr(self, name, function)
