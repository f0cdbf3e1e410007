"""The parts of a training that a checkpoint keeps, and whether a checkpoint is of this training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.callbacks.callback_list import CallbackList
from numlstm.layers.layer import all_layers
from numlstm.messages import quoted
from numlstm.network import Network
from numlstm.optimizers import Optimizer
from numlstm.training.batch import Batches
from numlstm.training.feeds import Feed
from numlstm.training.running_metrics import RunningMetrics

__all__ = ["Parts", "check_same"]


@dataclass(eq=False, repr=False)
class Parts:
    """The parts of a training that have a state. All are ready to begin it.

    epochs: the number of the last epoch, counted from 1
    """

    network: Network
    optimizer: Optimizer
    feed: Feed
    batches: Batches
    metrics: RunningMetrics
    callbacks: CallbackList
    epochs: int


def check_same(state: dict[str, Any], parts: Parts) -> None:
    """Raise ValueError if a checkpoint is not of this training."""
    weights = parts.network.get_weights()
    compared = [
        ("the shapes of the weights", *(list(map(np.shape, each)) for each in (state["weights"], weights))),
        ("the optimizer", state["optimizer_name"], type(parts.optimizer).__name__),
        ("the number of layers", len(state["layers"]), len(list(all_layers(parts.network.layers)))),
        ("the data", state["feed"]["facts"], parts.feed.facts()),
        # Early files do not contain the names.
        ("the metrics", state["metrics"].get("names", parts.metrics.names), parts.metrics.names),
        ("the number of metrics", len(state["metrics"]["metrics"]), len(parts.metrics.metrics)),
        ("the callbacks", [one["class"] for one in state["callbacks"]], parts.callbacks.names),
    ]
    for what, stored, own in compared:
        if stored != own:
            raise ValueError(
                f"the checkpoint is of another training: {what}: there {quoted(stored)}, here {quoted(own)}; "
                "give fit the arguments of the training that wrote it"
            )
    epoch, batch = (checks.integer(state[name], f"the checkpoint's {name}", least=0) for name in ("epoch", "batch"))
    if epoch + bool(batch) > parts.epochs:
        raise ValueError(f"the checkpoint is of epoch {epoch + bool(batch)}, but the training ends with {parts.epochs}")
    if parts.feed.steps is not None and batch > parts.feed.steps:
        raise ValueError(
            f"the checkpoint is damaged: it has {batch} batches of an epoch, but an epoch has {parts.feed.steps}"
        )
