"""The training loop: batches go in, gradients flow back through time, the optimizer steps; and its two shorter kin.

Every buffer is allocated once per batch size. The loss stays with the backend, and comes to the host once an epoch and
when progress is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from numlstm import checks, seeds
from numlstm.callbacks import Callback, History
from numlstm.progress import Progress

if TYPE_CHECKING:
    from numlstm.losses import Loss
    from numlstm.model import Sequential
    from numlstm.optimizers import Optimizer

__all__ = ["Batch", "Batches", "Total", "evaluate", "fit", "predict", "train_on_batch"]

Rows = slice | np.ndarray
"""Which samples make a batch."""


class Batch:
    """A model wired up for batches of one shape: inputs, passes, outputs, targets."""

    def __init__(self, model: Sequential, shape: tuple[int, ...], training: bool) -> None:
        self._backend = model.backend
        self._inputs = np.empty(shape, model.dtype)
        self._x = self._backend.asarray(self._inputs, model.dtype)
        self._passes = model.passes(self._x, training)
        self.y = self._passes[-1].y
        self._targets = np.empty(self.y.shape, model.dtype)
        self._target = self._backend.asarray(self._targets, model.dtype)
        dy = self._passes[-1].dy if training else self._backend.empty(self.y.shape, model.dtype)
        # The losses see rows: a sample, or each step of one, is a row.
        self.rows = prod(self.y.shape[:-1])
        flat = (self.rows, self.y.shape[-1])
        self._flat_y, self._flat_target, self._flat_dy = (a.reshape(flat) for a in (self.y, self._target, dy))

    def load(self, x: np.ndarray, rows: Rows) -> None:
        """Bring samples in."""
        _gather(x, rows, self._inputs)
        if self._x is not self._inputs:
            self._backend.copy(self._x, self._inputs)

    def load_targets(self, y: np.ndarray, rows: Rows) -> None:
        """Bring the samples' targets in."""
        _gather(y, rows, self._targets)
        if self._target is not self._targets:
            self._backend.copy(self._target, self._targets)

    def forward(self) -> None:
        """Compute y."""
        for run in self._passes:
            run.forward()

    def add_loss(self, loss: Loss, total: Total) -> None:
        """Add the loss of y to the total, and leave its gradient for `backward`."""
        loss.run(self._backend, self._flat_y, self._flat_target, None, total.sum, self._flat_dy)
        total.rows += self.rows

    def backward(self) -> None:
        """Compute the gradients of all weights."""
        for run in reversed(self._passes):
            run.backward()

    def train(self, loss: Loss, optimizer: Optimizer, total: Total) -> None:
        """Take one step with the samples that have been loaded."""
        self.forward()
        self.add_loss(loss, total)
        self.backward()
        optimizer.apply()


class Batches:
    """A model's batches, wired up when first needed: one shape for most, one for the smaller last batch."""

    def __init__(self, model: Sequential, training: bool) -> None:
        self._model, self._training = model, training
        self._wired: dict[tuple[int, ...], Batch] = {}

    def of(self, shape: tuple[int, ...]) -> Batch:
        """The batch of this shape."""
        if shape not in self._wired:
            if len(self._wired) > 1:
                del self._wired[next(iter(self._wired))]
            self._wired[shape] = Batch(self._model, shape, self._training)
        return self._wired[shape]


class Total:
    """A loss summed over batches, in a scalar of the backend."""

    def __init__(self, model: Sequential) -> None:
        self._backend = model.backend
        self.sum = self._backend.zeros((1,), "float64")
        self.rows = 0

    def reset(self) -> None:
        """Begin anew."""
        self._backend.copy(self.sum, np.zeros(1))
        self.rows = 0

    def mean(self) -> float:
        """The mean over all rows so far; waits for the backend."""
        return float(self._backend.to_host(self.sum)[0]) / max(1, self.rows)


