"""Checkpoints: the whole state of a training between two batches. A training resumed from one ends with the same bits.

The state holds the weights, the optimizer, the common random generator and the seeds of dropout, the states of stateful
layers, the order of samples and the position in it, the sums of loss and metrics, the history and the callbacks.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from numlstm import checks, seeds
from numlstm.callbacks import History
from numlstm.layers.layer import all_layers
from numlstm.messages import plain, quoted
from numlstm.network import Network
from numlstm.training.interruption import Interrupted, Signals, caught
from numlstm.training.parts import Parts, check_same

__all__ = ["CheckpointError", "Checkpoints", "Position", "State", "Storage"]

State = dict[str, Any]
"""Plain data: dicts, lists, strings, numbers, None, and NumPy arrays."""


class CheckpointError(ValueError):
    """A checkpoint is of another training, or has a state that this version cannot resume."""


_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_FIRST_COST = 0.01
"""Seconds that the first checkpoint is assumed to take."""
_SHARE = 100
"""Checkpoints that are written by time take at most one part in this many of the time."""


class Storage(Protocol):
    """Where checkpoints are kept.

    writes: whether checkpoints are written
    resumes: whether the training begins with a checkpoint
    """

    writes: bool
    resumes: bool

    def write(self, state: State) -> None:
        """Replace the file of checkpoints, in one step."""

    def read(self) -> State:
        """Read the checkpoint to resume from."""


@dataclass(frozen=True)
class Position:
    """A place between two batches.

    epoch: the epoch, from 0
    batch: the number of its batches that are done
    stopped: whether a callback has ended the training there
    """

    epoch: int
    batch: int
    stopped: bool


class Checkpoints:
    """Writes checkpoints of a training when they are due, and restores one.

    Args:
        storage: Where checkpoints are written and read.
        every: A time such as "60s", "5min" or "1h"; or a number of steps. With a time, a checkpoint is also written
            after each epoch that is the best so far.

    Raises:
        ValueError, TypeError: If `every` is neither.
    """

    def __init__(self, storage: Storage, every: str | int) -> None:
        self._storage, self._writes = storage, storage.writes
        self._seconds, self._steps = _interval(every)
        self._signals = Signals()
        self._best = math.inf
        self._taken = 0  # Steps since the last checkpoint.
        self._late: State | None = None
        self._before_validation: tuple[State, list[Any], list[State]] | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """While a training runs: signals end it at the next batch, if checkpoints are written."""
        self._written, self._cost = time.perf_counter(), _FIRST_COST
        if not self._writes:
            yield
            return
        with caught(self._signals):
            yield

    def prepare(self, parts: Parts) -> None:
        """Read the checkpoint to resume from, if there is one, and restore the numbers of model and optimizer.

        Raises:
            ValueError: If the checkpoint is of another training. Nothing is changed then.
        """
        self._parts = parts
        if self._storage.resumes:
            self._late = self._storage.read()
            with _understood():
                check_same(self._late, parts)
                self._restore_numbers(self._late)

    def begin(self, history: History) -> Position | None:
        """Restore the history and the running sums, after `on_train_begin`.

        Returns:
            Where the training goes on; None: it begins anew.

        Raises:
            ValueError: If the checkpoint is none that this version can resume.
            TypeError: If a checkpoint cannot keep the state of a callback.
        """
        self._history = history
        if self._writes:
            self._parts.callbacks.states()  # It raises TypeError if one cannot be kept, now instead of after a minute.
        state = self._late
        if state is None:
            return None
        with _understood():
            epoch, batch = state["epoch"], state["batch"]
            self._parts.batches.earlier_kernel = state.get("kernel_name")
            self._parts.metrics.set_state(state["metrics"])
            history.set_state(state["history"])
            self._best = float(state["best"])
            self._parts.callbacks.stop_training = stopped = checks.boolean(state["stopped"], "its end")
        if not batch:
            self.begin_epoch()
        return Position(epoch, batch, stopped)

    def begin_epoch(self) -> None:
        """Restore what `on_epoch_begin` may change, after that hook, in the epoch that is resumed."""
        if self._late is None:
            return
        state, self._late = self._late, None
        with _understood():
            self._restore_numbers(state)
            self._parts.callbacks.set_states(state["callbacks"])
            if state["learning_rate"] is not None:
                self._parts.optimizer.learning_rate = state["learning_rate"]
            self._parts.feed.set_state(state["feed"])
            seeds.set_state(state["generator"])

    def _restore_numbers(self, state: State) -> None:
        """Restore optimizer, weights and layers."""
        network, optimizer = self._parts.network, self._parts.optimizer
        if state["optimizer"]:
            optimizer.set_state(state["optimizer"])  # It refuses another optimizer's state before anything changes.
        network.set_weights(state["weights"])
        for layer, kept in zip(all_layers(network.layers), state["layers"], strict=True):
            seed = kept["seed"]
            layer.random.seed = None if seed is None else checks.integer(seed, "a seed in it", least=0, most=math.inf)
            layer.random.step = checks.integer(kept["step"], "a step in it", least=0)
            layer.state = kept["memory"]

    def after_batch(self, epoch: int, batch: int) -> None:
        """Write a checkpoint if one is due.

        Args:
            epoch: The epoch, from 0.
            batch: The number of its batches that are done.

        Raises:
            Interrupted: If a signal came. The checkpoint is written, unless the data cannot be read again from here.
        """
        if not self._writes:
            return
        self._taken += 1
        if self._parts.feed.can_return:
            if self._is_due() or self._signals.number is not None:
                self._write(epoch, batch)
        elif self._signals.number is not None:
            raise Interrupted(self._signals.number)

    @contextmanager
    def validating(self, epoch: int, batch: int) -> Iterator[None]:
        """During a validation, a signal does not wait: the checkpoint is that of the end of the training part."""
        if not self._writes or not self._parts.feed.can_return:
            yield
            return
        parts = self._parts
        self._before_validation = self._changed_by_validation(parts)
        try:
            self._signals.at_once = True
            yield
            self._signals.at_once = False
        except Interrupted:
            self._write(epoch, batch)
        finally:
            self._signals.at_once, self._before_validation = False, None

    def after_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Write a checkpoint if one is due, or if the epoch is the best so far. Otherwise as for `after_batch`."""
        if not self._writes:
            return
        value = logs.get("val_loss", logs.get("loss", math.nan))
        is_best = value < self._best
        self._best = min(self._best, value) if math.isfinite(value) else self._best
        affordable = time.perf_counter() - self._written >= _SHARE * self._cost
        best_is_due = is_best and self._seconds is not None and affordable
        if best_is_due or self._is_due() or self._signals.number is not None:
            self._write(epoch + 1, 0)

    def _is_due(self) -> bool:
        if self._seconds is None:
            return self._steps is not None and self._taken >= self._steps
        elapsed = time.perf_counter() - self._written
        return elapsed >= self._seconds and elapsed >= _SHARE * self._cost

    def _write(self, epoch: int, batch: int) -> None:
        begun = time.perf_counter()
        self._storage.write(self._state(epoch, batch))
        self._written, self._taken = time.perf_counter(), 0
        self._cost = self._written - begun
        if self._signals.number is not None:
            raise Interrupted(self._signals.number)

    @staticmethod
    def _changed_by_validation(parts: Parts) -> tuple[State, list[Any], list[State]]:
        """The sums of the metrics, the memories of the layers, and the callbacks' states."""
        return parts.metrics.state(), _memories(parts.network), parts.callbacks.states()

    def _state(self, epoch: int, batch: int) -> State:
        parts = self._parts
        metrics, memories, hooks = self._before_validation or self._changed_by_validation(parts)
        rate = parts.optimizer.get_config()["learning_rate"]
        return {
            "epoch": epoch,
            "batch": batch,
            "stopped": parts.callbacks.stop_training,
            "weights": parts.network.get_weights(),
            "optimizer_name": type(parts.optimizer).__name__,
            "optimizer": parts.optimizer.state(),
            "learning_rate": rate if isinstance(rate, float) else None,
            "layers": [
                {"seed": layer.random.seed, "step": layer.random.step, "memory": memory}
                for layer, memory in zip(all_layers(parts.network.layers), memories, strict=True)
            ],
            "generator": seeds.state(),
            "feed": parts.feed.state(),
            "metrics": metrics,
            "history": self._history.state(),
            "callbacks": hooks,
            "best": self._best,
            "kernel_name": parts.batches.kernel_name,
        }


@contextmanager
def _understood() -> Iterator[None]:
    """Turn the errors of a state that is not as `_state` makes it into `CheckpointError`."""
    try:
        yield
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise CheckpointError(f"the checkpoint is none that this numlstm can resume: {plain(repr(error))}") from error


def _interval(every: str | int) -> tuple[float | None, int | None]:
    """The seconds or the steps between two checkpoints."""
    if not isinstance(every, str):
        return None, checks.integer(every, "checkpoint_every")
    found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(s|min|h)\s*", every)
    if found is None:
        raise ValueError(
            f"checkpoint_every must be a number of steps, or a time such as '60s', '5min' or '1h', not {quoted(every)}"
        )
    return float(found[1]) * _UNITS[found[2]], None


def _memories(network: Network) -> list[Any]:
    """Copies of the states that stateful layers keep from batch to batch."""
    return [
        None if layer.state is None else [np.array(network.backend.to_host(part)) for part in layer.state]
        for layer in all_layers(network.layers)
    ]
