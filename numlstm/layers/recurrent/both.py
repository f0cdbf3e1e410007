"""The executor of a bidirectional layer."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from numlstm.kernels import Array, Backend, RecurrentWeights
from numlstm.layers.executor import Executor
from numlstm.layers.recurrent.executor import Description, RecurrentExecutor
from numlstm.override import override
from numlstm.parameters import Parameters

__all__ = ["BidirectionalExecutor"]


class BothDirections(Protocol):
    """The attributes of a built bidirectional layer that its executor reads."""

    name: str
    dtype: str
    merge_mode: str | None
    return_sequences: bool

    @property
    def forward_layer(self) -> Description:
        """The layer whose weights and outputs come first."""

    @property
    def backward_layer(self) -> Description:
        """The layer that reads in the other direction."""

    @property
    def backend(self) -> Backend:
        """The backend that the layer computes on."""

    @property
    def parameters(self) -> Parameters:
        """The variables of both layers."""


class BidirectionalExecutor(Executor):
    """A bidirectional layer on one batch. For "concat", both layers write directly to their part of y.

    x: [B, T, F]
    y, dy: [B, T, N] or [B, N]; if there are two outputs, the first one
    """

    def __init__(self, layer: BothDirections, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.layer = layer
        self.parts, self.part_gradients = self._make_parts(x.shape)
        self._other_dx = None if dx is None else self.backend.empty(dx.shape, layer.dtype)
        outputs = [self._in_reading_order(array) for array in (self.parts[1], self.part_gradients[1])]
        self.forwards = RecurrentExecutor(
            layer.forward_layer, x, dx, mask, training, self.parts[0], self.part_gradients[0]
        )
        self.backwards = RecurrentExecutor(layer.backward_layer, x, self._other_dx, mask, training, *outputs)
        self.mask = self.forwards.mask

    def _make_parts(self, shape: tuple[int, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Allocate the outputs of both directions and their gradients, in the reading order of the first layer."""
        layer, empty = self.layer, self.backend.zeros if 0 in shape[:2] else self.backend.empty
        leading = shape[: 2 if layer.return_sequences else 1]
        widths = layer.forward_layer.units, layer.backward_layer.units
        if layer.merge_mode == "concat":
            self.y = empty((*leading, sum(widths)), layer.dtype)
            self.dy = self.backend.empty(self.y.shape, layer.dtype) if self.has_backward else None
            return _halves(self.y, widths[0]), (None, None) if self.dy is None else _halves(self.dy, widths[0])
        parts = tuple(empty((*leading, width), layer.dtype) for width in widths)
        gradients: tuple[Array, Array] = (None, None)
        if self.has_backward:
            gradients = tuple(self.backend.empty(part.shape, layer.dtype) for part in parts)
        if layer.merge_mode is None:
            self.y, self.dy = parts[0], gradients[0]
            return parts, gradients
        self.y = empty(parts[0].shape, layer.dtype)
        if self.has_backward:
            self.dy = self.backend.empty(self.y.shape, layer.dtype)
            if layer.merge_mode == "sum":
                gradients = self.dy, self.dy
            elif layer.merge_mode == "ave":
                gradients = gradients[0], gradients[0]
        return parts, gradients

    @property
    @override
    def outputs(self) -> tuple[Array, ...]:
        states = (*(self.forwards.final or ()), *(self.backwards.final or ()))
        return (*(self.parts if self.layer.merge_mode is None else [self.y]), *states)

    @property
    @override
    def output_gradients(self) -> tuple[Array | None, ...]:
        states = (*self.forwards.output_gradients[1:], *self.backwards.output_gradients[1:])
        return (*(self.part_gradients if self.layer.merge_mode is None else [self.dy]), *states)

    @property
    @override
    def masks(self) -> tuple[Array | None, ...]:
        both = 2 if self.layer.merge_mode is None else 1
        return (*[self.mask] * both, *[None] * (len(self.outputs) - both))

    def link_states(self, state: tuple[Array, ...] | None) -> None:
        """As for `RecurrentExecutor.link_states`; `state` has the parts of both directions."""
        first = len(self.layer.forward_layer.cell.states)
        self.forwards.link_states(None if state is None else state[:first])
        self.backwards.link_states(None if state is None else state[first:])

    @property
    def kernel_name(self) -> str | None:
        """The kernel names of both directions in the last training pass."""
        names = dict.fromkeys(name for executor in (self.forwards, self.backwards) if (name := executor.kernel_name))
        return ", ".join(names) or None

    def read(
        self,
        x: Array,
        mask: Array | None = None,
        reset: None = None,
        state: tuple[Array, ...] | None = None,
        zero_beyond: bool = False,
    ) -> None:
        """Replace the inputs. Arguments as for `RecurrentExecutor.read`; `state` has the parts of both directions."""
        self.x = x
        first = len(self.layer.forward_layer.cell.states)
        states = (None, None) if state is None else (state[:first], state[first:])
        self.forwards.read(x, mask, None, states[0], zero_beyond)
        self.backwards.read(x, mask, None, states[1], zero_beyond)

    def forward(self) -> None:
        """Write y."""
        both = first, second = self.forwards, self.backwards
        if self._together:
            for executor in both:
                executor.begin()
            self.backend.recurrent_forward_pair(
                self.layer.forward_layer.cell,
                self._weights,
                (first.inputs, second.inputs),
                (first.trace, second.trace),
                (first.output, second.output),
            )
            for executor in both:
                executor.end()
        else:
            for executor in both:
                executor.forward()
        mode, (a, b) = self.layer.merge_mode, self.parts
        if mode == "mul":
            self.backend.multiply_each(a, b, self.y)
        elif mode in ("sum", "ave"):
            self.backend.add_each(a, b, 1.0 if mode == "sum" else 0.5, self.y)

    def backward(self) -> None:
        """Compute the gradients of the weights, and those of x and of the initial states if they are needed."""
        mode, (a, b), (da, db) = self.layer.merge_mode, self.parts, self.part_gradients
        if mode == "mul":
            self.backend.multiply_each(self.dy, b, da)
            self.backend.multiply_each(self.dy, a, db)
        elif mode == "ave":
            # dy / 2 as (dy + dy) / 4, which is exact.
            self.backend.add_each(self.dy, self.dy, 0.25, da)
        both = first, second = self.forwards, self.backwards
        if self._together:
            self.backend.recurrent_backward_pair(
                self.layer.forward_layer.cell,
                self._weights,
                (first.inputs, second.inputs),
                (first.trace, second.trace),
                (first.output_gradient, second.output_gradient),
                (first.gradients, second.gradients),
            )
            for executor in both:
                executor.end_backward()
        else:
            for executor in both:
                executor.backward()
        if self.dx is not None:
            self.backend.add_each(self.dx, self._other_dx, 1.0, self.dx)

    def continue_from(self, before: BidirectionalExecutor | None) -> None:
        """Raise ValueError: one of the directions begins at the end of the whole sequence."""
        raise ValueError(f"layer {self.layer.name!r} reads from the sequence's end too: it cannot take it in pieces")

    @property
    def state(self) -> tuple[Array, ...] | None:
        """The initial states, forward and backward; None: zeros, or the memories of stateful layers."""
        if self.forwards.state is None or self.backwards.state is None:
            return None
        return (*self.forwards.state, *self.backwards.state)

    @property
    def dstate(self) -> tuple[Array, ...] | None:
        """The gradients of both directions' states. Before and after `backward` as for `RecurrentExecutor`."""
        if self.forwards.dstate is None or self.backwards.dstate is None:
            return None
        return (*self.forwards.dstate, *self.backwards.dstate)

    def host_state(self) -> list[np.ndarray]:
        """The final states of both directions, on the host."""
        return self.forwards.host_state() + self.backwards.host_state()

    def set_state_gradients(self, gradients: tuple[Array, ...] | None) -> None:
        """Set the gradients of the final states; None: zeros."""
        first = len(self.layer.forward_layer.cell.states)
        self.forwards.set_state_gradients(None if gradients is None else gradients[:first])
        self.backwards.set_state_gradients(None if gradients is None else gradients[first:])

    @property
    def _together(self) -> bool:
        """Whether one kernel call runs both directions: the cells are equal, and the input is not empty."""
        return self.layer.forward_layer.cell == self.layer.backward_layer.cell and not self.forwards.empty

    @property
    def _weights(self) -> tuple[RecurrentWeights, RecurrentWeights]:
        return self.layer.forward_layer.kernel_weights, self.layer.backward_layer.kernel_weights

    def _in_reading_order(self, array: Array) -> Array:
        """View outputs in the reading order of the second layer."""
        return array[:, ::-1] if array is not None and self.layer.return_sequences else array


def _halves(array: Array, width: int) -> tuple[Array, Array]:
    return array[..., :width], array[..., width:]