def fit(
    model: Sequential,
    x: Any,
    y: Any,
    batch_size: int | None,
    epochs: int,
    verbose: int | str,
    callbacks: Sequence[Callback],
    validation_split: float,
    validation_data: tuple[Any, Any] | None,
    shuffle: bool,
    initial_epoch: int,
) -> History:
    """See `Sequential.fit`."""
    optimizer, loss = _compiled(model)
    batch_size, epochs = _batch_size(batch_size), checks.integer(epochs, "epochs", least=0)
    initial_epoch = checks.integer(initial_epoch, "initial_epoch", least=0)
    if bad := [callback for callback in callbacks if not isinstance(callback, Callback)]:
        raise TypeError(f"callbacks must be instances of numlstm.callbacks.Callback, not {bad[0]!r}")
    x, y = _pair(model, x, y)
    held_out: tuple[np.ndarray, np.ndarray] | None = None
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
            raise ValueError("validation_data must be a pair (x, y)")
        held_out = _pair(model, *validation_data, names=("the validation x", "the validation y"))
    elif validation_split:
        (x, y), held_out = _split(x, y, validation_split)

    model.settle(min(batch_size, len(x)), x.shape[1] if x.ndim == 3 else 1, verbose)
    optimizer.bind(model.buffers)
    batches, validation_batches = Batches(model, training=True), Batches(model, training=False)
    total = Total(model)
    steps = -(-len(x) // batch_size)
    progress = Progress(verbose, steps, epochs)
    history = History()
    model.history, model.stop_training = history, False
    starters, watchers = (
        [hook for hook in callbacks if hook.listens(name)] for name in ("on_train_batch_begin", "on_train_batch_end")
    )
    logs: dict[str, float] = {}

    for hook in (history, *callbacks):
        hook.set_model(model)
        hook.set_params({"verbose": verbose, "epochs": epochs, "steps": steps})
        hook.on_train_begin({})
    try:
        for epoch in range(initial_epoch, epochs):
            for hook in callbacks:
                hook.on_epoch_begin(epoch, {})
            progress.begin(epoch)
            total.reset()
            order = seeds.generator().permutation(len(x)) if shuffle else np.arange(len(x))
            for step in range(steps):
                for hook in starters:
                    hook.on_train_batch_begin(step, {})
                rows = order[step * batch_size : (step + 1) * batch_size]
                batch = batches.of((len(rows), *x.shape[1:]))
                batch.load(x, rows)
                batch.load_targets(y, rows)
                batch.train(loss, optimizer, total)
                for hook in watchers:
                    hook.on_train_batch_end(step, {"loss": total.mean()})
                if progress.due():
                    progress.show(step + 1, {"loss": total.mean()})
                if model.stop_training:
                    break
            logs = {"loss": total.mean()}
            if held_out is not None:
                logs["val_loss"] = _mean_loss(model, validation_batches, loss, *held_out, batch_size)
            # Before the line appears: an epoch that was shown is an epoch that the history holds.
            history.on_epoch_end(epoch, logs)
            own = set(logs)
            for hook in callbacks:
                hook.on_epoch_end(epoch, logs)
            history.add({name: value for name, value in logs.items() if name not in own})
            progress.end(logs)
            if model.stop_training:
                break
    finally:
        progress.close()
    for hook in callbacks:
        hook.on_train_end(logs)
    return history


def evaluate(model: Sequential, x: Any, y: Any, batch_size: int | None, verbose: int | str) -> float:
    """See `Sequential.evaluate`."""
    _, loss = _compiled(model)
    batch_size = _batch_size(batch_size)
    x, y = _pair(model, x, y)
    progress = Progress(verbose, -(-len(x) // batch_size))
    progress.begin()
    mean = _mean_loss(model, Batches(model, training=False), loss, x, y, batch_size)
    progress.end({"loss": mean})
    return mean


def predict(model: Sequential, x: Any, batch_size: int | None, verbose: int | str) -> np.ndarray:
    """See `Sequential.predict`."""
    batch_size = _batch_size(batch_size)
    x = _inputs(model, x, "x")
    progress = Progress(verbose, -(-len(x) // batch_size))
    progress.begin()
    batches = Batches(model, training=False)
    y = np.empty(cast(tuple[int, ...], model.compute_output_shape(x.shape)), model.dtype)
    for start in range(0, len(x), batch_size):
        rows = slice(start, min(start + batch_size, len(x)))
        batch = batches.of((rows.stop - start, *x.shape[1:]))
        batch.load(x, rows)
        batch.forward()
        y[rows] = model.backend.to_host(batch.y)
    progress.end({})
    return y


def train_on_batch(model: Sequential, batches: Batches, x: Any, y: Any) -> float:
    """See `Sequential.train_on_batch`."""
    optimizer, loss = _compiled(model)
    x, y = _pair(model, x, y)
    model.settle(len(x), x.shape[1] if x.ndim == 3 else 1)
    optimizer.bind(model.buffers)
    total, batch, rows = Total(model), batches.of(x.shape), slice(0, len(x))
    batch.load(x, rows)
    batch.load_targets(y, rows)
    batch.train(loss, optimizer, total)
    return total.mean()


def _mean_loss(model: Sequential, batches: Batches, loss: Loss, x: np.ndarray, y: np.ndarray, batch_size: int) -> float:
    total = Total(model)
    for start in range(0, len(x), batch_size):
        rows = slice(start, min(start + batch_size, len(x)))
        batch = batches.of((rows.stop - start, *x.shape[1:]))
        batch.load(x, rows)
        batch.load_targets(y, rows)
        batch.forward()
        batch.add_loss(loss, total)
    return total.mean()


def _gather(source: np.ndarray, rows: Rows, target: np.ndarray) -> None:
    if isinstance(rows, slice):
        np.copyto(target, source[rows])
    else:
        # "clip" spares the copy that "raise" makes to keep its promise; the rows are in range.
        np.take(source, rows, axis=0, out=target, mode="clip")


def _compiled(model: Sequential) -> tuple[Optimizer, Loss]:
    if model.optimizer is None or model.loss is None:
        raise ValueError("the model is not compiled: call compile(optimizer, loss) first")
    return model.optimizer, model.loss


def _batch_size(value: int | None) -> int:
    return 32 if value is None else checks.integer(value, "batch_size")


def _inputs(model: Sequential, x: Any, name: str) -> np.ndarray:
    """The samples, checked; builds the model if it has not been yet."""
    if not model.layers:
        raise ValueError("the model has no layers: add one first")
    array = np.ascontiguousarray(checks.numbers(x, name, model.dtype))
    if not model.built:
        model.build_for(array.shape)
    expected = model.input_shape
    if len(expected) != array.ndim or any(e not in (None, a) for e, a in zip(expected, array.shape, strict=True)):
        sizes = ", ".join("any" if size is None else str(size) for size in expected[1:])
        raise ValueError(f"{name} must have shape (samples, {sizes}), not {array.shape}")
    return array


def _pair(model: Sequential, x: Any, y: Any, names: tuple[str, str] = ("x", "y")) -> tuple[np.ndarray, np.ndarray]:
    """Samples and targets, checked."""
    inputs = _inputs(model, x, names[0])
    if not len(inputs):
        raise ValueError(f"{names[0]} has no samples")
    targets = checks.numbers(y, names[1], model.dtype)
    expected = model.compute_output_shape(inputs.shape)
    if targets.shape == expected[:-1] and expected[-1] == 1:
        targets = targets[..., np.newaxis]
    if targets.shape != expected:
        raise ValueError(f"{names[1]} must have shape {expected}, not {targets.shape}")
    return inputs, np.ascontiguousarray(targets)


def _split(
    x: np.ndarray, y: np.ndarray, fraction: float
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The first samples for training, and the last ones to be held out."""
    at = int(len(x) * (1.0 - fraction)) if 0.0 < fraction < 1.0 else 0
    if at in (0, len(x)):
        raise ValueError(f"validation_split={fraction} of {len(x)} samples must leave some for training and some not")
    return (x[:at], y[:at]), (x[at:], y[at:])
