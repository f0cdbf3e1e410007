"""A batch on the backend: buffers that are allocated once, a model's passes over them, and the loss at their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, cast

import numpy as np

from numlstm.kernels import Array, Backend

if TYPE_CHECKING:
    from numlstm.losses import Loss
    from numlstm.metrics import Metric
    from numlstm.model import Sequential
    from numlstm.optimizers import Optimizer

__all__ = ["Batch", "Batches", "Rows", "Samples", "Tally"]

Rows = slice | np.ndarray
"""Which samples make a batch."""

_ALIGNMENT = 64  # Bytes.

_KEPT = 4
"""Batches that stay wired up: whole and last ones, and in truncated BPTT whole and last pieces of each."""


@dataclass(eq=False)
class Samples:
    """What batches are made of, checked.

    x: (samples, ...) of any real dtype
    y: (samples, ...) as the loss takes it; None where nobody asks for a loss
    weights: (samples,) or (samples, steps); None: ones
    """

    x: np.ndarray
    y: np.ndarray | None = None
    weights: np.ndarray | None = None


class Batch:
    """A model wired up for batches of one shape: inputs, passes and outputs; with a loss, targets and weights too.

    To the loss a sample is a row, or each step of one. R is their number.
    """

    def __init__(self, model: Sequential, shape: tuple[int, ...], loss: Loss | None, training: bool) -> None:
        self._backend, self._loss, self._training = model.backend, loss, training
        parts = [(shape, model.input_dtype)]
        if loss is not None:
            y_shape = cast(tuple[int, ...], model.compute_output_shape(shape))
            parts += [(loss.target_shape(y_shape), loss.target_dtype(model.dtype)), (y_shape[:-1], model.dtype)]
        self._cargo = _Cargo(self._backend, parts)
        self._inputs, *rest = self._cargo.ports
        if loss is not None:
            self._targets, self._weights = rest
        self._passes = model.passes(self._inputs.array, training)
        self.y, self.mask = self._passes[-1].y, self._passes[-1].mask
        if loss is not None:
            self._aim(model, loss)
        self._repeat: Callable[[], None] | None = None
        """A step as the backend has recorded it, and for whom."""
        self._repeated_for: tuple[object, ...] = ()
        self._carried = False
        self.steps = 1
        """Rows of a sample: of a whole one, where pieces of samples are loaded."""

    def _aim(self, model: Sequential, loss: Loss) -> None:
        backend, dtype, shape = self._backend, model.dtype, tuple(self.y.shape)
        self.rows = prod(shape[:-1])
        if self.mask is not None and len(shape) > 3:
            raise ValueError(
                f"some steps are masked, but the model's outputs of shape {shape} have axes within a step, which a "
                "loss cannot leave out: end with TimeDistributed(Flatten())"
            )
        self._weighted = False
        dy = self._passes[-1].dy if self._training else backend.empty(shape, dtype)
        flat = (self.rows, shape[-1])
        self._flat_y, self._flat_dy = self.y.reshape(flat), dy.reshape(flat)
        self._flat_target = self._targets.array.reshape(self.rows, *self._targets.host.shape[len(shape) - 1 :])
        self._flat_mask = None if self.mask is None else self.mask.reshape(self.rows)
        self._counts: Array = None
        self._penalties = []
        for layer in model.layers:
            for name, penalty in layer.regularized:
                size = prod(layer.parameters.shapes[name])
                gradient = layer.parameters.gradient(name).reshape(size) if self._training else None
                self._penalties.append((layer.parameters.value(name).reshape(size), gradient, penalty))

    def load(self, samples: Samples, rows: Rows, steps: slice | None = None) -> None:
        """Bring samples in, and what belongs to them; with `steps`, no more than these of each."""
        given = [samples.x, samples.y, samples.weights] if self._loss is not None else [samples.x]
        self._weighted = self._loss is not None and samples.weights is not None
        self.steps = prod(self.y.shape[1:-1])
        if steps is not None:
            self.steps = self.steps // (steps.stop - steps.start) * samples.x.shape[1]
        filled = [(port, part) for port, part in zip(self._cargo.ports, given, strict=True) if part is not None]
        for port, part in filled:
            port.fill(part, rows, steps)
        self._cargo.send(len(filled))

    def carry(self, before: Batch | None) -> None:
        """Begin with the states in which another batch ended; None: with zeros."""
        self._carried = True
        earlier = [None] * len(self._passes) if before is None else before._passes
        for run, other in zip(self._passes, earlier, strict=True):
            run.carry(other)

    def forward(self) -> None:
        """Compute y."""
        for run in self._passes:
            run.forward()

    def train(self, optimizer: Optimizer, tally: Tally) -> None:
        """Take one step with the samples that have been loaded."""
        optimizer.begin()
        wanted = (optimizer, tally, self._weighted, optimizer.settings())
        if self._repeated_for != wanted:
            # The next one like it is recorded: a single one is not worth it.
            self._repeat, self._repeated_for = None, wanted
            self._step(optimizer, tally)
        elif self._repeat is not None:
            self._repeat()
        elif not self._carried and all(run.repeats for run in self._passes):
            self._repeat = self._backend.repeatable(lambda: self._step(optimizer, tally))
        else:
            self._step(optimizer, tally)
        optimizer.end()
        tally.count(self)

    def _step(self, optimizer: Optimizer, tally: Tally) -> None:
        self.forward()
        self._add_loss(tally)
        for run in reversed(self._passes):
            run.backward()
        self._add_penalties(tally)
        optimizer.apply()

    def test(self, tally: Tally) -> None:
        """See how far the model is off with the samples that have been loaded."""
        self.forward()
        self._add_loss(tally)
        self._add_penalties(tally)
        tally.count(self)

    def _add_loss(self, tally: Tally) -> None:
        assert self._loss is not None
        weights = self._weights.array.reshape(self.rows) if self._weighted else None
        mask = self._loss.mask(self._backend, self._flat_target, self._flat_mask)
        if mask is not None:
            if self._counts is None:
                self._counts = self._backend.empty((self.rows,), str(self.y.dtype))
            self._backend.mask_weights(mask, weights, self._counts)
            weights = self._counts
        total = tally.total(self.steps)
        self._loss.run(self._backend, self._flat_y, self._flat_target, weights, total, self._flat_dy)

    def _add_penalties(self, tally: Tally) -> None:
        for parameter, gradient, penalty in self._penalties:
            total = tally.total(self.steps)
            self._backend.regularize(parameter, gradient, self.rows, penalty.l1, penalty.l2, total)

    def update(self, metrics: list[Metric], weighted: list[Metric]) -> None:
        """Show metrics the targets and the outputs, which come down for this.

        Args:
            metrics: These see the mask alone.
            weighted: These see the samples' weights too.
        """
        y = self._backend.to_host(self.y)
        mask = None if self.mask is None else self._backend.to_host(self.mask).astype(y.dtype)
        weights = self._weights.host if self._weighted else None
        both = mask if weights is None else weights if mask is None else weights * mask
        for group, counts in ((metrics, mask), (weighted, both)):
            for metric in group:
                metric.update_state(self._targets.host, y, counts)


class Batches:
    """A model's batches, wired up when first needed and kept for others of their shape."""

    def __init__(self, model: Sequential, loss: Loss | None, training: bool) -> None:
        self._model, self._loss, self._training = model, loss, training
        self._wired: dict[tuple[int, ...], Batch] = {}

    def load(self, samples: Samples, rows: Rows, steps: slice | None = None) -> Batch:
        """The batch of these samples, or of some of their steps, loaded."""
        count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        shape = (count, *samples.x.shape[1:])
        if steps is not None:
            shape = (count, steps.stop - steps.start, *shape[2:])
        batch = self._wired.get(shape) or self._wire(shape)
        batch.load(samples, rows, steps)
        return batch

    def _wire(self, shape: tuple[int, ...]) -> Batch:
        if len(self._wired) == _KEPT:
            del self._wired[next(iter(self._wired))]
        self._wired[shape] = Batch(self._model, shape, self._loss, self._training)
        return self._wired[shape]


