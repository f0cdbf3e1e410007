"""The base of recurrent layers. Arrays are batch-major; the kernels get time-major views and loop over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from numlstm import checks, initializers, regularizers
from numlstm.kernels import Array, Cell, RecurrentUse, RecurrentWeights
from numlstm.layers.layer import Shape
from numlstm.layers.recurrent.arguments import BaseArguments, DropoutArguments, SequenceArguments, WeightArguments
from numlstm.layers.recurrent.eager import RecurrentEager
from numlstm.layers.recurrent.executor import RecurrentExecutor, RecurrentStep
from numlstm.layers.recurrent.memory import StateMemory
from numlstm.override import override
from numlstm.parameters import Parameters
from numlstm.plan import Recurrence

__all__ = ["Recurrent"]


class Recurrent(RecurrentEager):
    """The base of recurrent layers with G gates. `LSTM` documents the arguments."""

    cell_type: ClassVar[type[Cell]]
    """The class of the cell, which defines its gates, states and kernels."""
    cell: Cell
    """The description of the cell for the kernels, set when the layer is built."""
    kernel_weights: RecurrentWeights

    def __init__(
        self,
        units: int,
        weights: WeightArguments,
        dropout: DropoutArguments,
        sequence: SequenceArguments,
        base: BaseArguments,
    ) -> None:
        self.units = checks.integer(units, "units")
        self.use_bias = weights.use_bias
        self.kernel_initializer = weights.kernel_initializer
        self.recurrent_initializer = weights.recurrent_initializer
        self.bias_initializer = weights.bias_initializer
        self.kernel_regularizer = weights.kernel_regularizer
        self.recurrent_regularizer = weights.recurrent_regularizer
        self.bias_regularizer = weights.bias_regularizer
        self.dropout, self.recurrent_dropout = dropout.dropout, dropout.recurrent_dropout
        self._draw_seed(dropout.seed, self.dropout + self.recurrent_dropout)
        self.return_sequences, self.return_state = sequence.return_sequences, sequence.return_state
        self.go_backwards, self.stateful = sequence.go_backwards, sequence.stateful
        self.zero_output_for_mask = sequence.zero_output_for_mask
        self.memory = StateMemory()
        """The state with which a stateful layer begins its next batch."""
        self.first_stream = 0
        """The stream of random numbers for `dropout`; `recurrent_dropout` uses the next stream of the same seed."""
        super().__init__(base.name, base.dtype, base.input_shape, base.others)

    def make_cell(self, features: int) -> Cell:
        """Make the description of the cell for the kernels."""
        raise NotImplementedError

    @property
    def state_letters(self) -> str:
        """The parts of the state, one letter each."""
        return self.cell_type.states

    @property
    @override
    def returns_last_only(self) -> bool:
        return not self.return_sequences

    @property
    @override
    def outputs(self) -> int:
        return 1 + len(self.state_letters) * self.return_state

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """(B, T, F) to (B, H), or to (B, T, H) with `return_sequences`. With `return_state` a tuple of y and state."""
        y_shape = self.y_shape(input_shape)
        return (y_shape, *self.state_shapes(input_shape)) if self.return_state else y_shape

    @override
    def state_shapes(self, input_shape: Shape) -> list[Shape]:
        return [(input_shape[0], self.units) for _ in self.state_letters]

    def y_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output without the states; ValueError if the layer cannot take the input."""
        features = None if self._parameters is None else self._parameters.shapes["kernel"][0]
        if len(input_shape) != 3 or not input_shape[2] or features not in (None, input_shape[2]):
            wanted = f"(batch, time, {features or 'features'})"
            hint = ": give steps of one feature an axis for it, as by x[..., None]" if len(input_shape) == 2 else ""
            raise ValueError(f"layer {self.name!r} takes {wanted}, not shape {tuple(input_shape)}{hint}")
        return (*input_shape[:2], self.units) if self.return_sequences else (input_shape[0], self.units)

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """Kernel (F, GH), recurrent kernel (H, GH) and bias: (GH,), or (2, GH) for a cell with two biases."""
        self.compute_output_shape(input_shape)
        width, biases = len(self.cell_type.gates) * self.units, self.make_cell(1).biases
        shapes: dict[str, tuple[int, ...]] = {
            "kernel": (int(input_shape[2] or 0), width),
            "recurrent_kernel": (self.units, width),
        }
        return shapes | {"bias": (width,) if biases == 1 else (biases, width)} if self.use_bias else shapes

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "zero_output_for_mask": self.zero_output_for_mask,
            "dtype": self.dtype,
            "name": self.name,
            **({} if self.batch_size is None else {"batch_size": self.batch_size}),
        }

    @property
    @override
    def regularized(self) -> list[tuple[str, regularizers.Regularizer]]:
        given = {
            "kernel": self.kernel_regularizer,
            "recurrent_kernel": self.recurrent_regularizer,
            "bias": self.bias_regularizer if self.use_bias else None,
        }
        return [(name, regularizer) for name, regularizer in given.items() if regularizer is not None]

    def use(self, with_dx: bool) -> RecurrentUse:
        """The passes that training runs, with or without the gradient of x."""
        cell = self.make_cell(1)
        return RecurrentUse(cell.name, cell.with_options or self.recurrent_dropout > 0, with_dx)

    @override
    def kernels_used(self, with_dx: bool) -> Sequence[str | RecurrentUse]:
        return [self.use(with_dx), *["dropout"] * bool(self.dropout + self.recurrent_dropout)]

    @override
    def recurrences(self, input_shape: Shape) -> list[Recurrence]:
        return [
            Recurrence(self.name, self.cell, (input_shape[1] or 0, input_shape[0] or 0), self.recurrent_dropout > 0)
        ]

    @property
    @override
    def state(self) -> tuple[Array, ...] | None:
        return self.memory.state

    @state.setter
    def state(self, state: tuple[Array, ...] | None) -> None:
        rows = 0 if state is None else len(state[0])
        self.memory.state = self.checked_state(state, rows, "state")

    def reset_state(self) -> None:
        """Clear the memory: the next batch begins with zeros and may have any size."""
        self.memory.state = None

    @override
    def expect_batch(self, size: int | None) -> None:
        super().expect_batch(size)
        self.memory.batch_size = size

    def check_rows(self, rows: int) -> None:
        """Raise ValueError if the memory holds a state of another number of rows."""
        self.memory.check_rows(rows, self.name)

    @override
    def checked_state(self, state: Any, rows: int, name: str) -> tuple[Array, ...] | None:
        if state is None:
            return None
        count = len(self.state_letters)
        if count == 1 and isinstance(state, np.ndarray) and state.ndim == 2:
            state = [state]
        if not isinstance(state, Sequence | np.ndarray) or len(state) != count:
            wanted = "[h]" if count == 1 else f"a list of {count} arrays: {', '.join(self.state_letters)}"
            raise ValueError(f"{name} must be {wanted}")
        shape = (rows, self.units)
        together = np.empty((count, *shape), self.dtype)
        for part, label, room in zip(state, self.state_letters, together, strict=True):
            array = checks.numbers(part, f"{name} ({label})", self.dtype)
            if array.shape != shape:
                raise ValueError(f"{name} ({label}) must have shape {shape} (batch, units), not {array.shape}")
            room[...] = array
        arrays = self.backend.asarray(together, self.dtype)  # All parts reach a GPU in one copy.
        return tuple(arrays[index] for index in range(count))

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> RecurrentExecutor:
        return RecurrentExecutor(self, x, dx, mask, training)

    @override
    def new_step(self, x: Array) -> RecurrentStep:
        if self.go_backwards:
            raise ValueError(f"layer {self.name!r} reads from the sequence's end (go_backwards): it cannot be streamed")
        return RecurrentStep(self, x)

    @override
    def copy(self, name: str, **changes: Any) -> Self:
        twin = super().copy(name, **changes)
        twin.memory = StateMemory()
        twin.expect_batch(self.batch_size)
        return twin

    @override
    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        values = [self.kernel_initializer(shapes["kernel"]), self.recurrent_initializer(shapes["recurrent_kernel"])]
        return [*values, np.array(self.bias_initializer(shapes["bias"]))] if self.use_bias else values

    def _traced(self) -> dict[str, np.ndarray]:
        """The gates (B, T, H) and states (B, T + 1, H) of the last training pass, by letter, before its `backward`.

        Raises:
            ValueError: If there was no `forward(training=True)` since the last `backward`, or the input has no steps.
        """
        executor = self._training
        if executor is None or not executor.waits:
            raise ValueError(
                f"layer {self.name!r} has no trace: call forward(x, training=True), and look before backward"
            )
        if 0 in executor.x.shape[:2]:
            raise ValueError(f"layer {self.name!r} has no trace of no steps")
        parts = self.backend.recurrent_gates(self.cell, executor.trace)
        return {letter: np.array(self.backend.to_host(part).swapaxes(0, 1)) for letter, part in parts.items()}

    def _attach(self, parameters: Parameters) -> None:
        kernel, recurrent_kernel = parameters.value("kernel"), parameters.value("recurrent_kernel")
        bias = parameters.value("bias") if self.use_bias else None
        self.cell = self.make_cell(kernel.shape[0])
        self.kernel_weights = RecurrentWeights(kernel, recurrent_kernel, bias, parameters.buffers.version)
        self.memory.state = None
