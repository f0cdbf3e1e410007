"""The loss and the metrics, accumulated over batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numlstm.kernels import Array, Backend
from numlstm.metrics import Metric

__all__ = ["RunningMetrics"]


class RunningMetrics:
    """Accumulates the loss in scalars of the backend, and the metrics on the host.

    The loss is the mean over samples of the mean over each sample's rows, as in Keras: the weight of a sample does not
    depend on its number of steps.

    Args:
        backend: The backend that sums the loss.
        metrics: Metrics that are weighted by the mask only.
        weighted: Metrics that are weighted by the mask and the sample weights.
    """

    def __init__(self, backend: Backend, metrics: list[Metric], weighted: list[Metric]) -> None:
        self._backend, self._metrics, self._weighted = backend, metrics, weighted
        self._named: dict[str, Metric] = {}
        for metric in self._metrics:
            self._named[self._free(metric.name)] = metric
        for metric in self._weighted:
            taken = metric.name in self._named
            self._named[self._free(f"weighted_{metric.name}" if taken else metric.name)] = metric
        self._totals: dict[int, Array] = {}
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
        while free in self._named or free == "loss":
            number += 1
            free = f"{name}_{number}"
        return free

    def _reset_metrics(self) -> None:
        for metric in (*self._metrics, *self._weighted):
            metric.reset_state()

    def reset(self) -> None:
        """Reset the loss and all metrics."""
        for total in self._totals.values():
            self._backend.copy(total, np.zeros(1))
        self._samples, self.batches = 0.0, 0
        self.not_finite, self._finite = None, 0
        self._reset_metrics()

    def total(self, steps: int) -> Array:
        """The scalar that sums the loss over the rows of samples with this number of rows each."""
        if steps not in self._totals:
            self._totals[steps] = self._backend.zeros((1,), "float64")
        return self._totals[steps]

    def count(self, samples: float) -> None:
        """Count a batch of this number of samples, after its loss has been added."""
        self._samples += samples
        self.batches += 1

    @property
    def sees_outputs(self) -> bool:
        """Whether there are metrics. They need each batch's outputs on the host."""
        return bool(self._metrics or self._weighted)

    def update(self, targets: np.ndarray, y: np.ndarray, mask: np.ndarray | None, weights: np.ndarray | None) -> None:
        """Update the metrics with a batch.

        Args:
            targets: The targets, in the loss' shape and dtype.
            y: The outputs.
            mask: 1 where a row counts, else 0; None: all rows count.
            weights: The weights of the rows; None: ones.
        """
        both = mask if weights is None else weights if mask is None else weights * mask
        for group, counts in ((self._metrics, mask), (self._weighted, both)):
            for metric in group:
                metric.update_state(targets, y, counts)

    def _look(self) -> list[tuple[int, float]]:
        """The sums of the loss by the number of rows. Waits for the backend."""
        totals = [(steps, float(self._backend.to_host(total)[0])) for steps, total in self._totals.items()]
        if all(math.isfinite(total) for _, total in totals):
            self._finite = self.batches
        elif self.not_finite is None:
            self.not_finite = self._finite + 1, max(self.batches, self._finite + 1)
        return totals

    def state(self) -> dict[str, Any]:
        """The sums so far, as plain data."""
        return {
            "totals": [[steps, total] for steps, total in self._look()],
            "samples": self._samples,
            "batches": self.batches,
            "names": self.names,
            "metrics": [metric.state() for metric in (*self._metrics, *self._weighted)],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `state`."""
        for steps, total in state["totals"]:
            self._backend.copy(self.total(steps), np.array([total]))
        self._samples, self.batches = state["samples"], state["batches"]
        self._look()
        for metric, kept in zip((*self._metrics, *self._weighted), state["metrics"], strict=True):
            metric.set_state(kept)

    @property
    def names(self) -> list[str]:
        """The names in the logs."""
        return ["loss", *self._named]

    def logs(self) -> dict[str, float]:
        """The mean loss over all samples so far and the metrics, by name. Waits for the backend."""
        loss = sum(total / steps for steps, total in self._look())
        logs = {"loss": loss / (self._samples or 1.0)}
        return logs | {name: float(metric.result()) for name, metric in self._named.items()}
