"""Batches on the backend: buffers that are allocated once, the network's executor, and the losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import cast

import numpy as np

from numlstm.kernels import Array
from numlstm.losses import Loss
from numlstm.losses.loss import ClassSampler, OpenShape
from numlstm.network import Network
from numlstm.optimizers import Optimizer
from numlstm.regularizers import Regularizer
from numlstm.training.running_metrics import RunningMetrics
from numlstm.training.samples import Rows, Samples
from numlstm.training.staging import StagingBuffer
from numlstm.training.target import Target

__all__ = ["Batch", "Batches", "IdleBatches"]

Losses = Sequence[tuple[Loss | None, float]]
"""For each output its loss, and the factor of the loss in the whole loss. Empty for prediction."""

Shapes = tuple[tuple[int, ...], ...]

OptionalShapes = tuple[tuple[int, ...] | None, ...]

_Key = tuple[int, int | None, Shapes, OptionalShapes]
"""The number of rows, the number of steps of a piece, and the shapes of a row of each input and of each target."""

_KEPT = 4
"""How many batch shapes keep their buffers: full and last batch, each with full and last TBPTT piece."""

_SMALL = 4096
"""Rows times steps of a batch that takes longer to build than to compute, and may keep its buffers when it is idle."""


class Batch:
    """A network with buffers for batches of one shape: inputs and outputs and, with losses, targets and weights.

    Args:
        network: Built.
        shapes: Shapes of the inputs.
        target_rows: Shape of a row of each output's targets; None for an output without a loss; empty for prediction.
        losses: The losses; empty for prediction.
        training: Whether `train` is called.
    """

    def __init__(
        self, network: Network, shapes: Shapes, target_rows: OptionalShapes, losses: Losses, training: bool
    ) -> None:
        self._backend, self._training = network.backend, training
        dtypes = [network.input_dtype(index) for index in range(len(shapes))]
        parts = list(zip(shapes, dtypes, strict=True))
        # Kernels trust the shapes, so every layer checks those of this batch, without losses too.
        y_shapes = cast(Shapes, network.compute_output_shapes(shapes))
        for (loss, _), y_shape, row in zip(losses, y_shapes, target_rows, strict=bool(losses)):
            if loss is not None and row is not None:
                shape = _closed(loss.target_shape(y_shape), (shapes[0][0], *row))
                parts += [(shape, loss.target_dtype(network.dtype)), (y_shape[: -loss.row_axes], network.dtype)]
        self._staging = StagingBuffer(self._backend, parts)
        self._inputs, rest = self._staging.arrays[: len(shapes)], iter(self._staging.arrays[len(shapes) :])
        self._staged = [None if loss is None else (next(rest), next(rest)) for loss, _ in losses]
        # The kernels take ids and labels for addresses. So they are checked in the batch's own copy, in each batch: the
        # user's arrays may have changed since they were checked as a whole.
        self._addresses: list[tuple[Callable[[np.ndarray, str], object], np.ndarray, str]] = []
        for index, (staged, dtype) in enumerate(zip(self._inputs, dtypes, strict=True)):
            if dtype != network.dtype:
                self._addresses.append((_input_check(network, index), staged.host, "x"))
        for (loss, _), y_shape, pair in zip(losses, y_shapes, self._staged, strict=bool(losses)):
            if loss is not None and pair is not None and loss.target_dtype(network.dtype) != network.dtype:
                self._addresses.append((_label_check(loss, y_shape), pair[0].host, "y"))
        self._samplers = self._make_samplers(losses, y_shapes, network.dtype) if training else {}
        classes = {index: sampler.classes for index, sampler in self._samplers.items()}
        self._executor = network.new_executor([staged.array for staged in self._inputs], training, sampled=classes)
        self.outputs = self._executor.outputs
        self._targets: list[Target | None] = []
        self._penalties: list[tuple[Array, Array | None, Regularizer]] = []
        if losses:
            self._prepare_losses(network, losses)
        self._replay: Callable[[], None] | None = None
        """Replays the training step that the backend has recorded."""
        self._recorded_for: tuple[object, ...] = ()
        """The settings that the recorded step depends on."""
        self._continued = False
        self._weighted: tuple[bool, ...] = ()
        """Whether the loaded samples have weights, for each output."""

    def _make_samplers(self, losses: Losses, y_shapes: Shapes, dtype: str) -> dict[int, ClassSampler]:
        """What samples the classes in training, by the numbers of the outputs with a loss that does so."""
        samplers: dict[int, ClassSampler] = {}
        for index, ((loss, _), y_shape, staged) in enumerate(zip(losses, y_shapes, self._staged, strict=True)):
            if loss is not None and staged is not None and loss.samples_classes:
                labels = staged[0].array.reshape(prod(y_shape[:-1]))
                if sampler := loss.sampler(self._backend, labels, y_shape[-1], dtype):
                    samplers[index] = sampler
        return samplers

    def _prepare_losses(self, network: Network, losses: Losses) -> None:
        backend = self._backend
        self._unread = []
        """The gradients of outputs without a loss, which are zeros."""
        position = len(self._inputs)
        given = zip(
            losses, self._staged, self.outputs, self._executor.output_gradients, self._executor.masks, strict=True
        )
        for index, ((loss, weight), staged, y, dy, mask) in enumerate(given):
            if loss is None or staged is None:
                self._targets.append(None)
                self._unread += [] if dy is None or not self._training else [dy]
                continue
            if dy is None or not self._training:
                dy = backend.empty(y.shape, network.dtype)
            sampler = self._samplers.get(index)
            self._targets.append(Target(backend, loss, index, weight, y, dy, mask, *staged, position, sampler))
            position += 2
        self._with_loss = [target for target in self._targets if target is not None]
        for layer in network.layers:
            for name, penalty in layer.regularized:
                size = prod(layer.parameters.shapes[name])
                gradient = layer.parameters.gradient(name).reshape(size) if self._training else None
                self._penalties.append((layer.parameters.value(name).reshape(size), gradient, penalty))

    def load(self, samples: Samples, rows: Rows, steps: slice | None = None) -> None:
        """Copy samples, their targets and their weights into the buffers; with `steps`, only these time steps."""
        count = len(self._inputs)
        for array, part in zip(self._inputs, samples.x, strict=True):
            array.fill(part, rows, steps)
        for index, target in enumerate(self._targets):
            if target is None:
                continue
            y, weights = samples.y[index], samples.weights[index]
            assert y is not None, "the targets of an output with a loss are checked before"
            target.load(y, weights, rows, steps)
            count = target.position + (1 if weights is None else 2)
        self._weighted = samples.weighted
        for check, numbers, name in self._addresses:
            check(numbers, samples.label + name)
        self._staging.send(count)

    def continue_from(self, before: Batch | None) -> None:
        """Use the final states of another batch as initial states; None: zeros. Steps are not recorded then."""
        self._continued = True
        self._executor.continue_from(None if before is None else before._executor)

    @property
    def kernel_name(self) -> str | None:
        """The kernel names of the recurrent layers in the last training step."""
        return self._executor.kernel_name

    def forward(self) -> None:
        """Compute the outputs."""
        self._executor.forward()

    def train(self, optimizer: Optimizer, metrics: RunningMetrics) -> None:
        """Train one step with the loaded samples. Further steps with equal settings are replayed if possible."""
        optimizer.begin()
        for sampler in self._samplers.values():
            sampler.draw(optimizer.iterations)
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
        self._add_losses(metrics)
        self._add_penalties(metrics)
        self._count(metrics)

    def _step(self, optimizer: Optimizer, metrics: RunningMetrics) -> None:
        self._executor.forward()
        self._add_losses(metrics)
        for gradient in self._unread:
            self._backend.clear(gradient)
        self._executor.backward()
        self._add_penalties(metrics)
        optimizer.apply()

    def _add_losses(self, metrics: RunningMetrics) -> None:
        for target in self._with_loss:
            target.add_loss(metrics)

    def _add_penalties(self, metrics: RunningMetrics) -> None:
        first = self._with_loss[0]
        for parameter, gradient, penalty in self._penalties:
            total = metrics.penalties(first.steps)
            self._backend.regularize(parameter, gradient, first.rows, penalty.l1, penalty.l2, total)

    def _count(self, metrics: RunningMetrics) -> None:
        first = self._with_loss[0]
        metrics.count(first.rows / first.steps)
        if metrics.sees_outputs:
            for target in self._with_loss:
                target.update(metrics)


def _input_check(network: Network, index: int) -> Callable[[np.ndarray, str], object]:
    return lambda ids, name: network.check_input(index, ids, name)


def _label_check(loss: Loss, y_shape: tuple[int, ...]) -> Callable[[np.ndarray, str], object]:
    return lambda labels, name: loss.check(labels, y_shape, name)


def _closed(shape: OpenShape, given: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with the given sizes where it leaves them open."""
    return tuple(other if size is None else size for size, other in zip(shape, given, strict=True))


