"""Callbacks that end a training before its last epoch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.callbacks.callback import Callback, Logs
from numlstm.callbacks.monitor import Monitor
from numlstm.override import override
from numlstm.terminal import say

__all__ = ["EarlyStopping", "TerminateOnNaN"]


class EarlyStopping(Monitor):
    """Ends the training when a number has stopped improving.

    Args:
        monitor: The number's name, such as "val_loss".
        min_delta: A change must be larger than this to be an improvement.
        patience: The number of epochs without improvement after which the training ends.
        verbose: 1 prints a line when the training ends early.
        mode: "min" or "max": whether lower or higher is better; "auto" decides by the name.
        baseline: An improvement restarts the patience only if the number is also better than this.
        restore_best_weights: Whether to restore the weights of the best epoch.
        start_from_epoch: The number of first epochs that are not compared.

    Raises:
        ValueError: If `mode` is another value, "auto" does not recognize the name, or a number is negative.
        TypeError: If an argument has the wrong type.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.verbose, self.baseline = checks.verbosity(verbose), checks.optional_number(baseline, "baseline")
        self.patience = checks.integer(patience, "patience", least=0)
        self.start_from_epoch = checks.integer(start_from_epoch, "start_from_epoch", least=0)
        self.restore_best_weights = checks.boolean(restore_best_weights, "restore_best_weights")
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.best_epoch = self.stopped_epoch = self.wait = 0
        self.best_weights: list[np.ndarray] | None = None

    @override
    def state(self) -> dict[str, Any]:
        names = "best", "best_epoch", "stopped_epoch", "wait", "best_weights"
        return {name: vars(self)[name] for name in names}

    @override
    def set_state(self, state: dict[str, Any]) -> None:
        for name in self.state():
            vars(self)[name] = state[name]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Reset the counters and the best value."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare the number with the best, and end the training if it has not improved for long enough."""
        value = self.value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Restore the best weights if `restore_best_weights` is set."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping\n")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                say(f"Going back to the weights of epoch {self.best_epoch + 1}\n")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Ends the training at the first loss that is NaN or infinite. Every step waits for its loss.

    Args:
        raise_error: Whether to raise an error instead, so that no `on_train_end` is called.
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = checks.boolean(raise_error, "raise_error")
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Store the number of the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Check the loss.

        Raises:
            RuntimeError: If the loss is not finite and `raise_error` is set.
        """
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            if self.raise_error:
                raise RuntimeError(f"the loss is {loss} at step {batch + 1} of epoch {self._epoch + 1}")
            say(f"Epoch {self._epoch + 1}, step {batch + 1}: the loss is {loss}, the training ends\n")
            self.model.stop_training = True