class Tally:
    """Loss and metrics over batches: the loss in scalars of the backend, the metrics on the host.

    The loss is the mean over a batch's rows, and of these the mean over all samples, as in Keras: a sample counts as
    much as any other, however many steps it has.
    """

    def __init__(self, model: Sequential) -> None:
        self._backend = model.backend
        self._metrics, self._weighted = model.metrics, model.weighted_metrics
        self._named: dict[str, Metric] = {}
        for metric in self._metrics:
            self._named[self._free(metric.name)] = metric
        for metric in self._weighted:
            taken = metric.name in self._named
            self._named[self._free(f"weighted_{metric.name}" if taken else metric.name)] = metric
        self._totals: dict[int, Array] = {}
        self._samples = 0.0
        self.batches = 0
        """Their number so far."""
        self._reset_metrics()

    def _free(self, name: str) -> str:
        """The name, with a number behind it where another metric has it, as Keras tells them apart."""
        free, number = name, 0
        while free in self._named or free == "loss":
            number += 1
            free = f"{name}_{number}"
        return free

    def _reset_metrics(self) -> None:
        for metric in (*self._metrics, *self._weighted):
            metric.reset_state()

    def reset(self) -> None:
        """Begin anew."""
        for total in self._totals.values():
            self._backend.copy(total, np.zeros(1))
        self._samples, self.batches = 0.0, 0
        self._reset_metrics()

    def total(self, steps: int) -> Array:
        """Where to add the loss of samples of so many rows each, summed over the rows."""
        if steps not in self._totals:
            self._totals[steps] = self._backend.zeros((1,), "float64")
        return self._totals[steps]

    def count(self, batch: Batch) -> None:
        """Count a batch in whose loss has been added."""
        self._samples += batch.rows / batch.steps
        self.batches += 1
        if self._metrics or self._weighted:
            batch.update(self._metrics, self._weighted)

    @property
    def names(self) -> list[str]:
        """Those of the numbers in the logs."""
        return ["loss", *self._named]

    def logs(self) -> dict[str, float]:
        """By name the loss, as a mean over all samples so far, and the metrics; waits for the backend."""
        loss = sum(float(self._backend.to_host(total)[0]) / steps for steps, total in self._totals.items())
        logs = {"loss": loss / (self._samples or 1.0)}
        return logs | {name: float(metric.result()) for name, metric in self._named.items()}


