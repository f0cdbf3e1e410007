"""Batches on the backend: buffers that are allocated once, the network's executor, and the loss."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import cast

import numpy as np

from numlstm.kernels import Array
from numlstm.losses import Loss
from numlstm.network import Network
from numlstm.optimizers import Optimizer
from numlstm.training.running_metrics import RunningMetrics
from numlstm.training.samples import Rows, Samples
from numlstm.training.staging import StagingBuffer

__all__ = ["Batch", "Batches"]

_KEPT = 4
"""How many batch shapes keep their buffers: full and last batch, each with full and last TBPTT piece."""


class Batch:
    """A network with buffers for batches of one shape: inputs and outputs and, with a loss, targets and weights.

    A row of the loss is a sample, or one step of a sample if the outputs have steps. R is the number of rows.

    Args:
        network: Built.
        shape: Shape of the inputs.
        loss: The loss; None for prediction.
        training: Whether `train` is called.
    """

    def __init__(self, network: Network, shape: tuple[int, ...], loss: Loss | None, training: bool) -> None:
        self._backend, self._loss, self._training = network.backend, loss, training
        parts = [(shape, network.input_dtype)]
        if loss is not None:
            y_shape = cast(tuple[int, ...], network.compute_output_shape(shape))
            parts += [(loss.target_shape(y_shape), loss.target_dtype(network.dtype)), (y_shape[:-1], network.dtype)]
        self._staging = StagingBuffer(self._backend, parts)
        self._inputs, *rest = self._staging.arrays
        # The kernels take ids and labels for addresses. So they are checked in the batch's own copy, in each batch: the
        # user's arrays may have changed since they were checked as a whole.
        self._addresses: list[tuple[Callable[[np.ndarray, str], object], np.ndarray, str]] = []
        if network.input_dtype != network.dtype:
            self._addresses.append((network.check_input, self._inputs.host, "x"))
        if loss is not None:
            self._targets, self._weights = rest
            if loss.target_dtype(network.dtype) != network.dtype:
                check = loss.check
                self._addresses.append((lambda labels, name: check(labels, y_shape, name), self._targets.host, "y"))
        self._executor = network.new_executor(self._inputs.array, training)
        self.y, self.mask = self._executor.y, self._executor.mask
        if loss is not None:
            self._prepare_loss(network)
        self._replay: Callable[[], None] | None = None
        """Replays the training step that the backend has recorded."""
        self._recorded_for: tuple[object, ...] = ()
        """The settings that the recorded step depends on."""
        self._continued = False
        self.steps = 1
        """Loss rows per sample, counted over the whole sequence even when only a piece is loaded."""

    def _prepare_loss(self, network: Network) -> None:
        backend, dtype, shape = self._backend, network.dtype, tuple(self.y.shape)
        self.rows = prod(shape[:-1])
        if self.mask is not None and len(shape) > 3:
            raise ValueError(
                f"some steps are masked, but the model's outputs of shape {shape} have axes within a step, which a "
                "loss cannot leave out: end with TimeDistributed(Flatten())"
            )
        self._weighted = False
        dy = self._executor.dy if self._training else backend.empty(shape, dtype)
        flat = (self.rows, shape[-1])
        self._flat_y, self._flat_dy = self.y.reshape(flat), dy.reshape(flat)
        self._flat_target = self._targets.array.reshape(self.rows, *self._targets.host.shape[len(shape) - 1 :])
        self._flat_mask = None if self.mask is None else self.mask.reshape(self.rows)
        self._counts: Array = None
        self._penalties = []
        for layer in network.layers:
            for name, penalty in layer.regularized:
                size = prod(layer.parameters.shapes[name])
                gradient = layer.parameters.gradient(name).reshape(size) if self._training else None
                self._penalties.append((layer.parameters.value(name).reshape(size), gradient, penalty))

    def load(self, samples: Samples, rows: Rows, steps: slice | None = None) -> None:
        """Copy samples, their targets and their weights into the buffers; with `steps`, only these time steps."""
        given = [samples.x, samples.y, samples.weights] if self._loss is not None else [samples.x]
        self._weighted = self._loss is not None and samples.weights is not None
        self.steps = prod(self.y.shape[1:-1])
        if steps is not None:
            self.steps = self.steps // (steps.stop - steps.start) * samples.x.shape[1]
        filled = [(array, part) for array, part in zip(self._staging.arrays, given, strict=True) if part is not None]
        for array, part in filled:
            array.fill(part, rows, steps)
        for check, numbers, name in self._addresses:
            check(numbers, samples.label + name)
        self._staging.send(len(filled))

    def continue_from(self, before: Batch | None) -> None:
        """Use the final states of another batch as initial states; None: zeros. Steps are not recorded then."""
        self._continued = True
        self._executor.continue_from(None if before is None else before._executor)

    @property
    def kernel_name(self) -> str | None:
        """The kernel names of the recurrent layers in the last training step."""
        return self._executor.kernel_name

    def forward(self) -> None:
        """Compute y."""
        self._executor.forward()

    def train(self, optimizer: Optimizer, metrics: RunningMetrics) -> None:
        """Train one step with the loaded samples. Further steps with equal settings are replayed if possible."""
        optimizer.begin()
        wanted = (optimizer, metrics, self._weighted, optimizer.settings())
        if self._recorded_for != wanted:
            # Only the next step with the same settings is recorded: recording does not pay for a single step.
            self._replay, self._recorded_for = None, wanted
            self._step(optimizer, metrics)
        elif self._replay is not None:
            self._replay()
        elif not self._continued and self._executor.recordable:
            self._replay = self._backend.record(lambda: self._step(optimizer, metrics))
        else:
            self._step(optimizer, metrics)
        optimizer.end()
        self._count(metrics)

    def test(self, metrics: RunningMetrics) -> None:
        """Compute the loss of the loaded samples; update no weights."""
        self.forward()
        self._add_loss(metrics)
        self._add_penalties(metrics)
        self._count(metrics)

    def _step(self, optimizer: Optimizer, metrics: RunningMetrics) -> None:
        self._executor.forward()
        self._add_loss(metrics)
        self._executor.backward()
        self._add_penalties(metrics)
        optimizer.apply()

    def _add_loss(self, metrics: RunningMetrics) -> None:
        assert self._loss is not None
        weights = self._weights.array.reshape(self.rows) if self._weighted else None
        mask = self._loss.mask(self._backend, self._flat_target, self._flat_mask)
        if mask is not None:
            if self._counts is None:
                self._counts = self._backend.empty((self.rows,), str(self.y.dtype))
            self._backend.mask_weights(mask, weights, self._counts)
            weights = self._counts
        total = metrics.total(self.steps)
        self._loss.run(self._backend, self._flat_y, self._flat_target, weights, total, self._flat_dy)

    def _add_penalties(self, metrics: RunningMetrics) -> None:
        for parameter, gradient, penalty in self._penalties:
            total = metrics.total(self.steps)
            self._backend.regularize(parameter, gradient, self.rows, penalty.l1, penalty.l2, total)

    def _count(self, metrics: RunningMetrics) -> None:
        metrics.count(self.rows / self.steps)
        if metrics.sees_outputs:
            y = self._backend.to_host(self.y)
            mask = None if self.mask is None else self._backend.to_host(self.mask).astype(y.dtype)
            metrics.update(self._targets.host, y, mask, self._weights.host if self._weighted else None)


class Batches:
    """A network's batches, one for each shape. A batch is built when its shape first occurs.

    Arguments as for `Batch`.
    """

    def __init__(self, network: Network, loss: Loss | None, training: bool) -> None:
        self._network, self._loss, self._training = network, loss, training
        self._built: dict[tuple[int, ...], Batch] = {}
        self._last: Batch | None = None
        self.earlier_kernel: str | None = None
        """The kernel names of the last training step before these batches, in a training that is resumed."""

    def load(self, samples: Samples, rows: Rows, steps: slice | None = None) -> Batch:
        """Load samples, or some of their steps, into the batch of their shape, and return it."""
        count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        shape = (count, *samples.x.shape[1:])
        if steps is not None:
            shape = (count, steps.stop - steps.start, *shape[2:])
        batch = self._last = self._built.get(shape) or self._build(shape)
        batch.load(samples, rows, steps)
        return batch

    @property
    def kernel_name(self) -> str | None:
        """The kernel names of the recurrent layers in the last training step; None before the first step."""
        return self.earlier_kernel if self._last is None else self._last.kernel_name

    def _build(self, shape: tuple[int, ...]) -> Batch:
        if len(self._built) == _KEPT:
            del self._built[next(iter(self._built))]
        self._built[shape] = Batch(self._network, shape, self._loss, self._training)
        return self._built[shape]
