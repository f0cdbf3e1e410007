"""The training loop: load a batch, compute the loss, backpropagate through time, update the weights.

Buffers are allocated once per batch shape. The loss stays on the backend. It is copied to the host once per epoch, and
whenever a callback or the progress bar reads it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numlstm import checks
from numlstm.callbacks import History
from numlstm.callbacks.callback_list import CallbackList
from numlstm.network import Network
from numlstm.training.batch import Batches
from numlstm.training.checkpoint import Checkpoints, Position
from numlstm.training.compiled import Compiled
from numlstm.training.evaluate import run_test
from numlstm.training.feeds import ArrayFeed, Feed, gives_batches, open_feed
from numlstm.training.input_checker import InputChecker
from numlstm.training.parts import Parts
from numlstm.training.progress import Compilation, Progress
from numlstm.training.running_metrics import RunningMetrics
from numlstm.training.samples import Rows, Samples
from numlstm.training.truncated import check_pieces, length_of, pieces

__all__ = ["Data", "Epochs", "Validation", "fit", "step_of", "train_on_batch"]


@dataclass(eq=False, repr=False)
class Data:
    """The arguments of `Model.fit` that define the training data. `steps` is `steps_per_epoch`."""

    x: Any
    y: Any
    sample_weight: Any
    class_weight: Any
    batch_size: int | None
    steps: int | None
    shuffle: bool

    def __post_init__(self) -> None:
        self.batch_size = checks.optional_integer(self.batch_size, "batch_size")
        self.steps = checks.optional_integer(self.steps, "steps_per_epoch")
        self.shuffle = checks.boolean(self.shuffle, "shuffle")


@dataclass(eq=False, repr=False)
class Validation:
    """The arguments of `Model.fit` that define the data and the epochs of `val_loss`."""

    split: float
    data: Any
    batch_size: int | None
    steps: int | None
    frequency: int | Sequence[int]

    def __post_init__(self) -> None:
        self.split = checks.fraction(self.split, "validation_split")
        self.batch_size = checks.optional_integer(self.batch_size, "validation_batch_size")
        self.steps = checks.optional_integer(self.steps, "validation_steps")
        self.comes_after = _comes_after(self.frequency)


@dataclass(eq=False, repr=False)
class Epochs:
    """The arguments of `Model.fit` that define the epochs, the output and `tbptt`."""

    last: int
    initial: int
    verbose: int | str
    tbptt: int | None

    def __post_init__(self) -> None:
        self.last = checks.integer(self.last, "epochs", least=0)
        self.initial = checks.integer(self.initial, "initial_epoch", least=0)
        self.tbptt = checks.optional_integer(self.tbptt, "tbptt")


def fit(
    network: Network,
    compiled: Compiled,
    callbacks: CallbackList,
    data: Data,
    validation: Validation,
    epochs: Epochs,
    checkpoints: Checkpoints,
) -> History:
    """Train a network. Arguments as for `Model.fit`, in groups."""
    losses, verbose = compiled.losses, epochs.verbose
    checker = InputChecker(network, [loss for loss, _ in losses], data.class_weight, warns_of_nan=True)
    feed = open_feed(checker, data.x, data.y, data.sample_weight, data.batch_size, data.shuffle, data.steps)
    held_out = _held_out(network, compiled, feed, data, validation)
    if epochs.last - epochs.initial > 1:
        _check_endless(held_out)

    shapes = feed.shapes()
    if epochs.tbptt is not None:
        check_pieces(network, [loss for loss, _ in losses])
    compiled.prepare(network, shapes, verbose)
    compiled.optimizer.allocate(network.buffers)
    batches, held_batches = Batches(network, losses, training=True), Batches(network, losses, training=False)
    metrics = RunningMetrics(network.backend, compiled.outputs, network.output_names)
    progress = Progress(verbose, feed.steps, epochs.last)

    logs: dict[str, float] = {}
    names = [*metrics.names, *(f"val_{name}" for name in metrics.names if held_out is not None)]
    metrics.reset()
    checkpoints.prepare(Parts(network, compiled.optimizer, feed, batches, metrics, callbacks, epochs.last))
    history = callbacks.begin_training(
        {"verbose": verbose, "epochs": epochs.last, "steps": feed.steps, "metrics": names}
    )
    start = checkpoints.begin(history) or Position(epochs.initial, 0, False)
    if start.stopped and not start.batch:
        start = Position(epochs.last, 0, True)
    run = _Run(compiled, feed, batches, metrics, callbacks, progress, checkpoints, epochs.tbptt)
    try:
        # Some kernels are compiled only when a batch is large enough for several threads.
        with Compilation(network.backend, verbose), checkpoints.running():
            for epoch in range(start.epoch, epochs.last):
                callbacks.call("on_epoch_begin", epoch, {})
                checkpoints.begin_epoch()
                progress.begin(epoch)
                steps = run.epoch(epoch, start)
                start = Position(epoch + 1, 0, False)
                compiled.kernel_name = batches.kernel_name
                if steps:
                    logs = metrics.logs()
                    history.not_finite = metrics.not_finite
                    if held_out is not None and validation.comes_after(epoch):
                        with checkpoints.validating(epoch, steps):
                            callbacks.begin_validation()
                            held_logs = run_test(held_out, held_batches, metrics, callbacks)
                        logs |= {f"val_{name}": value for name, value in held_logs.items()}
                    # The history comes before the progress line: every epoch that was printed is in the history.
                    history.on_epoch_end(epoch, logs)
                    own = set(logs)
                    callbacks.call("on_epoch_end", epoch, logs)
                    history.add({name: value for name, value in logs.items() if name not in own})
                    progress.end(logs, steps)
                    checkpoints.after_epoch(epoch, logs)
                if callbacks.stop_training:
                    break
                if feed.exhausted:
                    if feed.steps is None and epoch + 1 < epochs.last:
                        warnings.warn(
                            f"the data ended with epoch {epoch + 1} of {epochs.last}, as a generator's do: say with "
                            "steps_per_epoch how many batches make an epoch, or give data that can be read again",
                            stacklevel=3,
                        )
                    break
    finally:
        compiled.kernel_name = batches.kernel_name
        progress.close()
    callbacks.call("on_train_end", logs)
    return history


def train_on_batch(
    network: Network,
    compiled: Compiled,
    kept: Callable[[], tuple[Batches, RunningMetrics]],
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Any,
) -> dict[str, float]:
    """Take one training step, and return the loss and the metrics from before the update.

    `kept` returns the batches and the metrics that are used again, so that a step like the last one is replayed. It is
    called when the weights lie where the step trains them.
    """
    checker = InputChecker(network, [loss for loss, _ in compiled.losses], class_weight)
    samples = checker.samples(x, y, sample_weight)
    compiled.prepare(network, samples.shapes)
    compiled.optimizer.allocate(network.buffers)
    batches, metrics = kept()
    metrics.reset()
    batches.load(samples, slice(0, len(samples))).train(compiled.optimizer, metrics)
    return metrics.logs()


def step_of(network: Network, compiled: Compiled) -> tuple[Batches, RunningMetrics]:
    """New batches and metrics for `train_on_batch`."""
    metrics = RunningMetrics(network.backend, compiled.outputs, network.output_names)
    return Batches(network, compiled.losses, training=True), metrics


@dataclass(eq=False, repr=False)
class _Run:
    """What the epochs of a training share."""

    compiled: Compiled
    feed: Feed
    batches: Batches
    metrics: RunningMetrics
    callbacks: CallbackList
    progress: Progress
    checkpoints: Checkpoints
    tbptt: int | None

    def epoch(self, epoch: int, start: Position) -> int:
        """Train for one epoch from a position in it, and return the number of its batches."""
        begin_hooks = self.callbacks.listeners("on_train_batch_begin")
        end_hooks = self.callbacks.listeners("on_train_batch_end")
        metrics, step = self.metrics, start.batch
        if not step:
            metrics.reset()
        for samples, rows in () if start.stopped else self.feed.epoch(begun=step):
            for hook in begin_hooks:
                hook(step, {})
            self._train(samples, rows)
            for hook in end_hooks:
                hook(step, metrics.logs())
            step += 1
            if self.progress.due():
                self.progress.show(step, metrics.logs())
            self.checkpoints.after_batch(epoch, step)
            if self.callbacks.stop_training:
                break
        return step

    def _train(self, samples: Samples, rows: Rows) -> None:
        """Take one training step, or with `tbptt` one for each piece of the sequences."""
        optimizer, metrics, batches = self.compiled.optimizer, self.metrics, self.batches
        if self.tbptt is None:
            batches.load(samples, rows).train(optimizer, metrics)
            return
        before = None
        for piece in pieces(length_of(samples.shapes), self.tbptt):
            batch = batches.load(samples, rows, piece)
            batch.continue_from(before)
            batch.train(optimizer, metrics)
            before = batch


# Validation


def _held_out(network: Network, compiled: Compiled, feed: Feed, data: Data, validation: Validation) -> Feed | None:
    """The feed of the validation data; None without validation."""
    batch_size, steps = validation.batch_size or data.batch_size, validation.steps
    if validation.data is None:
        if not validation.split:
            return None
        if not isinstance(feed, ArrayFeed):
            raise ValueError("validation_split divides arrays: give data that come in batches as validation_data")
        return feed.hold_out(validation.split, batch_size, steps)
    checker = InputChecker(network, [loss for loss, _ in compiled.losses], label="the validation ")
    if gives_batches(validation.data):
        return open_feed(checker, validation.data, steps=steps)
    if not isinstance(validation.data, tuple | list) or len(validation.data) not in (2, 3):
        raise ValueError("validation_data must be (x, y), (x, y, sample_weight), or give such batches")
    x, y, weights = validation.data if len(validation.data) == 3 else (*validation.data, None)
    return open_feed(checker, x, y, weights, batch_size, steps=steps)


def _check_endless(held_out: Feed | None) -> None:
    if held_out is not None and held_out.once and held_out.steps is None:
        raise ValueError(
            "a generator ends with the first validation: say with validation_steps how many batches make one"
        )


def _comes_after(frequency: int | Sequence[int]) -> Callable[[int], bool]:
    """Make a function that tells whether validation follows an epoch, counted from 0."""
    if isinstance(frequency, Sequence) and not isinstance(frequency, str):
        epochs = {checks.integer(epoch, "each epoch in validation_freq") for epoch in frequency}
        return lambda epoch: epoch + 1 in epochs
    every = checks.integer(frequency, "validation_freq")
    return lambda epoch: (epoch + 1) % every == 0