class _Cargo:
    """Buffers of the host that go up to the backend in one copy.

    Args:
        backend: Where to.
        parts: Their shapes and dtypes, of which the first few may go alone.
    """

    def __init__(self, backend: Backend, parts: Sequence[tuple[tuple[int, ...], str]]) -> None:
        self._backend = backend
        words = [-(-prod(shape) * np.dtype(dtype).itemsize // _ALIGNMENT) * (_ALIGNMENT // 8) for shape, dtype in parts]
        self._ends = list(accumulate(words))
        self._host = np.zeros(sum(words), "float64")
        self._array = backend.asarray(self._host, "float64")
        self.ports = [
            _Port(
                *(
                    whole[end - size : end].view(dtype)[: prod(shape)].reshape(shape)
                    for whole in (self._host, self._array)
                )
            )
            for (shape, dtype), size, end in zip(parts, words, self._ends, strict=True)
        ]

    def send(self, count: int) -> None:
        """Bring up the first few; on the CPU they are there."""
        if self._array is not self._host:
            end = self._ends[count - 1]
            self._backend.copy(self._array[:end], self._host[:end])


@dataclass(eq=False)
class _Port:
    """A buffer of the host and its twin on the backend; on the CPU they are one."""

    host: np.ndarray
    array: Array

    def fill(self, source: np.ndarray, rows: Rows, steps: slice | None) -> None:
        """Gather rows of the source, all their steps or some; what has no steps counts for each."""
        if source.ndim < self.host.ndim:
            self.host[...] = source[rows].reshape(-1, *(1,) * (self.host.ndim - 1))
        elif steps is not None:
            self.host[...] = source[:, steps][rows]
        elif isinstance(rows, slice) or source.dtype != self.host.dtype or not source.flags.c_contiguous:
            self.host[...] = source[rows]
        else:
            # "clip" spares the copy that "raise" makes to keep its promise; the rows are in range.
            np.take(source, rows, axis=0, out=self.host, mode="clip")
