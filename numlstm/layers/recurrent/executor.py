"""The executors of recurrent layers: on one batch, and on one step of a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from numlstm.kernels import Array, Backend, Cell, RecurrentGradients, RecurrentInputs, RecurrentWeights
from numlstm.layers.executor import Executor
from numlstm.layers.recurrent.memory import StateMemory
from numlstm.override import override
from numlstm.parameters import Parameters
from numlstm.seeds import RandomStream

__all__ = ["Description", "RecurrentExecutor", "RecurrentStep"]


class Description(Protocol):
    """The attributes of a built recurrent layer that its executors read. `LSTM` documents them."""

    name: str
    dtype: str
    units: int
    cell: Cell
    kernel_weights: RecurrentWeights
    use_bias: bool
    return_sequences: bool
    go_backwards: bool
    stateful: bool
    zero_output_for_mask: bool
    dropout: float
    recurrent_dropout: float
    random: RandomStream
    first_stream: int
    memory: StateMemory

    @property
    def backend(self) -> Backend:
        """The backend that the layer computes on."""

    @property
    def parameters(self) -> Parameters:
        """The layer's variables."""


class RecurrentExecutor(Executor):
    """A recurrent layer on one batch.

    Args:
        layer: Built. The executor changes only its `memory`, if it is stateful, and its `random`, with dropout.
        x: [B, T, F]
        dx: [B, T, F], receives the gradient of x in `backward`; None if it is not needed.
        mask: [B, T]
        training: Whether `backward` also writes the gradients of the weights, and dropout is active.
        y: The array for the output, [B, T, H] or [B, H], in reading order; None: a new array.
        dy: The array for the gradient of y, in reading order; None: a new array.

    Attributes:
        empty: Whether x has no steps or no rows.
        on_host: Whether the arrays are NumPy arrays.
        state: The initial state, [B, H] arrays; None: zeros, or the memory of a stateful layer.
        dstate: The gradients of the final state, which `backward` overwrites with those of the initial state. None:
            zero before `backward`, not needed after it.
        final: In a graph, the arrays that `forward` writes the final state to; None: it is asked for by `final_state`.
    """

    inputs: RecurrentInputs

    def __init__(
        self,
        layer: Description,
        x: Array,
        dx: Array | None,
        mask: Array | None,
        training: bool,
        y: Array = None,
        dy: Array = None,
    ) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.layer = layer
        B, T, H = x.shape[0], x.shape[1], layer.units
        shape = (B, T, H) if layer.return_sequences else (B, H)
        self.shape, self.y_shape = x.shape, shape
        # Without steps no kernel writes y: the last output is zero.
        self.empty = B == 0 or T == 0
        if y is None:
            y = (self.backend.zeros if self.empty else self.backend.empty)(shape, layer.dtype)
        self.y, self.output = y, _time_major(y)
        self.on_host, self.y_dtype = isinstance(y, np.ndarray), y.dtype
        if not self.empty:
            self.trace = self.backend.recurrent_trace(layer.cell, (T, B), self.has_backward)
        self.dstate: tuple[Array, ...] | None = None
        self.final: tuple[Array, ...] | None = None
        self._alone = False
        """Whether x is the only input, so that `read` can replace it in `inputs`."""
        self._prepare_dropout(x.shape)
        if self.has_backward:
            self.dy = self.backend.empty(shape, layer.dtype) if dy is None else dy
            self.output_gradient = _time_major(self.dy)
            bias = self.gradient("bias") if layer.use_bias else None
            self.gradients = RecurrentGradients(self.gradient("kernel"), self.gradient("recurrent_kernel"), bias)
            if dx is not None:
                self.gradients.x = self._in_reading_order(dx)
        self.read(x, mask)
        self.mask = self._mask_of_y(mask)

    @property
    @override
    def recordable(self) -> bool:
        dropped = self._dropped is not None or self._multipliers is not None
        given = self._given_mask is not None or (self.state is not None and self.final is None)
        return not (self.layer.stateful or dropped or given)

    @property
    @override
    def outputs(self) -> tuple[Array, ...]:
        return (self.y, *(self.final or ()))

    @property
    @override
    def output_gradients(self) -> tuple[Array | None, ...]:
        return (self.dy, *(self.dstate or [None] * len(self.final or ())))

    def link_states(self, state: tuple[Array, ...] | None) -> None:
        """Make the states inputs and outputs of a graph.

        Args:
            state: The arrays that hold the initial state whenever `forward` runs; None: zeros, or the memory of a
                stateful layer.
        """
        if state is not None:
            self.read(self.x, self._given_mask, state=state)
        self.final = self._new_state()
        if self.has_backward:
            self.dstate = self.gradients.state = self._new_state()

    @property
    def kernel_name(self) -> str | None:
        """The kernel name of the last training pass."""
        return self.trace.kernel_name if self.training and not self.empty else None

    def takes(self, x: np.ndarray) -> bool:
        """Whether x has the shape and dtype that the executor is allocated for."""
        return x.shape == self.shape and x.dtype == self.y_dtype

    def renew(self) -> None:
        """Allocate a new y: the caller may still hold the previous one."""
        self.y = (self.backend.zeros if self.empty else self.backend.empty)(self.y_shape, self.layer.dtype)
        self.output = _time_major(self.y)

    def renew_gradients(self, dy: Array) -> None:
        """Use dy without a copy, and allocate a new dx: the caller may still hold the previous one."""
        self.dy, self.output_gradient = dy, _time_major(dy)
        if self.dx is not None:
            self.dx = self.backend.empty(self.shape, self.layer.dtype)
            self.gradients.x = self._in_reading_order(self.dx)

    def release(self) -> None:
        """Drop the references to the inputs and y."""
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
        """Replace the inputs.

        Args:
            x: [B, T, F]
            mask: [B, T]
            reset: [B, T], True where the state is set to zero before the step.
            state: The initial state, as the attribute.
            zero_beyond: Whether masked steps output zeros even without `zero_output_for_mask`. Without
                `return_sequences` it has no effect: y is the output of each row's last valid step.
        """
        alone = mask is reset is state is None
        if alone and self._alone:
            self.x = x
            if self._dropped is None:
                self.inputs.x = self._in_reading_order(x)
            return
        self.x, self.state = x, state
        self._given_mask = mask
        read = x if self._dropped is None else self._dropped
        self.inputs = RecurrentInputs(
            self._in_reading_order(read),
            None if mask is None else self._in_reading_order(mask),
            state,
            None if reset is None else self._in_reading_order(reset),
            self._multipliers,
            self.layer.zero_output_for_mask or (zero_beyond and self.layer.return_sequences),
        )
        self._alone = alone and not self.layer.stateful

    def forward(self) -> None:
        """Write y and the trace."""
        if not self.empty:
            self.begin()
            self.backend.recurrent_forward(
                self.layer.cell, self.layer.kernel_weights, self.inputs, self.trace, self.output
            )
            self.end()
        elif self.final is not None:
            for index, part in enumerate(self.final):
                if self.state is None:
                    self.backend.clear(part)
                else:
                    self.backend.copy_each(self.state[index], part)

    def begin(self) -> None:
        """Prepare the kernel's inputs: the state from the memory, the mask of y, and dropout."""
        layer = self.layer
        if layer.stateful and self.state is None:
            layer.memory.check_rows(self.x.shape[0], layer.name)
            self.inputs.state = layer.memory.state
        if self.mask is not None and self._given_mask is not None and layer.go_backwards:
            self.backend.copy(self.mask, self._given_mask[:, ::-1])
        if self._dropped is not None or self._multipliers is not None:
            self._step = layer.random.next_step()
        if self._dropped is not None:
            self._drop(self.x, self._dropped)
        if self._multipliers is not None:
            ones, multipliers = self._ones, self._multipliers.reshape(self._ones.shape)
            stream = layer.first_stream + 1
            self.backend.dropout(ones, multipliers, layer.recurrent_dropout, layer.random.seed or 0, stream, self._step)

    def end(self) -> None:
        """After the kernel: write the final state to where a graph reads it, and to the memory of a stateful layer."""
        if self.final is not None:
            self.backend.save_state(self.layer.cell, self.trace, self.final)
        if self.layer.stateful:
            self.layer.memory.state = self.backend.recurrent_state(self.layer.cell, self.trace)

    def backward(self) -> None:
        """Compute the gradients of the weights, and those of x and of the initial state if they are needed."""
        if not self.empty:
            self.backend.recurrent_backward(
                self.layer.cell, self.layer.kernel_weights, self.inputs, self.trace, self.output_gradient,
                self.gradients,
            )  # fmt: skip
            self.end_backward()
        else:
            self.clear_gradients()

    def end_backward(self) -> None:
        """After the kernel: apply the dropout of x to dx."""
        if self._dropped is not None and self.dx is not None:
            self._drop(self.dx, self.dx)

    def continue_from(self, before: RecurrentExecutor | None) -> None:
        """Use the final state of `before` as the initial state; ValueError if the layer reads backwards."""
        if self.layer.go_backwards:
            raise ValueError(f"layer {self.layer.name!r} reads from the sequence's end: it cannot take it in pieces")
        self.state = self.inputs.state = None if before is None else before.final_state()

    def final_state(self) -> tuple[Array, ...]:
        """The state after the last step, in new arrays. Without steps it is the initial state."""
        if not self.empty:
            return self.backend.recurrent_state(self.layer.cell, self.trace)
        if self.state is not None:
            return self.state
        shape = (self.x.shape[0], self.layer.units)
        return tuple(self.backend.zeros(shape, self.layer.dtype) for _ in self.layer.cell.states)

    def host_state(self) -> list[np.ndarray]:
        """The state after the last step, on the host."""
        return [np.array(self.backend.to_host(part)) for part in self.final_state()]

    def set_state_gradients(self, gradients: tuple[Array, ...] | None) -> None:
        """Set the gradients of the final state; None: zeros. `backward` overwrites them."""
        if gradients is self.state is self.dstate is None:
            return
        self.dstate = gradients
        if gradients is None and self.state is not None:
            self.dstate = self._new_state()
        self.gradients.state = self.dstate

    def _new_state(self) -> tuple[Array, ...]:
        """Zeros for each part of the state."""
        shape = (len(self.layer.cell.states), self.x.shape[0], self.layer.units)
        together = self.backend.zeros(shape, self.layer.dtype)
        return tuple(together[index] for index in range(len(together)))

    def _prepare_dropout(self, shape: tuple[int, ...]) -> None:
        """Allocate the input after dropout and the dropout multipliers of the state, as far as they are needed."""
        layer, (rows, _, _) = self.layer, shape
        self._dropped = self._multipliers = None
        self._step = 0
        if self.training and not self.empty:
            if layer.dropout:
                self._dropped = self.backend.empty(shape, layer.dtype)
            if layer.recurrent_dropout:
                self._ones: Array = self.backend.asarray(np.ones((rows, 1, layer.units)), layer.dtype)
                self._multipliers = self.backend.empty((rows, layer.units), layer.dtype)

    def _drop(self, source: Array, target: Array) -> None:
        layer = self.layer
        self.backend.dropout(source, target, layer.dropout, layer.random.seed or 0, layer.first_stream, self._step)

    def _mask_of_y(self, mask: Array | None) -> Array | None:
        """The mask in the order of y; with `go_backwards` a new array, which `begin` fills."""
        if mask is None or not self.layer.return_sequences:
            return None
        return self.backend.empty(mask.shape, "bool") if self.layer.go_backwards else mask

    def _in_reading_order(self, array: Array) -> Array:
        """View [B, T, ...] as [T, B, ...] in reading order of the steps."""
        view = array.swapaxes(0, 1)
        return view[::-1] if self.layer.go_backwards else view


def _time_major(array: Array) -> Array:
    """View [B, T, n] as [T, B, n], or [B, n] as [1, B, n]."""
    return array.transpose(1, 0, 2) if len(array.shape) == 3 else array[None]


class RecurrentStep:
    """A recurrent layer on a stream. `return_sequences` has no effect.

    x: [B, F]
    y: [B, H]
    """

    def __init__(self, layer: Description, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty((x.shape[0], layer.units), layer.dtype)
        self.reset()

    @override
    def make_steps(self) -> tuple[Callable[[], None], Callable[[], None]]:
        layer = self._layer
        return layer.backend.make_recurrent_steps(layer.cell, layer.kernel_weights, self._x, self._trace, self.y)

    def reset(self) -> None:
        """Reset the state to zeros, in a new trace."""
        layer = self._layer
        self._trace = layer.backend.recurrent_trace(layer.cell, (1, self._x.shape[0]), training=False)
