"""A bidirectional layer on one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm.kernels import Array
from numlstm.layers.passes import Pass
from numlstm.layers.recurrent_pass import RecurrentPass

if TYPE_CHECKING:
    from numlstm.layers.bidirectional import Bidirectional

__all__ = ["BidirectionalPass"]


class BidirectionalPass(Pass):
    """Both directions on one batch. Each writes its outputs where they are to be, those of one step side by side.

    x: [B, T, F]
    y, dy: [B, T, N] or [B, N]; where there are two outputs, the first
    """

    layer: Bidirectional

    def __init__(self, layer: Bidirectional, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.parts, self.part_gradients = self._make_parts(x.shape)
        self._other_dx = None if dx is None else self.backend.empty(dx.shape, layer.dtype)
        outputs = [self._in_reading_order(array) for array in (self.parts[1], self.part_gradients[1])]
        self.forwards = RecurrentPass(layer.forward_layer, x, dx, mask, training, self.parts[0], self.part_gradients[0])
        self.backwards = RecurrentPass(layer.backward_layer, x, self._other_dx, mask, training, *outputs)
        self.mask = self.forwards.mask

    def _make_parts(self, shape: tuple[int, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Where both directions' outputs and their gradients are, in the order of the input's steps."""
        layer, empty = self.layer, self.backend.zeros if 0 in shape[:2] else self.backend.empty
        leading = shape[: 2 if layer.return_sequences else 1]
        widths = layer.forward_layer.units, layer.backward_layer.units
        if layer.merge_mode == "concat":
            self.y = empty((*leading, sum(widths)), layer.dtype)
            self.dy = self.backend.empty(self.y.shape, layer.dtype) if self.returns else None
            return _halves(self.y, widths[0]), (None, None) if self.dy is None else _halves(self.dy, widths[0])
        parts = tuple(empty((*leading, width), layer.dtype) for width in widths)
        gradients: tuple[Any, ...] = (None, None)
        if self.returns:
            gradients = tuple(self.backend.empty(part.shape, layer.dtype) for part in parts)
        if layer.merge_mode is None:
            self.y, self.dy = parts[0], gradients[0]
            return parts, gradients
        self.y = empty(parts[0].shape, layer.dtype)
        if self.returns:
            self.dy = self.backend.empty(self.y.shape, layer.dtype)
            if layer.merge_mode == "sum":
                gradients = self.dy, self.dy
            elif layer.merge_mode == "ave":
                gradients = gradients[0], gradients[0]
        return parts, gradients

    def read(
        self,
        x: Array,
        mask: Array | None = None,
        reset: None = None,
        state: tuple[Array, ...] | None = None,
        zero_beyond: bool = False,
    ) -> None:
        """Let these be the input from now on. Arguments as for `RecurrentPass.read`, the state that of both."""
        self.x = x
        first = len(self.layer.forward_layer.states)
        states = (None, None) if state is None else (state[:first], state[first:])
        self.forwards.read(x, mask, None, states[0], zero_beyond)
        self.backwards.read(x, mask, None, states[1], zero_beyond)

    def forward(self) -> None:
        """Write y."""
        both = self.forwards, self.backwards
        if self._together:
            for run in both:
                run.begin()
            self.backend.recurrent_forward_pair(
                self.layer.forward_layer.cell,
                self._weights,
                _pair(both, "inputs"),
                _pair(both, "trace"),
                _pair(both, "output"),
            )
            for run in both:
                run.end()
        else:
            for run in both:
                run.forward()
        mode, (a, b) = self.layer.merge_mode, self.parts
        if mode == "mul":
            self.backend.multiply_each(a, b, self.y)
        elif mode in ("sum", "ave"):
            self.backend.add_each(a, b, 1.0 if mode == "sum" else 0.5, self.y)

    def backward(self) -> None:
        """The gradients of the weights and, where wanted, of x and of the initial states."""
        mode, (a, b), (da, db) = self.layer.merge_mode, self.parts, self.part_gradients
        if mode == "mul":
            self.backend.multiply_each(self.dy, b, da)
            self.backend.multiply_each(self.dy, a, db)
        elif mode == "ave":
            # Half of it: a quarter of its double is exact.
            self.backend.add_each(self.dy, self.dy, 0.25, da)
        both = self.forwards, self.backwards
        if self._together:
            self.backend.recurrent_backward_pair(
                self.layer.forward_layer.cell, self._weights, _pair(both, "inputs"), _pair(both, "trace"),
                _pair(both, "output_gradient"), _pair(both, "gradients"),
            )  # fmt: skip
            for run in both:
                run.end_backward()
        else:
            for run in both:
                run.backward()
        if self.dx is not None:
            self.backend.add_each(self.dx, self._other_dx, 1.0, self.dx)

    def carry(self, before: BidirectionalPass | None) -> None:
        """See `Pass.carry`; ValueError always."""
        raise ValueError(f"layer {self.layer.name!r} reads from the sequence's end too: it cannot take it in pieces")

    @property
    def state(self) -> tuple[Array, ...] | None:
        """The initial states, forwards and backwards; None: zeros, or what stateful layers hold."""
        if self.forwards.state is None or self.backwards.state is None:
            return None
        return (*self.forwards.state, *self.backwards.state)

    @property
    def dstate(self) -> tuple[Array, ...] | None:
        """The states' gradients, as `RecurrentPass` has them."""
        if self.forwards.dstate is None or self.backwards.dstate is None:
            return None
        return (*self.forwards.dstate, *self.backwards.dstate)

    def host_state(self) -> list[np.ndarray]:
        """The states after each one's last step, on the host."""
        return self.forwards.host_state() + self.backwards.host_state()

    def set_state_gradients(self, gradients: tuple[Array, ...] | None) -> None:
        """Let these be the gradients of the final states; None: zeros."""
        first = len(self.layer.forward_layer.states)
        self.forwards.set_state_gradients(None if gradients is None else gradients[:first])
        self.backwards.set_state_gradients(None if gradients is None else gradients[first:])

    @property
    def _together(self) -> bool:
        """Whether one call runs both directions: there is one kind of cell, and steps to read."""
        return self.layer.forward_layer.cell == self.layer.backward_layer.cell and not self.forwards.nothing

    @property
    def _weights(self) -> tuple[Any, Any]:
        return self.layer.forward_layer.kernel_weights, self.layer.backward_layer.kernel_weights

    def _in_reading_order(self, array: Array) -> Array:
        """Outputs as the layer with the other direction writes them."""
        return array[:, ::-1] if array is not None and self.layer.return_sequences else array


def _halves(array: Array, width: int) -> tuple[Array, Array]:
    return array[..., :width], array[..., width:]


def _pair(both: tuple[RecurrentPass, RecurrentPass], name: str) -> tuple[Any, Any]:
    return getattr(both[0], name), getattr(both[1], name)
