"""The training loop: batches go in, gradients flow back through time, the optimizer steps; and its shorter kin.

Every buffer is allocated once per batch size. The loss stays with the backend, and comes to the host once an epoch and
when somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from numlstm import checks
from numlstm.batches import Batches, Tally
from numlstm.callbacks import Callback, History
from numlstm.feeds import ArrayFeed, Feed, Intake, StreamFeed, gives_batches, open_feed
from numlstm.progress import Compilation, Progress

if TYPE_CHECKING:
    from numlstm.layers.layer import Shape
    from numlstm.losses import Loss
    from numlstm.model import Sequential
    from numlstm.optimizers import Optimizer

__all__ = ["evaluate", "fit", "predict", "test_on_batch", "train_on_batch"]


class Hooks:
    """Some callbacks, whose hooks are called by name.

    Args:
        callbacks: One, several, or None.

    Raises:
        TypeError: If one is none.
    """

    def __init__(self, callbacks: Sequence[Callback] | Callback | None) -> None:
        self._callbacks = list(callbacks or ()) if callbacks is None or isinstance(callbacks, Iterable) else [callbacks]
        if bad := [callback for callback in self._callbacks if not isinstance(callback, Callback)]:
            raise TypeError(f"callbacks must be instances of numlstm.callbacks.Callback, not {bad[0]!r}")

    def begin(self, name: str, model: Sequential, params: dict[str, Any]) -> None:
        """Tell them of the model and the run, and call the first hook."""
        for callback in self._callbacks:
            callback.set_model(model)
            callback.set_params(params)
        self.call(name, {})

    def call(self, name: str, *arguments: Any) -> None:
        """Call a hook of all callbacks."""
        for callback in self._callbacks:
            getattr(callback, name)(*arguments)

    def used(self, name: str) -> list[Callable[..., None]]:
        """A hook of those callbacks in which it does anything: without any, no step has to wait."""
        return [getattr(callback, name) for callback in self._callbacks if callback.listens(name)]


def fit(
    model: Sequential,
    x: Any,
    y: Any,
    batch_size: int | None,
    epochs: int,
    verbose: int | str,
    callbacks: Sequence[Callback] | Callback | None,
    validation_split: float,
    validation_data: Any,
    shuffle: bool,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: int | None,
    validation_freq: int | Sequence[int],
    tbptt: int | None,
) -> History:
    """See `Sequential.fit`."""
    optimizer, loss = _compiled(model)
    epochs = checks.integer(epochs, "epochs", least=0)
    initial_epoch = checks.integer(initial_epoch, "initial_epoch", least=0)
    batch_size = checks.optional_integer(batch_size, "batch_size")
    steps_per_epoch = checks.optional_integer(steps_per_epoch, "steps_per_epoch")
    validation_steps = checks.optional_integer(validation_steps, "validation_steps")
    validation_batch_size = checks.optional_integer(validation_batch_size, "validation_batch_size") or batch_size
    tbptt = checks.optional_integer(tbptt, "tbptt")
    validation_split = checks.fraction(validation_split, "validation_split")
    validated, shuffle = _validated(validation_freq), checks.boolean(shuffle, "shuffle")
    hooks = Hooks(callbacks)
    feed = open_feed(Intake(model, loss, class_weight), x, y, sample_weight, batch_size, shuffle, steps_per_epoch)
    held_out = None
    if validation_data is not None:
        held_out = _open_validation(model, loss, validation_data, validation_batch_size, validation_steps)
    elif validation_split:
        if not isinstance(feed, ArrayFeed):
            raise ValueError("validation_split divides arrays: give data that come in batches as validation_data")
        held_out = feed.hold_out(validation_split, validation_batch_size, validation_steps)
    if epochs - initial_epoch > 1:
        _check_endless(feed, "steps_per_epoch")
        _check_endless(held_out, "validation_steps")

    shape = feed.shape()
    if tbptt is not None:
        _check_pieces(model)
    model.settle(shape[0], _length(shape), verbose)
    optimizer.bind(model.buffers)
    batches, held_batches = Batches(model, loss, training=True), Batches(model, loss, training=False)
    tally, progress, history = Tally(model), Progress(verbose, feed.steps, epochs), History()
    model.history, model.stop_training = history, False

    logs: dict[str, float] = {}
    names = [*tally.names, *(f"val_{name}" for name in tally.names if held_out is not None)]
    params = {"verbose": verbose, "epochs": epochs, "steps": feed.steps, "metrics": names}
    history.set_model(model)
    history.set_params(params)
    hooks.begin("on_train_begin", model, params)
    try:
        # Kernels that only large batches spread over threads, say, are compiled when the first one comes.
        with Compilation(model.backend, verbose):
            for epoch in range(initial_epoch, epochs):
                hooks.call("on_epoch_begin", epoch, {})
                progress.begin(epoch)
                if steps := _train(model, feed, batches, tally, hooks, progress, tbptt):
                    logs = tally.logs()
                    if held_out is not None and validated(epoch):
                        hooks.call("on_test_begin", {})
                        held_logs = _test(held_out, held_batches, tally, hooks)
                        logs |= {f"val_{name}": value for name, value in held_logs.items()}
                    # Before the line appears: an epoch that was shown is an epoch that the history holds.
                    history.on_epoch_end(epoch, logs)
                    own = set(logs)
                    hooks.call("on_epoch_end", epoch, logs)
                    history.add({name: value for name, value in logs.items() if name not in own})
                    progress.end(logs, steps)
                if model.stop_training or feed.exhausted:
                    break
    finally:
        progress.close()
    hooks.call("on_train_end", logs)
    return history


def _train(
    model: Sequential,
    feed: Feed,
    batches: Batches,
    tally: Tally,
    hooks: Hooks,
    progress: Progress,
    tbptt: int | None,
) -> int:
    """An epoch; returns how many steps it took."""
    begins, ends = hooks.used("on_train_batch_begin"), hooks.used("on_train_batch_end")
    optimizer, step = model.optimizer, 0
    assert optimizer is not None
    tally.reset()
    for samples, rows in feed.epoch():
        for hook in begins:
            hook(step, {})
        if tbptt is None:
            batches.load(samples, rows).train(optimizer, tally)
        else:
            before = None
            for piece in _pieces(samples.x.shape[1], tbptt):
                batch = batches.load(samples, rows, piece)
                batch.carry(before)
                batch.train(optimizer, tally)
                before = batch
        for hook in ends:
            hook(step, tally.logs())
        step += 1
        if progress.due():
            progress.show(step, tally.logs())
        if model.stop_training:
            break
    return step


def evaluate(
    model: Sequential,
    x: Any,
    y: Any,
    batch_size: int | None,
    verbose: int | str,
    sample_weight: Any,
    steps: int | None,
    callbacks: Sequence[Callback] | Callback | None,
    return_dict: bool,
) -> float | list[float] | dict[str, float]:
    """See `Sequential.evaluate`."""
    _, loss = _compiled(model)
    return_dict = checks.boolean(return_dict, "return_dict")
    hooks = Hooks(callbacks)
    batch_size, steps = checks.optional_integer(batch_size, "batch_size"), checks.optional_integer(steps, "steps")
    feed = open_feed(Intake(model, loss), x, y, sample_weight, batch_size, steps=steps)
    progress = Progress(verbose, feed.steps)
    feed.shape()
    progress.begin()
    tally = Tally(model)
    hooks.begin("on_test_begin", model, {"verbose": verbose, "epochs": 1, "steps": feed.steps})
    with Compilation(model.backend, verbose):
        logs = _test(feed, Batches(model, loss, training=False), tally, hooks)
    progress.end(logs, tally.batches)
    return _result(logs, return_dict)


def predict(
    model: Sequential,
    x: Any,
    batch_size: int | None,
    verbose: int | str,
    steps: int | None = None,
    callbacks: Sequence[Callback] | Callback | None = None,
) -> np.ndarray:
    """See `Sequential.predict`."""
    hooks = Hooks(callbacks)
    batch_size, steps = checks.optional_integer(batch_size, "batch_size"), checks.optional_integer(steps, "steps")
    feed = open_feed(Intake(model, None), x, batch_size=batch_size, steps=steps)
    shape = feed.shape()
    progress = Progress(verbose, feed.steps)
    begins, ends = hooks.used("on_predict_batch_begin"), hooks.used("on_predict_batch_end")
    batches = Batches(model, None, training=False)
    progress.begin()
    hooks.begin("on_predict_begin", model, {"verbose": verbose, "epochs": 1, "steps": feed.steps})
    outputs = []
    with Compilation(model.backend, verbose):
        for step, (samples, rows) in enumerate(feed.epoch(again=False) if shape[0] else ()):
            for hook in begins:
                hook(step, {})
            batch = batches.load(samples, rows)
            batch.forward()
            outputs.append(np.array(model.backend.to_host(batch.y)))
            for hook in ends:
                hook(step, {"outputs": outputs[-1]})
    hooks.call("on_predict_end", {})
    progress.end({}, len(outputs))
    if not outputs:
        return np.empty(cast(tuple[int, ...], model.compute_output_shape(shape)), model.dtype)
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def train_on_batch(
    model: Sequential, batches: Batches, x: Any, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool
) -> float | list[float] | dict[str, float]:
    """See `Sequential.train_on_batch`."""
    optimizer, loss = _compiled(model)
    return_dict = checks.boolean(return_dict, "return_dict")
    samples = Intake(model, loss, class_weight).samples(x, y, sample_weight)
    model.settle(len(samples.x), _length(samples.x.shape))
    optimizer.bind(model.buffers)
    tally = Tally(model)
    batches.load(samples, slice(0, len(samples.x))).train(optimizer, tally)
    return _result(tally.logs(), return_dict)


def test_on_batch(
    model: Sequential, x: Any, y: Any, sample_weight: Any, return_dict: bool
) -> float | list[float] | dict[str, float]:
    """See `Sequential.test_on_batch`."""
    _, loss = _compiled(model)
    return_dict = checks.boolean(return_dict, "return_dict")
    samples, tally = Intake(model, loss).samples(x, y, sample_weight), Tally(model)
    Batches(model, loss, training=False).load(samples, slice(0, len(samples.x))).test(tally)
    return _result(tally.logs(), return_dict)


def _test(feed: Feed, batches: Batches, tally: Tally, hooks: Hooks) -> dict[str, float]:
    """Loss and metrics over a feed from its beginning."""
    begins, ends = hooks.used("on_test_batch_begin"), hooks.used("on_test_batch_end")
    tally.reset()
    for step, (samples, rows) in enumerate(feed.epoch(again=False)):
        for hook in begins:
            hook(step, {})
        batches.load(samples, rows).test(tally)
        for hook in ends:
            hook(step, tally.logs())
    logs = tally.logs() if tally.batches else {}
    hooks.call("on_test_end", logs)
    feed.restart()
    return logs


def _result(logs: dict[str, float], return_dict: bool) -> float | list[float] | dict[str, float]:
    if return_dict:
        return logs
    return logs["loss"] if len(logs) == 1 else list(logs.values())


# What comes in


def _compiled(model: Sequential) -> tuple[Optimizer, Loss]:
    if model.optimizer is None or model.loss is None:
        raise ValueError("the model is not compiled: call compile(optimizer, loss) first")
    return model.optimizer, model.loss


def _length(shape: tuple[int, ...]) -> int:
    """T of a batch of inputs."""
    return shape[1] if len(shape) > 1 else 1


def _open_validation(model: Sequential, loss: Loss, data: Any, batch_size: int | None, steps: int | None) -> Feed:
    """The feed of `validation_data`."""
    intake = Intake(model, loss, kind="the validation ")
    if gives_batches(data):
        return open_feed(intake, data, steps=steps)
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise ValueError("validation_data must be (x, y), (x, y, sample_weight), or give such batches")
    x, y, weights = data if len(data) == 3 else (*data, None)
    return open_feed(intake, x, y, weights, batch_size, steps=steps)


def _check_endless(feed: Feed | None, argument: str) -> None:
    if isinstance(feed, StreamFeed) and feed.once and feed.steps is None:
        raise ValueError(f"a generator ends with the first epoch: say with {argument} how many batches make an epoch")


def _validated(frequency: int | Sequence[int]) -> Callable[[int], bool]:
    """Whether an epoch, the first being 0, ends with a validation."""
    if isinstance(frequency, Sequence) and not isinstance(frequency, str):
        epochs = {checks.integer(epoch, "each epoch in validation_freq") for epoch in frequency}
        return lambda epoch: epoch + 1 in epochs
    every = checks.integer(frequency, "validation_freq")
    return lambda epoch: (epoch + 1) % every == 0


# Truncated BPTT


def _pieces(length: int, most: int) -> list[slice]:
    """A sequence cut into pieces, of which the last may be shorter."""
    return [slice(begin, min(begin + most, length)) for begin in range(0, length, most)]


def _check_pieces(model: Sequential) -> None:
    """Whether the model can read sequences piece by piece: each layer gives a step for a step, and looks only back."""
    for length in (2, 3):
        shape: Shape = (None, length, *model.input_shape[2:])
        for layer in model.layers:
            shape = layer.compute_output_shape(shape)
            parts = (layer, *getattr(layer, "wrapped", ()))
            if len(shape) < 3 or shape[1] != length:
                reason = "does not return sequences: let it, with return_sequences=True"
            elif any(getattr(part, "go_backwards", False) for part in parts):
                reason = "reads them backwards"
            elif any(getattr(part, "stateful", False) for part in parts):
                reason = "is stateful: tbptt carries the states by itself"
            else:
                continue
            raise ValueError(f"tbptt reads sequences piece by piece, but layer {layer.name!r} {reason}")
