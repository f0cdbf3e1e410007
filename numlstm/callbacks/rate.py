"""Callbacks that set the learning rate once per epoch. The schedules of `optimizers` change it with every step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numlstm import checks
from numlstm.callbacks.callback import Callback, Logs
from numlstm.callbacks.monitor import Monitor
from numlstm.messages import quoted
from numlstm.optimizers import Optimizer
from numlstm.override import override
from numlstm.terminal import say

__all__ = ["LearningRateScheduler", "ReduceLROnPlateau"]


class LearningRateScheduler(Callback):
    """Sets the learning rate of each epoch by a function, and adds it to the logs as "learning_rate".

    Args:
        schedule: A function of the epoch, from 0, and the current learning rate, or of the epoch only. It returns the
            new learning rate.
        verbose: 1 prints the learning rate.

    Raises:
        TypeError: If `schedule` is not callable or does not return a number, or `verbose` is not an integer.
        ValueError: If the returned number is negative or not finite, or `verbose` is negative.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule must be a function of the epoch and the learning rate, not {quoted(schedule)}")
        self.schedule, self.verbose = schedule, checks.verbosity(verbose)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the learning rate of the epoch."""
        optimizer = _optimizer(self)
        try:
            inspect.signature(self.schedule).bind(epoch, 0.0)
            arguments: tuple[float, ...] = (epoch, optimizer.learning_rate)
        except (TypeError, ValueError):
            arguments = (epoch,)
        optimizer.learning_rate = checks.at_least_zero(self.schedule(*arguments), "the schedule's learning rate")
        if self.verbose > 0:
            say(f"Epoch {epoch + 1}: the learning rate is set to {optimizer.learning_rate:g}\n")

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add the learning rate to the logs."""
        if logs is not None:
            logs["learning_rate"] = _optimizer(self).learning_rate


class ReduceLROnPlateau(Monitor):
    """Lowers the learning rate when a number has stopped improving, and adds it to the logs as "learning_rate".

    Args:
        monitor: The number's name, such as "val_loss".
        factor: The factor by which the learning rate is multiplied, from 0 to below 1.
        patience: The number of epochs without improvement after which the rate is lowered.
        verbose: 1 prints a line when the rate is lowered.
        mode: "min" or "max": whether lower or higher is better; "auto" decides by the name.
        min_delta: A change must be larger than this to be an improvement.
        cooldown: The number of epochs after lowering during which epochs without improvement are not counted.
        min_lr: The lower limit of the learning rate.

    Raises:
        ValueError: If `mode` is another value, "auto" does not recognize the name, or a number is out of range.
        TypeError: If an argument has the wrong type.
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

    @override
    def state(self) -> dict[str, Any]:
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    @override
    def set_state(self, state: dict[str, Any]) -> None:
        self.best, self.wait, self.cooldown_counter = state["best"], state["wait"], state["cooldown_counter"]

    def on_train_begin(self, logs: Logs = None) -> None:
        """Reset the counters and the best value."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compare the number with the best, and lower the learning rate if it has not improved for long enough."""
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
                    say(f"Epoch {epoch + 1}: the learning rate is lowered to {optimizer.learning_rate:g}\n")


def _optimizer(callback: Callback) -> Optimizer:
    optimizer = callback.model.optimizer
    assert optimizer is not None, "fit needs a compiled model"
    return optimizer
