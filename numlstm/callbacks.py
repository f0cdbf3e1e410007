"""What `fit` calls on its way: Keras' hooks, its history, and early stopping."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm import checks

if TYPE_CHECKING:
    from numlstm.model import Sequential

__all__ = ["Callback", "EarlyStopping", "History"]


class Callback:
    """The base of all callbacks: each hook does nothing until it is overridden.

    `logs` maps "loss", and "val_loss" where there is validation data, to floats.
    """

    model: Sequential

    def set_model(self, model: Sequential) -> None:
        """Called first, with the model that is trained."""
        self.model = model

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Called after the last epoch, unless `fit` was interrupted."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called before an epoch; the first is 0."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called after an epoch, with its numbers in `logs`."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Called after a step, with the loss over the epoch so far. Overriding it makes every step wait."""


class History(Callback):
    """The record of a training: `history` maps a name to one number per epoch, `epoch` lists the epochs."""

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.params: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Append the epoch's numbers."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class EarlyStopping(Callback):
    """End the training when a number has stopped improving.

    Args:
        monitor: The number's name: "val_loss" or "loss".
        min_delta: A change of no more than this is no improvement.
        patience: How many epochs without improvement to wait.
        verbose: 1 says so when it happens.
        mode: "min" or "max", what improving means; "auto" is "min", as all losses are to be small.
        restore_best_weights: Whether to go back to the weights of the best epoch.
        start_from_epoch: How many epochs to let pass first.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', not {mode!r}")
        self.monitor, self.min_delta, self.verbose = monitor, abs(min_delta), verbose
        self.patience = checks.integer(patience, "patience", least=0)
        self.start_from_epoch = checks.integer(start_from_epoch, "start_from_epoch", least=0)
        self.restore_best_weights = restore_best_weights
        self._sign = -1.0 if mode == "max" else 1.0
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch = self.stopped_epoch = self.wait = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Begin anew."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Compare the epoch with the best."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            known = ", ".join(logs or {})
            warnings.warn(f"EarlyStopping monitors {self.monitor!r}, but there is only: {known}", stacklevel=2)
            return
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        if not np.isnan(value) and (self.best is None or self._sign * (self.best - value) > self.min_delta):
            self.best, self.best_epoch, self.wait = value, epoch, 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Go back to the best weights, if so asked."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            self.model.set_weights(self.best_weights)
