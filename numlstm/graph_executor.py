"""A graph of layers bound to the arrays of one batch. Gradients flow through its calls in reverse order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from numlstm.kernels import Array, Backend, SampledClasses
from numlstm.layers.executor import Executor
from numlstm.layers.symbol import Call, Symbol

__all__ = ["GraphExecutor"]

Work = Callable[[], Any]


@dataclass(eq=False, repr=False)
class _Value:
    """A symbol's arrays in one batch.

    gradient: what the layer that computes the array reads in `backward`; None: it is not needed
    readers: the number of readers that are still to be bound
    """

    array: Array
    gradient: Array | None
    mask: Array | None
    readers: int


class GraphExecutor:
    """A graph of layers bound to the arrays of one batch.

    A layer writes the gradient of its input to where the layer before reads it. If an array has several readers, the
    last one writes, because its `backward` runs first, and the others add. The gradients of the weights of a layer with
    several calls are added likewise.

    Args:
        calls: In an order in which they can run.
        inputs: The symbols of `x`.
        outputs: The symbols of the outputs.
        x: The arrays of the inputs, batch-major and contiguous.
        dx: Receive the gradients of x in `backward`; None where they are not needed.
        training: Whether `backward` computes the gradients of the weights, and dropout is active.
        sampled: The classes of outputs that are computed for sampled classes only, by the outputs' symbols.

    Attributes:
        executors: The executors of the calls, in order.
        outputs: The outputs, which `forward` writes.
        output_gradients: The gradients of the outputs, which `backward` reads and may overwrite; None where they are
            not needed.
        masks: [B, T] bool for each output, True where a step counts; None: all steps count.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        inputs: Sequence[Symbol],
        outputs: Sequence[Symbol],
        x: Sequence[Array],
        dx: Sequence[Array | None],
        training: bool,
        sampled: Mapping[Symbol, SampledClasses],
    ) -> None:
        self._training, self._sampled = training, sampled
        self._has_backward = training or any(part is not None for part in dx)
        self._readers = Counter(outputs)
        for call in calls if self._has_backward else ():
            self._readers.update((*call.inputs, *call.states))
        self._calls_left = Counter(call.layer for call in calls)
        self._values = {
            symbol: _Value(array, gradient, None, self._readers[symbol])
            for symbol, array, gradient in zip(inputs, x, dx, strict=True)
        }
        self._kept: dict[Any, Array] = {}
        """Room for the sum of a layer's gradients while one of its calls computes its own."""
        self.executors: list[Executor] = []
        parts = [self._bind(call) for call in calls]
        self._forward = [executor.forward for executor in self.executors]
        last: list[Work] = []
        values = [self._values[symbol] for symbol in outputs]
        self.outputs = tuple(value.array for value in values)
        self.masks = tuple(value.mask for value in values)
        backend: Any = calls[0].layer.backend if calls else None
        self.output_gradients = tuple(_gradient_for(value, backend, last) for value in values)
        self._backward = [*last, *(work for part in reversed(parts) for work in part)]
        del self._values, self._readers, self._calls_left

    @property
    def recordable(self) -> bool:
        """Whether `forward` and `backward` call the same kernels with the same arrays each time."""
        return all(executor.recordable for executor in self.executors)

    @property
    def kernel_name(self) -> str | None:
        """The kernel names of the recurrent layers in the last training step; None before the first step."""
        names = dict.fromkeys(name for executor in self.executors if (name := executor.kernel_name))
        return ", ".join(names) or None

    def continue_from(self, before: GraphExecutor | None) -> None:
        """Use the final states of another executor of the graph as initial states; None: zeros."""
        earlier = [None] * len(self.executors) if before is None else before.executors
        for executor, other in zip(self.executors, earlier, strict=True):
            executor.continue_from(other)

    def forward(self) -> None:
        """Compute the outputs and their masks."""
        for run in self._forward:
            run()

    def backward(self) -> None:
        """Compute the gradients of the weights in training, and those of x that are needed."""
        for run in self._backward:
            run()

    def _bind(self, call: Call) -> list[Work]:
        """Bind a call to its arrays, and return its part of `backward`."""
        layer, backend = call.layer, call.layer.backend
        read, states = ([self._values[symbol] for symbol in symbols] for symbols in (call.inputs, call.states))
        after: list[Work] = []
        dx = [_gradient_for(value, backend, after) for value in read]
        arguments = read[0].array, dx[0], read[0].mask
        if layer.several:
            arguments = tuple(value.array for value in read), tuple(dx), tuple(value.mask for value in read)
        options = dict(call.options)
        if call.outputs[0] in self._sampled:
            options["sampled"] = self._sampled[call.outputs[0]]
        executor: Executor = layer.new_executor(*arguments, self._training, **options)
        if states or len(call.outputs) > len(executor.outputs):
            executor.link_states(tuple(value.array for value in states) or None)
        self.executors.append(executor)
        if not self._has_backward:
            for symbol, array, mask in zip(call.outputs, executor.outputs, executor.masks, strict=False):
                self._values[symbol] = _Value(array, None, mask, 0)
            return []

        gradients = executor.output_gradients
        for value, gradient in zip(states, gradients[len(gradients) - len(states) :], strict=True):
            value.readers -= 1
            if value.gradient is not None:
                first = value.readers == 0
                # The other parts of this call's gradients are added to what the first one writes.
                after.insert(0 if first else len(after), _hand_over(backend, gradient, value.gradient, first))
        trained = self._training and bool(layer.parameters.shapes)
        wanted = trained or any(part is not None for part in (*dx, *(value.gradient for value in states)))
        given = zip(call.outputs, executor.outputs, gradients, executor.masks, strict=False)
        for symbol, array, gradient, mask in given:
            self._values[symbol] = _Value(array, gradient if wanted else None, mask, self._readers[symbol])
        self._calls_left[layer] -= 1
        if not wanted:
            return []
        # Nothing writes the gradients of outputs without readers. `backward` may overwrite them, so they are cleared.
        unread = [part for symbol, part in zip(call.outputs, gradients, strict=False) if not self._readers[symbol]]
        work: list[Work] = [partial(backend.clear, part) for part in (*unread, *gradients[len(call.outputs) :])]
        if trained and self._calls_left[layer]:
            total = layer.parameters.buffers.gradients
            if layer not in self._kept:
                self._kept[layer] = backend.empty(total.shape, layer.dtype)
            kept = self._kept[layer]
            work += [
                partial(backend.copy_each, total, kept),
                executor.backward,
                partial(backend.add, total, kept),
            ]
        else:
            work.append(executor.backward)
        return work + after


def _gradient_for(value: _Value, backend: Backend, after: list[Work]) -> Array | None:
    """The array to which a reader of the value writes its gradient. Adds to `after` what has to follow."""
    value.readers -= 1
    if value.gradient is None or not value.readers:
        return value.gradient
    own = backend.empty(value.gradient.shape, str(value.gradient.dtype))
    after.append(_hand_over(backend, own, value.gradient, first=False))
    return own


def _hand_over(backend: Backend, gradient: Array, total: Array, first: bool) -> Work:
    """Make a function that writes a gradient to `total`, or adds it."""
    return partial(backend.copy_each, gradient, total) if first else partial(backend.add, total, gradient)
