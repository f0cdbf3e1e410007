"""The losses and the metrics, accumulated over batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from numlstm.kernels import Array, Backend
from numlstm.metrics import Metric
from numlstm.training.compiled import OutputChoice

__all__ = ["RunningMetrics"]


class RunningMetrics:
    """Accumulates the losses in scalars of the backend, and the metrics on the host.

    The loss is the mean over samples of the mean over each sample's rows, as in Keras: the weight of a sample does not
    depend on its number of steps. With several outputs it is the weighted sum of their losses.

    Args:
        backend: The backend that sums the losses.
        choices: The loss, its weight and the metrics of each output.
        names: The names of the outputs. They begin the names of losses and metrics if there are several.
    """

    def __init__(self, backend: Backend, choices: Sequence[OutputChoice], names: Sequence[str]) -> None:
        self._backend, self._choices = backend, choices
        several = len(choices) > 1
        self._losses = [
            (index, f"{name}_loss", choice.weight)
            for index, (choice, name) in enumerate(zip(choices, names, strict=True))
            if choice.loss is not None and several
        ]
        self._named: dict[str, Metric] = {}
        for choice, output in zip(choices, names, strict=True):
            prefix = f"{output}_" if several else ""
            for metric in choice.metrics:
                self._named[self._free(prefix + metric.name)] = metric
            for metric in choice.weighted_metrics:
                taken = prefix + metric.name in self._named
                self._named[self._free(f"{prefix}weighted_{metric.name}" if taken else prefix + metric.name)] = metric
        self._totals: dict[tuple[int, int], Array] = {}
        self._samples = 0.0
        self.batches = 0
        """The number of batches so far."""
        self.not_finite: tuple[int, int] | None = None
        """The first and the last batch, from 1, by which the loss can have become NaN or infinite; None: it is finite.

        Between two looks at the loss nobody knows it: looking at every batch would make each step wait."""
        self._finite = 0  # Batches at the last look at a finite loss.
        self._reset_metrics()

    def _free(self, name: str) -> str:
        """The name, with a number appended if it is taken, as in Keras."""
        free, number = name, 0
        taken = {"loss", *self._named, *(loss for _, loss, _ in self._losses)}
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        return free

    def _reset_metrics(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of all outputs."""
        return [metric for choice in self._choices for metric in (*choice.metrics, *choice.weighted_metrics)]

    def reset(self) -> None:
        """Reset the losses and all metrics."""
        for total in self._totals.values():
            self._backend.copy(total, np.zeros(1))
        self._samples, self.batches = 0.0, 0
        self.not_finite, self._finite = None, 0
        self._reset_metrics()

    def total(self, steps: int, index: int = 0) -> Array:
        """The scalar that sums the loss of an output over the rows of samples with this number of rows each."""
        key = steps, index
        if key not in self._totals:
            self._totals[key] = self._backend.zeros((1,), "float64")
        return self._totals[key]

    def penalties(self, steps: int) -> Array:
        """The scalar that sums the penalties on weights, as often as there are rows."""
        return self.total(steps, _PENALTIES if self._losses else 0)

    def count(self, samples: float) -> None:
        """Count a batch of this number of samples, after its loss has been added."""
        self._samples += samples
        self.batches += 1

    @property
    def sees_outputs(self) -> bool:
        """Whether there are metrics. They need each batch's outputs on the host."""
        return bool(self.metrics)

    def update(
        self, index: int, targets: np.ndarray, y: np.ndarray, mask: np.ndarray | None, weights: np.ndarray | None
    ) -> None:
        """Update the metrics of an output with a batch.

        Args:
            index: The number of the output.
            targets: The targets, in the loss' shape and dtype.
            y: The output.
            mask: 1 where a row counts, else 0; None: all rows count.
            weights: The weights of the rows; None: ones.
        """
        both = mask if weights is None else weights if mask is None else weights * mask
        choice = self._choices[index]
        for group, counts in ((choice.metrics, mask), (choice.weighted_metrics, both)):
            for metric in group:
                metric.add_batch(targets, y, counts)

    def _look(self) -> list[tuple[int, float, int]]:
        """The sums of the losses, with the number of rows and the index of the output. Waits for the backend."""
        totals = [
            (steps, float(self._backend.to_host(total)[0]), index) for (steps, index), total in self._totals.items()
        ]
        if all(math.isfinite(total) for _, total, _ in totals):
            self._finite = self.batches
        elif self.not_finite is None:
            self.not_finite = self._finite + 1, max(self.batches, self._finite + 1)
        return totals

    def state(self) -> dict[str, Any]:
        """The sums so far, as plain data."""
        return {
            "totals": self._look(),
            "samples": self._samples,
            "batches": self.batches,
            "names": self.names,
            "metrics": [metric.state() for metric in self.metrics],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `state`."""
        for steps, total, *index in state["totals"]:  # Early checkpoints do not contain the index.
            self._backend.copy(self.total(steps, *index), np.array([total]))
        self._samples, self.batches = state["samples"], state["batches"]
        self._look()
        for metric, kept in zip(self.metrics, state["metrics"], strict=True):
            metric.set_state(kept)

    @property
    def names(self) -> list[str]:
        """The names in the logs."""
        return ["loss", *(name for _, name, _ in self._losses), *self._named]

    def logs(self) -> dict[str, float]:
        """The mean losses over all samples so far and the metrics, by name. Waits for the backend."""
        sums: dict[int, float] = {}
        for steps, total, index in self._look():
            sums[index] = sums.get(index, 0) + total / steps
        count = self._samples or 1.0
        if self._losses:
            losses = {name: sums.get(index, 0) / count for index, name, _ in self._losses}
            weighted = sum(weight * losses[name] for _, name, weight in self._losses)
            logs = {"loss": weighted + sums.get(_PENALTIES, 0) / count, **losses}
        else:
            logs = {"loss": sum(sums.values()) / count}
        return logs | {name: float(metric.result()) for name, metric in self._named.items()}


_PENALTIES = -1
"""The index of the penalties on weights among the sums of several outputs."""
