"""Callbacks that set the learning rate from epoch to epoch; for one that changes with every step see `schedules`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from numlstm import checks
from numlstm.callbacks.callback import Callback, Logs
from numlstm.callbacks.monitor import Monitor

if TYPE_CHECKING:
    from numlstm.optimizers import Optimizer

__all__ = ["LearningRateScheduler", "ReduceLROnPlateau"]


class LearningRateScheduler(Callback):
    """Ask a function for the learning rate of every epoch, which the logs then hold as "learning_rate".

    Args:
        schedule: Takes the epoch, from 0 on, and the learning rate so far, or the epoch alone; returns a number.
        verbose: 1 says what it returned.

    Raises:
        TypeError: If `schedule` is no function, or does not return a number; or `verbose` is no integer.
        ValueError: If it returns a negative number, or none that is finite; or `verbose` is negative.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule must be a function of the epoch and the learning rate, not {schedule!r}")
        self.schedule, self.verbose = schedule, checks.verbosity(verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the learning rate."""
        optimizer = _optimizer(self)
        try:
            inspect.signature(self.schedule).bind(epoch, 0.0)
            arguments: tuple[float, ...] = (epoch, optimizer.learning_rate)
        except (TypeError, ValueError):
            arguments = (epoch,)
        optimizer.learning_rate = checks.at_least_zero(self.schedule(*arguments), "the schedule's learning rate")
        if self.verbose > 0:
            print(f"Epoch {epoch + 1}: the learning rate is set to {optimizer.learning_rate}")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Put the learning rate in the logs."""
        if logs is not None:
            logs["learning_rate"] = _optimizer(self).learning_rate


class ReduceLROnPlateau(Monitor):
    """Lower the learning rate when a number has stopped improving. The logs hold it as "learning_rate".

    Args:
        monitor: The number's name, such as "val_loss".
        factor: What the learning rate is multiplied by, below 1.
        patience: How many epochs without improvement to wait.
        verbose: 1 says so when it happens.
        mode: "min" or "max", what improving means; "auto" tells by the name.
        min_delta: A change of no more than this is no improvement.
        cooldown: How many epochs to let pass after lowering it, before waiting begins again.
        min_lr: It is never lowered below this.

    Raises:
        ValueError: If the mode is another, or "auto" and the name tells nothing; or a number is out of its range.
        TypeError: If an argument is of another kind.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = checks.fraction(factor, "factor")
        self.patience = checks.integer(patience, "patience", least=0)
        self.cooldown = checks.integer(cooldown, "cooldown", least=0)
        self.min_lr = checks.at_least_zero(min_lr, "min_lr")
        self.verbose = checks.verbosity(verbose)
        self._forget()

    def _forget(self) -> None:
        self.best: float | None = None
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        """Begin anew."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare the epoch with the best."""
        optimizer = _optimizer(self)
        if logs is not None:
            logs["learning_rate"] = optimizer.learning_rate
        value = self.value(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience and optimizer.learning_rate > self.min_lr:
                optimizer.learning_rate = max(optimizer.learning_rate * self.factor, self.min_lr)
                self.cooldown_counter, self.wait = self.cooldown, 0
                if self.verbose > 0:
                    print(f"Epoch {epoch + 1}: the learning rate is lowered to {optimizer.learning_rate}")


def _optimizer(callback: Callback) -> Optimizer:
    optimizer = callback.model.optimizer
    assert optimizer is not None, "fit needs a compiled model"
    return optimizer
