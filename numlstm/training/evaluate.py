"""Passes over data without training: evaluation and prediction."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from numlstm import checks
from numlstm.callbacks.callback_list import CallbackList
from numlstm.network import Network
from numlstm.training.batch import Batches, IdleBatches
from numlstm.training.compiled import Compiled
from numlstm.training.feeds import Feed, open_feed
from numlstm.training.input_checker import InputChecker
from numlstm.training.progress import Compilation, Progress
from numlstm.training.running_metrics import RunningMetrics

__all__ = ["evaluate", "one_or_all", "predict", "run_test", "test_on_batch"]


def evaluate(
    network: Network,
    compiled: Compiled,
    callbacks: CallbackList,
    data: tuple[Any, Any, Any],
    batch_size: int | None,
    steps: int | None,
    verbose: int | str,
) -> dict[str, float]:
    """Compute the loss and the metrics over data (x, y, sample_weight). Arguments as for `Model.evaluate`."""
    batch_size, steps = checks.optional_integer(batch_size, "batch_size"), checks.optional_integer(steps, "steps")
    x, y, sample_weight = data
    feed = open_feed(
        InputChecker(network, [loss for loss, _ in compiled.losses]), x, y, sample_weight, batch_size, steps=steps
    )
    progress = Progress(verbose, feed.steps)
    feed.shapes()
    progress.begin()
    metrics = RunningMetrics(network.backend, compiled.outputs, network.output_names)
    callbacks.begin_test({"verbose": verbose, "epochs": 1, "steps": feed.steps})
    with Compilation(network.backend, verbose):
        logs = run_test(feed, Batches(network, compiled.losses, training=False), metrics, callbacks)
    progress.end(logs, metrics.batches)
    return logs


def run_test(feed: Feed, batches: Batches, metrics: RunningMetrics, callbacks: CallbackList) -> dict[str, float]:
    """Compute the loss and the metrics over one epoch of a feed, then restart the feed."""
    begin_hooks, end_hooks = callbacks.listeners("on_test_batch_begin"), callbacks.listeners("on_test_batch_end")
    metrics.reset()
    for step, (samples, rows) in enumerate(feed.epoch()):
        for hook in begin_hooks:
            hook(step, {})
        batches.load(samples, rows).test(metrics)
        for hook in end_hooks:
            hook(step, metrics.logs())
        if callbacks.stop_evaluating:
            break
    logs = metrics.logs() if metrics.batches else {}
    callbacks.call("on_test_end", logs)
    feed.restart()
    return logs


def test_on_batch(network: Network, compiled: Compiled, x: Any, y: Any, sample_weight: Any) -> dict[str, float]:
    """Compute the loss and the metrics of one batch."""
    samples = InputChecker(network, [loss for loss, _ in compiled.losses]).samples(x, y, sample_weight)
    metrics = RunningMetrics(network.backend, compiled.outputs, network.output_names)
    Batches(network, compiled.losses, training=False).load(samples, slice(0, len(samples))).test(metrics)
    return metrics.logs()


def predict(
    network: Network,
    callbacks: CallbackList,
    x: Any,
    batch_size: int | None,
    steps: int | None,
    verbose: int | str,
    idle: IdleBatches,
) -> list[np.ndarray]:
    """Compute the network's outputs. Arguments as for `Model.predict`; idle: keeps batches between predictions."""
    batch_size, steps = checks.optional_integer(batch_size, "batch_size"), checks.optional_integer(steps, "steps")
    feed = open_feed(InputChecker(network, []), x, batch_size=batch_size, steps=steps)
    shapes = feed.shapes()
    progress = Progress(verbose, feed.steps)
    begin_hooks, end_hooks = callbacks.listeners("on_predict_batch_begin"), callbacks.listeners("on_predict_batch_end")
    batches = idle.take(network)
    progress.begin()
    callbacks.begin_prediction({"verbose": verbose, "epochs": 1, "steps": feed.steps})
    outputs: list[list[np.ndarray]] = []
    with Compilation(network.backend, verbose):
        for step, (samples, rows) in enumerate(feed.epoch() if shapes[0][0] else ()):
            for hook in begin_hooks:
                hook(step, {})
            batch = batches.load(samples, rows)
            batch.forward()
            outputs.append([np.array(network.backend.to_host(y)) for y in batch.outputs])
            for hook in end_hooks:
                hook(step, {"outputs": one_or_all(outputs[-1])})
            if callbacks.stop_predicting:
                break
    idle.give(batches)
    callbacks.call("on_predict_end", {})
    progress.end({}, len(outputs))
    if not outputs:
        return [
            np.empty(cast(tuple[int, ...], shape), network.dtype) for shape in network.compute_output_shapes(shapes)
        ]
    return outputs[0] if len(outputs) == 1 else [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def one_or_all(parts: list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """The only part, or the list of all parts."""
    return parts[0] if len(parts) == 1 else parts
