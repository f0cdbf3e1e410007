"""What recurrent layers share. Batch-major outside, time-major views to the kernels; no loop over time is here."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from numlstm import checks, initializers, regularizers
from numlstm.kernels import Array, Cell, RecurrentUse, RecurrentWeights
from numlstm.layers.layer import Shape
from numlstm.layers.recurrent_pass import RecurrentPass, RecurrentStep
from numlstm.layers.sequence import SequenceLayer
from numlstm.parameters import Parameters
from numlstm.plan import Recurrence

__all__ = ["Recurrent"]


class Recurrent(SequenceLayer):
    """The base of recurrent layers with G gates; the arguments are explained at `LSTM`."""

    cell_type: ClassVar[type[Cell]]
    """The kind of cell: it knows its gates, its states and its kernels."""
    cell: Cell
    """The cell that runs, once the layer is built."""

    def __init__(
        self,
        units: int,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        stateful: bool,
        zero_output_for_mask: bool,
        dtype: Any,
        name: str | None,
        input_shape: Sequence[int | None] | None,
        others: Mapping[str, Any],
    ) -> None:
        self.units = checks.integer(units, "units")
        self.use_bias = checks.boolean(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.dropout = checks.fraction(dropout, "dropout")
        self.recurrent_dropout = checks.fraction(recurrent_dropout, "recurrent_dropout")
        self._draw_seed(seed, self.dropout + self.recurrent_dropout)
        self.return_sequences = checks.boolean(return_sequences, "return_sequences")
        self.return_state = checks.boolean(return_state, "return_state")
        self.go_backwards = checks.boolean(go_backwards, "go_backwards")
        self.stateful = checks.boolean(stateful, "stateful")
        self.zero_output_for_mask = checks.boolean(zero_output_for_mask, "zero_output_for_mask")
        self.last_path: str | None = None
        """The kernel that the last forward pass in training ran on."""
        self.state: tuple[Array, ...] | None = None
        """What a stateful layer begins its next batch with: [B, H] arrays of the backend; None: zeros."""
        self._own = threading.local()
        """Each thread's last pass: a small one takes as long to wire up as to run."""
        self.first_stream = 0
        """Which of its seed's streams of random numbers the input's dropout takes; the recurrent one takes the next."""
        super().__init__(name, dtype, input_shape, others)

    def make_cell(self, features: int) -> Cell:
        """The description of the cell for the kernels."""
        raise NotImplementedError

    @property
    def states(self) -> str:
        """The parts of the state, a letter each."""
        return self.cell_type.states

    @property
    def outputs(self) -> int:
        """See `Layer.outputs`."""
        return 1 + len(self.states) * self.return_state

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, F) to (B, H), or to (B, T, H) with `return_sequences`."""
        features = None if self._parameters is None else self._parameters.shapes["kernel"][0]
        if len(input_shape) != 3 or not input_shape[2] or features not in (None, input_shape[2]):
            raise ValueError(
                f"layer {self.name!r} takes (batch, time, {features or 'features'}), not shape {tuple(input_shape)}"
            )
        return (*input_shape[:2], self.units) if self.return_sequences else (input_shape[0], self.units)

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """Kernel (F, GH), recurrent kernel (H, GH) and bias (GH,), or (2, GH) of a cell with two biases."""
        self.compute_output_shape(input_shape)
        width, biases = len(self.cell_type.gates) * self.units, self.make_cell(1).biases
        shapes: dict[str, tuple[int, ...]] = {
            "kernel": (int(input_shape[2] or 0), width),
            "recurrent_kernel": (self.units, width),
        }
        return shapes | {"bias": (width,) if biases == 1 else (biases, width)} if self.use_bias else shapes

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
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
        }

    @property
    def regularized(self) -> list[tuple[str, regularizers.Regularizer]]:
        """See `Layer.regularized`."""
        given = {
            "kernel": self.kernel_regularizer,
            "recurrent_kernel": self.recurrent_regularizer,
            "bias": self.bias_regularizer if self.use_bias else None,
        }
        return [(name, regularizer) for name, regularizer in given.items() if regularizer is not None]

    def use(self, with_dx: bool) -> RecurrentUse:
        """The passes that training runs; with_dx: whether the gradient of x is wanted."""
        cell = self.make_cell(1)
        return RecurrentUse(cell.name, cell.with_options or self.recurrent_dropout > 0, with_dx)

    def functions(self, with_dx: bool) -> Sequence[str | RecurrentUse]:
        """See `Layer.functions`."""
        return [self.use(with_dx), *["dropout"] * bool(self.dropout + self.recurrent_dropout)]

    @property
    def kernel_path(self) -> str | None:
        """See `Layer.kernel_path`."""
        return self.last_path

    def cells(self, input_shape: Shape) -> list[Recurrence]:
        """See `Layer.cells`."""
        return [
            Recurrence(self.name, self.cell, (input_shape[1] or 0, input_shape[0] or 0), self.recurrent_dropout > 0)
        ]

    def reset_state(self) -> None:
        """See `SequenceLayer.reset_state`."""
        self.state = None

    def check_rows(self, rows: int) -> None:
        """See `SequenceLayer.check_rows`."""
        if self.state is not None and self.state[0].shape[0] != rows:
            raise ValueError(
                f"layer {self.name!r} is stateful and holds the state of {self.state[0].shape[0]} rows, but a batch of "
                f"{rows} came: keep to one batch size, or call reset_states() in between"
            )

    def checked_state(self, state: Any, rows: int, name: str) -> tuple[Array, ...] | None:
        """See `SequenceLayer.checked_state`."""
        if state is None:
            return None
        count = len(self.states)
        if count == 1 and isinstance(state, np.ndarray) and state.ndim == 2:
            state = [state]
        if not isinstance(state, Sequence | np.ndarray) or len(state) != count:
            raise ValueError(f"{name} must be a list of {count} arrays: {', '.join(self.states)}")
        shape = (rows, self.units)
        together = np.empty((count, *shape), self.dtype)
        for part, label, room in zip(state, self.states, together, strict=True):
            array = checks.numbers(part, f"{name} ({label})", self.dtype)
            if array.shape != shape:
                raise ValueError(f"{name} ({label}) must have shape {shape} (batch, units), not {array.shape}")
            room[...] = array
        arrays = self.backend.asarray(together, self.dtype)  # A GPU gets them in one copy.
        return tuple(arrays[index] for index in range(count))

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> RecurrentPass:
        """See `Layer.new_pass`."""
        return RecurrentPass(self, x, dx, mask, training)

    def _inference_pass(self, x: Array) -> RecurrentPass:
        run = getattr(self._own, "last", None)
        self._own.last = None  # One that fails is not used again.
        if run is None or run.shape != x.shape:
            return self.new_pass(x, None, None, training=False)
        run.renew()
        return run

    def _infer(self, run: Any) -> Any:
        run.forward()
        y = self.backend.to_host(run.y)
        if not run.nothing:
            run.release()
            self._own.last = run
        return y

    # In the host's memory nothing is copied: y and dx are handed out themselves, and the next pass gets others.

    def _input(self, x: Any) -> Array:
        run = getattr(self._own, "last", None) or self._training
        on_host = run is not None and run.on_host and isinstance(x, np.ndarray)
        # One like the last one has been looked at.
        return np.ascontiguousarray(x) if on_host and run.takes(x) else super()._input(x)

    def _training_pass(self, x: Array) -> RecurrentPass:
        run: RecurrentPass = super()._training_pass(x)
        if run.on_host:
            run.renew()
        return run

    def _result(self, run: RecurrentPass, copied: bool = True) -> Any:
        return run.y if run.on_host else super()._result(run, copied)

    def _take_gradients(self, run: RecurrentPass, dy: Any) -> None:
        gradient = self._output_gradient(dy, "dy", run.y_shape)
        if run.on_host:
            run.renew_gradients(self.backend.asarray(gradient, self.dtype))
        else:
            self.backend.copy(run.dy, gradient)

    def _input_gradient(self, run: RecurrentPass) -> np.ndarray | None:
        return run.dx if run.on_host else super()._input_gradient(run)

    def new_step(self, x: Array) -> RecurrentStep:
        """See `Layer.new_step`."""
        if self.go_backwards:
            raise ValueError(f"layer {self.name!r} reads from the sequence's end (go_backwards): it cannot be streamed")
        return RecurrentStep(self, x)

    def copy(self, name: str) -> Self:
        """See `Layer.copy`."""
        twin = super().copy(name)
        twin.state, twin._own = None, threading.local()
        return twin

    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        """See `Layer.initial_values`."""
        values = [self.kernel_initializer(shapes["kernel"]), self.recurrent_initializer(shapes["recurrent_kernel"])]
        return [*values, np.array(self.bias_initializer(shapes["bias"]))] if self.use_bias else values

    def _traced(self) -> dict[str, np.ndarray]:
        """The gates (B, T, H) and states (B, T + 1, H) of the forward pass that waits for its `backward`, by letter.

        Raises:
            ValueError: If no forward pass in training waits for its `backward`, or it had no steps.
        """
        if not self._forwarded:
            raise ValueError(
                f"layer {self.name!r} has no trace: call forward(x, training=True), and look before backward"
            )
        run = self._training
        if 0 in run.x.shape[:2]:
            raise ValueError(f"layer {self.name!r} has no trace of no steps")
        parts = self.backend.recurrent_gates(self.cell, run.trace)
        return {letter: np.array(self.backend.to_host(part).swapaxes(0, 1)) for letter, part in parts.items()}

    def _bind(self, parameters: Parameters) -> None:
        kernel, recurrent_kernel = parameters.value("kernel"), parameters.value("recurrent_kernel")
        bias = parameters.value("bias") if self.use_bias else None
        self.cell = self.make_cell(kernel.shape[0])
        self.kernel_weights = RecurrentWeights(kernel, recurrent_kernel, bias, parameters.buffers.version)
        self.state, self._own = None, threading.local()