class Batches:
    """A network's batches, one for each shape. A batch is built when its shape first occurs.

    Arguments as for `Batch`.
    """

    def __init__(self, network: Network, losses: Losses, training: bool) -> None:
        self._network, self._losses, self._training = network, losses, training
        self._built: dict[_Key, Batch] = {}
        self._built_for = _state_of(network)
        self._last: Batch | None = None
        self.earlier_kernel: str | None = None
        """The kernel names of the last training step before these batches, in a training that is resumed."""

    def load(self, samples: Samples, rows: Rows, steps: slice | None = None) -> Batch:
        """Load samples, or some of their steps, into the batch of their shape, and return it."""
        count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        key = count, None if steps is None else steps.stop - steps.start, samples.row_shapes, samples.target_rows
        batch = self._last = self._built.get(key) or self._build(key)
        batch.load(samples, rows, steps)
        return batch

    @property
    def current(self) -> bool:
        """Whether the weights lie where they lay, and no argument of a layer has changed, since these were made."""
        return self._built_for == _state_of(self._network)

    @property
    def small(self) -> bool:
        """Whether no batch holds much memory."""
        return all(count * prod(row[:1]) <= _SMALL for count, _, rows, _ in self._built for row in rows)

    @property
    def kernel_name(self) -> str | None:
        """The kernel names of the recurrent layers in the last training step; None before the first step."""
        return self.earlier_kernel if self._last is None else self._last.kernel_name

    def _build(self, key: _Key) -> Batch:
        if len(self._built) == _KEPT:
            del self._built[next(iter(self._built))]
        count, steps, rows, target_rows = key
        shapes = tuple((count, *(row if steps is None else (steps, *row[1:]))) for row in rows)
        self._built[key] = Batch(self._network, shapes, target_rows, self._losses, self._training)
        return self._built[key]


class IdleBatches:
    """The batches of a small prediction, for the next one.

    A prediction takes them out while it runs, so that threads can predict at the same time.
    """

    def __init__(self) -> None:
        self._idle: list[Batches] = []

    def take(self, network: Network) -> Batches:
        """The idle batches of the network, if there are some that it can use; else new ones."""
        try:
            batches = self._idle.pop()  # In one step, for threads.
        except IndexError:
            return Batches(network, [], training=False)
        return batches if batches.current else Batches(network, [], training=False)

    def give(self, batches: Batches) -> None:
        """Keep batches for the next prediction, if they are small."""
        if batches.small:
            self._idle[:] = [batches]


def _state_of(network: Network) -> list[object]:
    """What batches are built for: where the weights lie, and how often the arguments of the layers have changed."""
    return [part for layer in network.layers for part in (layer.parameters.buffers, layer.revision)]
