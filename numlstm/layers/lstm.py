"""The LSTM layer. Batch-major outside, time-major views to the kernels; no loop over time is here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numlstm import checks, initializers
from numlstm.kernels import Array, LSTMCell, RecurrentGradients, RecurrentInputs, RecurrentWeights
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.passes import Pass
from numlstm.parameters import Parameters

__all__ = ["LSTM"]


class LSTM(Layer):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers, Schmidhuber & Cummins 2000).

    Takes (B, T, F) and gives the last output (B, H), or all of them (B, T, H). The equations are those of
    `numlstm.kernels`; the weights are kernel (F, 4H), recurrent_kernel (H, 4H) and bias (4H,), gates i f g o.

    At a masked step the state stays as it was, the input is not read (it may be NaN) and the output repeats the one
    before: zeros before a row's first valid step. Without a step (T = 0) the last output is zero and the final state
    the initial one.

    Args:
        units: H.
        activation: "tanh"; others are not supported yet.
        recurrent_activation: "sigmoid"; others are not supported yet.
        use_bias: Whether there is a bias.
        unit_forget_bias: Set the forget gate's part of the bias to one, whatever the bias initializer.
        kernel_initializer: See `numlstm.initializers`; so for the next two.
        recurrent_initializer: For the recurrent kernel.
        bias_initializer: For the bias.
        return_sequences: Give all outputs, not only the last.
        return_state: Give `[y, h, c]`, with the final state.
        go_backwards: Read the sequence from its end; outputs come in that order.
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: (T, F), the shape of one sample; T may be None.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
    """

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
    ) -> None:
        self.units = checks.integer(units, "units")
        if activation != "tanh":
            raise ValueError(f"activation must be 'tanh', not {activation!r}: others are not supported yet")
        if recurrent_activation != "sigmoid":
            raise ValueError(
                f"recurrent_activation must be 'sigmoid', not {recurrent_activation!r}: others are not supported yet"
            )
        self.use_bias = checks.boolean(use_bias, "use_bias")
        self.unit_forget_bias = checks.boolean(unit_forget_bias, "unit_forget_bias")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.return_sequences = checks.boolean(return_sequences, "return_sequences")
        self.return_state = checks.boolean(return_state, "return_state")
        self.go_backwards = checks.boolean(go_backwards, "go_backwards")
        self.kernel_path: str | None = None
        """The kernel that the last forward pass in training ran on."""
        super().__init__(name, dtype, input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, F) to (B, H), or to (B, T, H) with `return_sequences`."""
        features = None if self._parameters is None else self._parameters.shapes["kernel"][0]
        if len(input_shape) != 3 or not input_shape[2] or features not in (None, input_shape[2]):
            raise ValueError(
                f"layer {self.name!r} takes (batch, time, {features or 'features'}), not shape {tuple(input_shape)}"
            )
        return (*input_shape[:2], self.units) if self.return_sequences else (input_shape[0], self.units)

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """Kernel (F, 4H), recurrent kernel (H, 4H) and bias (4H,)."""
        self.compute_output_shape(input_shape)
        H = self.units
        shapes: dict[str, tuple[int, ...]] = {
            "kernel": (int(input_shape[2] or 0), 4 * H),
            "recurrent_kernel": (H, 4 * H),
        }
        return shapes | {"bias": (4 * H,)} if self.use_bias else shapes

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "unit_forget_bias": self.unit_forget_bias,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "dtype": self.dtype,
            "name": self.name,
        }

    def __call__(self, x: Any, mask: Any = None, initial_state: Any = None) -> Any:
        """Compute the output; the layer is built first when needed.

        Args:
            x: (B, T, F) numbers.
            mask: (B, T) bool, True where a step counts; None: all do.
            initial_state: [h, c], each (B, H); None: zeros.

        Returns:
            y, or [y, h, c] with `return_state`.

        Raises:
            ValueError: If a shape does not fit.
            TypeError: If an array does not hold real numbers, or the mask no booleans.
        """
        array = self._input(x)
        mask, state = self._mask(mask, array), self._state(initial_state, array, "initial_state")
        run = self.new_pass(array, None, mask, training=False)
        run.read(array, mask, state)
        y = self._infer(run)
        return [y, *run.final_state()] if self.return_state else y

    def forward(self, x: Any, training: bool = False, mask: Any = None, initial_state: Any = None) -> Any:
        """Compute the output and, if training, keep what `backward` needs.

        Args:
            x: (B, T, F) numbers. They are not copied: leave them as they are until `backward` has run.
            training: Whether `backward` will follow.
            mask: As for calling the layer.
            initial_state: As for calling the layer.

        Returns:
            y, or [y, h, c] with `return_state`.

        Raises:
            ValueError, TypeError: As for calling the layer.
        """
        if not training:
            return self(x, mask, initial_state)
        array = self._input(x)
        mask, state = self._mask(mask, array), self._state(initial_state, array, "initial_state")
        run = self._training_pass(array)
        run.read(array, mask, state)
        run.forward()
        self._forwarded = True
        y = np.array(self.backend.to_host(run.y))
        return [y, *run.final_state()] if self.return_state else y

    def backward(self, dy: Any, dstate: Any = None) -> np.ndarray:
        """Backpropagate through time: the gradient of x is returned, those of the weights are kept.

        Args:
            dy: The gradient of the output y that the last `forward(training=True)` gave.
            dstate: [dh, dc], the gradients of the final state, each (B, H); None: zeros.

        Raises:
            ValueError: If no forward pass waits for this, or a shape does not fit.
            TypeError: If an array does not hold real numbers.
        """
        run = self._waiting_pass()
        run.set_state_gradients(self._state(dstate, run.x, "dstate"))
        return self._backpropagate(run, dy)

    def initial_state_gradients(self) -> list[np.ndarray]:
        """[dh, dc], the gradients of the initial state, as the last `backward` left them.

        Raises:
            ValueError: If there are none: no backward pass yet, or no initial state was given.
        """
        run = self._training
        if run is None or self._forwarded or run.state is None or run.dh is None:
            raise ValueError(
                f"layer {self.name!r} has no gradients of an initial state: "
                "give one to forward(training=True) and call backward first"
            )
        return [np.array(self.backend.to_host(gradient)) for gradient in (run.dh, run.dc)]

    def functions(self, with_dx: bool) -> list[str]:
        """See `Layer.functions`."""
        return ["lstm_forward", "lstm_backward"] + ["lstm_backward.x"] * with_dx

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> LSTMPass:
        """See `Layer.new_pass`."""
        return LSTMPass(self, x, dx, mask, training)

    def new_step(self, x: Array) -> LSTMStep:
        """See `Layer.new_step`."""
        if self.go_backwards:
            raise ValueError(f"layer {self.name!r} reads from the sequence's end (go_backwards): it cannot be streamed")
        return LSTMStep(self, x)

    def _initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        values = [self.kernel_initializer(shapes["kernel"]), self.recurrent_initializer(shapes["recurrent_kernel"])]
        if self.use_bias:
            bias = np.array(self.bias_initializer(shapes["bias"]))
            if self.unit_forget_bias:
                bias[self.units : 2 * self.units] = 1.0
            values.append(bias)
        return values

    def _bind(self, parameters: Parameters) -> None:
        kernel, recurrent_kernel = parameters.value("kernel"), parameters.value("recurrent_kernel")
        bias = parameters.value("bias") if self.use_bias else None
        self.cell = LSTMCell(kernel.shape[0], self.units, self.dtype)
        self.weights = RecurrentWeights(kernel, recurrent_kernel, bias, parameters.buffers.version)

    def _mask(self, mask: Any, x: Array) -> Array | None:
        """The mask as an array of the backend, checked."""
        if mask is None:
            return None
        array = np.asarray(mask)
        if array.dtype != bool:
            raise TypeError(f"mask holds {array.dtype} values, expected bool: True where a step counts")
        if array.shape != tuple(x.shape[:2]):
            raise ValueError(f"mask must have shape {tuple(x.shape[:2])} (batch, time), not {array.shape}")
        return self.backend.asarray(array, "bool")

    def _state(self, state: Any, x: Array, name: str) -> tuple[Array, Array] | None:
        """A pair of (B, H) arrays, checked."""
        if state is None:
            return None
        if not isinstance(state, Sequence | np.ndarray) or len(state) != 2:
            raise ValueError(f"{name} must be a pair of arrays: one for h, one for c")
        shape = (x.shape[0], self.units)
        pair = []
        for part, label in zip(state, "hc", strict=True):
            array = checks.numbers(part, f"{name} ({label})", self.dtype)
            if array.shape != shape:
                raise ValueError(f"{name} ({label}) must have shape {shape} (batch, units), not {array.shape}")
            pair.append(self.backend.asarray(array, self.dtype))
        return pair[0], pair[1]


class LSTMPass(Pass):
    """An LSTM on one batch.

    x: [B, T, F]
    y, dy: [B, T, H] or [B, H]
    state: initial (h, c), [B, H] each, or None
    dh, dc: [B, H] before `backward` the gradient of the final state, then that of the initial one; None: nobody asks
    """

    layer: LSTM

    def __init__(self, layer: LSTM, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        B, T, H = x.shape[0], x.shape[1], layer.units
        shape = (B, T, H) if layer.return_sequences else (B, H)
        # Without a step, nothing would be written to y: the last output is then zero.
        self._nothing = B == 0 or T == 0
        self.y = self.backend.zeros(shape, layer.dtype) if self._nothing else self.backend.empty(shape, layer.dtype)
        self._y = self._time_major(self.y)
        self.dh = self.dc = None
        if not self._nothing:
            self.trace = self.backend.lstm_trace(layer.cell, (T, B), self.returns)
        if self.returns:
            self.dy = self.backend.empty(shape, layer.dtype)
            self._dy = self._time_major(self.dy)
            bias = self.gradient("bias") if layer.use_bias else None
            self._gradients = RecurrentGradients(self.gradient("kernel"), self.gradient("recurrent_kernel"), bias)
            if dx is not None:
                self._gradients.x = self._in_reading_order(dx)
        self.read(x, mask)
        self.mask = self._mask_of_y()

    def read(self, x: Array, mask: Array | None = None, state: tuple[Array, Array] | None = None) -> None:
        """Let these be the input from now on. The mask is [B, T]."""
        self.x, self._read_mask, self.state = x, mask, state
        self._inputs = RecurrentInputs(
            self._in_reading_order(x), None if mask is None else self._in_reading_order(mask), state
        )

    def _mask_of_y(self) -> Array | None:
        """The mask in the order of y."""
        mask = self._read_mask
        if mask is None or not self.layer.return_sequences:
            return None
        return self.backend.empty(mask.shape, "bool") if self.layer.go_backwards else mask

    def forward(self) -> None:
        """Write y; the trace keeps the rest."""
        if self._nothing:
            return
        layer = self.layer
        if self.mask is not None and layer.go_backwards:
            self.backend.copy(self.mask, self._read_mask[:, ::-1])
        self.backend.lstm_forward(layer.cell, layer.weights, self._inputs, self.trace, self._y)
        if self.training:
            layer.kernel_path = self.trace.kernel_path

    def final_state(self) -> list[np.ndarray]:
        """[h, c] after the last step, on the host."""
        if not self._nothing:
            state = self.backend.lstm_state(self.trace)
        elif self.state is not None:
            state = self.state
        else:
            shape, dtype = (self.x.shape[0], self.layer.units), self.layer.dtype
            state = self.backend.zeros(shape, dtype), self.backend.zeros(shape, dtype)
        return [np.array(self.backend.to_host(part)) for part in state]

    def set_state_gradients(self, gradients: tuple[Array, Array] | None) -> None:
        """Let these be the gradients of the final state; None: zeros."""
        self.dh = self.dc = None
        if gradients is not None or self.state is not None:
            shape, dtype = (self.x.shape[0], self.layer.units), self.layer.dtype
            self.dh, self.dc = self.backend.zeros(shape, dtype), self.backend.zeros(shape, dtype)
        if gradients is not None:
            self.backend.copy(self.dh, gradients[0])
            self.backend.copy(self.dc, gradients[1])
        self._gradients.h, self._gradients.c = self.dh, self.dc

    def backward(self) -> None:
        """The gradients of the weights and, where wanted, of x and of the initial state."""
        layer = self.layer
        if self._nothing:
            if self.training:
                layer.parameters.clear_gradients()
            return
        self.backend.lstm_backward(layer.cell, layer.weights, self._inputs, self.trace, self._dy, self._gradients)

    def _time_major(self, array: Array) -> Array:
        """[B, T, n] as a view [T, B, n], and [B, n] as [1, B, n]."""
        return array.transpose(1, 0, 2) if len(array.shape) == 3 else array.reshape(1, *array.shape)

    def _in_reading_order(self, array: Array) -> Array:
        view = array.swapaxes(0, 1)
        return view[::-1] if self.layer.go_backwards else view


class LSTMStep:
    """An LSTM on a stream, whatever its `return_sequences`.

    x: [B, F]
    y: [B, H]
    """

    def __init__(self, layer: LSTM, x: Array) -> None:
        self._layer, self._x = layer, x
        self.y = layer.backend.empty((x.shape[0], layer.units), layer.dtype)
        self.reset()

    def bind(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """See `Step.bind`."""
        layer = self._layer
        return layer.backend.bind_lstm_step(layer.cell, layer.weights, self._x, self._trace, self.y)

    def reset(self) -> None:
        """Begin with a state of zeros."""
        self._trace = self._layer.backend.lstm_trace(self._layer.cell, (1, self._x.shape[0]), training=False)
