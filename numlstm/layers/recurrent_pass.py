"""A recurrent layer on one batch, and on one step of a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from numlstm.kernels import Array, RecurrentGradients, RecurrentInputs
from numlstm.layers.passes import Pass

if TYPE_CHECKING:
    from numlstm.layers.recurrent import Recurrent

__all__ = ["RecurrentPass", "RecurrentStep"]


class RecurrentPass(Pass):
    """A recurrent layer on one batch.

    Args:
        layer: As for `Pass`; so for the next four.
        x: [B, T, F]
        dx: As x.
        mask: [B, T]
        training: Whether the weights' gradients are wanted, and dropout drops.
        y: Where the output goes, [B, T, H] or [B, H], a view in the order of reading; None: the pass' own array.
        dy: Its gradient, likewise.

    Attributes:
        nothing: Whether there is no step or no row.
        on_host: Whether its arrays are NumPy's.
        dtype: Theirs.
        state: Initial, [B, H] arrays; None: zeros, or what a stateful layer holds.
        dstate: Before `backward` the gradients of the final state, then those of the initial one; None: nobody asks.
    """

    layer: Recurrent
    inputs: RecurrentInputs

    def __init__(
        self,
        layer: Recurrent,
        x: Array,
        dx: Array | None,
        mask: Array | None,
        training: bool,
        y: Array = None,
        dy: Array = None,
    ) -> None:
        super().__init__(layer, x, dx, mask, training)
        B, T, H = x.shape[0], x.shape[1], layer.units
        shape = (B, T, H) if layer.return_sequences else (B, H)
        self.shape, self.y_shape = x.shape, shape
        # Without a step, nothing would be written to y: the last output is then zero.
        self.nothing = B == 0 or T == 0
        if y is None:
            y = (self.backend.zeros if self.nothing else self.backend.empty)(shape, layer.dtype)
        self.y, self.output = y, _time_major(y)
        self.on_host, self.dtype = isinstance(y, np.ndarray), y.dtype
        if not self.nothing:
            self.trace = self.backend.recurrent_trace(layer.cell, (T, B), self.returns)
        self.dstate: tuple[Array, ...] | None = None
        self._alone = False
        """Whether x is all that was given, so that another one can take its place."""
        self._prepare_dropout(x.shape)
        if self.returns:
            self.dy = self.backend.empty(shape, layer.dtype) if dy is None else dy
            self.output_gradient = _time_major(self.dy)
            bias = self.gradient("bias") if layer.use_bias else None
            self.gradients = RecurrentGradients(self.gradient("kernel"), self.gradient("recurrent_kernel"), bias)
            if dx is not None:
                self.gradients.x = self._in_reading_order(dx)
        self.read(x, mask)
        self.mask = self._mask_of_y(mask)

    @property
    def repeats(self) -> bool:
        """See `Pass.repeats`."""
        dropped = self._dropped is not None or self._multipliers is not None
        given = self._given_mask is not None or self.state is not None
        return not (self.layer.stateful or dropped or given)

    def takes(self, x: np.ndarray) -> bool:
        """Whether x is one of those that the pass is for."""
        return x.shape == self.shape and x.dtype == self.dtype

    def renew(self) -> None:
        """Get another y, for who has the last one may keep it."""
        self.y = (self.backend.zeros if self.nothing else self.backend.empty)(self.y_shape, self.layer.dtype)
        self.output = _time_major(self.y)

    def renew_gradients(self, dy: Array) -> None:
        """Read dy where it is, and get another dx, for who has the last one may keep it."""
        self.dy, self.output_gradient = dy, _time_major(dy)
        if self.dx is not None:
            self.dx = self.backend.empty(self.shape, self.layer.dtype)
            self.gradients.x = self._in_reading_order(self.dx)

    def release(self) -> None:
        """Let go of x and y."""
        self.x = self.y = self.output = None
        if self._alone:
            self.inputs.x = None
        else:
            self.inputs = RecurrentInputs(None, zero_output=self.layer.zero_output_for_mask)

    def read(
        self,
        x: Array,
        mask: Array | None = None,
        reset: Array | None = None,
        state: tuple[Array, ...] | None = None,
        zero_beyond: bool = False,
    ) -> None:
        """Let these be the input from now on.

        Args:
            x: [B, T, F]
            mask: [B, T]
            reset: [B, T], True where the state is set to zero before the step.
            state: As the attribute.
            zero_beyond: Whether the outputs of masked steps are zero, whatever the layer says. A single last output
                stays that of each row's last step.
        """
        alone = mask is reset is state is None
        if alone and self._alone:
            self.x = x
            if self._dropped is None:
                self.inputs.x = self._in_reading_order(x)
            return
        self.x, self.state = x, state
        self._given_mask = mask
        fed = x if self._dropped is None else self._dropped
        self.inputs = RecurrentInputs(
            self._in_reading_order(fed),
            None if mask is None else self._in_reading_order(mask),
            state,
            None if reset is None else self._in_reading_order(reset),
            self._multipliers,
            self.layer.zero_output_for_mask or (zero_beyond and self.layer.return_sequences),
        )
        self._alone = alone and not self.layer.stateful

    def forward(self) -> None:
        """Write y; the trace keeps the rest."""
        if not self.nothing:
            self.begin()
            self.backend.recurrent_forward(
                self.layer.cell, self.layer.kernel_weights, self.inputs, self.trace, self.output
            )
            self.end()

    def begin(self) -> None:
        """What comes before the kernel: the state, the mask of y, what dropout drops."""
        layer = self.layer
        if layer.stateful and self.state is None:
            layer.check_rows(self.x.shape[0])
            self.inputs.state = layer.state
        if self.mask is not None and self._given_mask is not None and layer.go_backwards:
            self.backend.copy(self.mask, self._given_mask[:, ::-1])
        if self._dropped is not None or self._multipliers is not None:
            self._step = layer.next_step()
        if self._dropped is not None:
            self._drop(self.x, self._dropped)
        if self._multipliers is not None:
            ones, multipliers = self._ones, self._multipliers.reshape(self._ones.shape)
            stream = layer.first_stream + 1
            self.backend.dropout(ones, multipliers, layer.recurrent_dropout, layer.seed or 0, stream, self._step)

    def end(self) -> None:
        """What comes after the kernel: a stateful layer keeps the state."""
        if self.layer.stateful:
            self.layer.state = self.backend.recurrent_state(self.layer.cell, self.trace)
        if self.training:
            self.layer.last_path = self.trace.kernel_path

    def backward(self) -> None:
        """The gradients of the weights and, where wanted, of x and of the initial state."""
        if not self.nothing:
            self.backend.recurrent_backward(
                self.layer.cell, self.layer.kernel_weights, self.inputs, self.trace, self.output_gradient,
                self.gradients,
            )  # fmt: skip
            self.end_backward()
        elif self.training:
            self.layer.parameters.clear_gradients()

    def end_backward(self) -> None:
        """What comes after the kernel: the gradient of what dropout dropped."""
        if self._dropped is not None and self.dx is not None:
            self._drop(self.dx, self.dx)

    def carry(self, before: RecurrentPass | None) -> None:
        """See `Pass.carry`; ValueError if the layer reads backwards."""
        if self.layer.go_backwards:
            raise ValueError(f"layer {self.layer.name!r} reads from the sequence's end: it cannot take it in pieces")
        self.state = self.inputs.state = None if before is None else before.final_state()

    def final_state(self) -> tuple[Array, ...]:
        """The state after the last step: arrays of their own, or the initial one where there is no step."""
        if not self.nothing:
            return self.backend.recurrent_state(self.layer.cell, self.trace)
        if self.state is not None:
            return self.state
        shape = (self.x.shape[0], self.layer.units)
        return tuple(self.backend.zeros(shape, self.layer.dtype) for _ in self.layer.states)

    def host_state(self) -> list[np.ndarray]:
        """The state after the last step, on the host."""
        return [np.array(self.backend.to_host(part)) for part in self.final_state()]

    def set_state_gradients(self, gradients: tuple[Array, ...] | None) -> None:
        """Let these be the gradients of the final state, which will be overwritten; None: zeros."""
        if gradients is self.state is self.dstate is None:
            return
        self.dstate = gradients
        if gradients is None and self.state is not None:
            shape = (len(self.layer.states), self.x.shape[0], self.layer.units)
            together = self.backend.zeros(shape, self.layer.dtype)
            self.dstate = tuple(together[index] for index in range(len(together)))
        self.gradients.state = self.dstate

    def _prepare_dropout(self, shape: tuple[int, ...]) -> None:
        """Room for the input that is left, and for the multipliers of the state."""
        layer, (rows, _, _) = self.layer, shape
        self._dropped = self._multipliers = None
        self._step = 0
        if self.training and not self.nothing:
            if layer.dropout:
                self._dropped = self.backend.empty(shape, layer.dtype)
            if layer.recurrent_dropout:
                self._ones: Array = self.backend.asarray(np.ones((rows, 1, layer.units)), layer.dtype)
                self._multipliers = self.backend.empty((rows, layer.units), layer.dtype)

    def _drop(self, source: Array, target: Array) -> None:
        layer = self.layer
        self.backend.dropout(source, target, layer.dropout, layer.seed or 0, layer.first_stream, self._step)

    def _mask_of_y(self, mask: Array | None) -> Array | None:
        """The mask in the order of y."""
        if mask is None or not self.layer.return_sequences:
            return None
        return self.backend.empty(mask.shape, "bool") if self.layer.go_backwards else mask

    def _in_reading_order(self, array: Array) -> Array:
        """[B, T, ...] as a view [T, B, ...], the step that is read first in front."""
        view = array.swapaxes(0, 1)
        return view[::-1] if self.layer.go_backwards else view


def _time_major(array: Array) -> Array:
    """[B, T, n] as a view [T, B, n], and [B, n] as [1, B, n]."""
    return array.transpose(1, 0, 2) if len(array.shape) == 3 else array[None]


class RecurrentStep:
    """A recurrent layer on a stream, whatever its `return_sequences`.

    x: [B, F]
    y: [B, H]
    """

    def __init__(self, layer: Recurrent, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty((x.shape[0], layer.units), layer.dtype)
        self.reset()

    def bind(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """See `Step.bind`."""
        layer = self._layer
        return layer.backend.bind_recurrent_step(layer.cell, layer.kernel_weights, self._x, self._trace, self.y)

    def reset(self) -> None:
        """Begin with a state of zeros."""
        layer = self._layer
        self._trace = layer.backend.recurrent_trace(layer.cell, (1, self._x.shape[0]), training=False)
