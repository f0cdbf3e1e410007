"""The LSTM layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import CELL_ACTIVATIONS, LSTMCell
from numlstm.layers.activation import activation_name
from numlstm.layers.recurrent.arguments import BaseArguments, DropoutArguments, SequenceArguments, WeightArguments
from numlstm.layers.recurrent.layer import Recurrent
from numlstm.override import override

__all__ = ["LSTM", "LSTMTrace"]


@dataclass(frozen=True)
class LSTMTrace:
    """The gates and states of an LSTM, in reading order of the steps.

    i, f, g, o: (B, T, H) gates, zero at masked steps
    c, h: (B, T + 1, H) states, with the initial state at index 0
    """

    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c: np.ndarray
    h: np.ndarray


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers, Schmidhuber & Cummins 2000).

    Maps (B, T, F) to the last output (B, H), or to all outputs (B, T, H). `numlstm.kernels` states the equations.
    The weights are kernel (F, 4H), recurrent_kernel (H, 4H) and bias (4H,), with gates i f g o.

    A masked step keeps the state and repeats the previous output, which is zero before a row's first valid step. The
    input of a masked step is not read and may be NaN. Without steps (T = 0) the last output is zero, and the final
    state is the initial state. With `return_sequences` the layer passes its mask on in the order of the outputs. With
    `go_backwards`, Keras passes it on in the order of the input.

    Args:
        units: H.
        activation: Activation of g, and of c in h: "tanh", "sigmoid", "hard_sigmoid", "relu" or "linear" (None).
        recurrent_activation: Activation of i, f and o, from the same list.
        use_bias: Whether to add a bias.
        kernel_initializer: Initializer of the kernel; see `numlstm.initializers`.
        recurrent_initializer: Initializer of the recurrent kernel.
        bias_initializer: Initializer of the bias.
        unit_forget_bias: Initialize the forget gate's bias with ones. `bias_initializer` sets the other gates' biases.
        kernel_regularizer: Regularizer of the kernel; see `numlstm.regularizers`.
        recurrent_regularizer: Regularizer of the recurrent kernel.
        bias_regularizer: Regularizer of the bias.
        dropout: Rate of dropout of the input in training. A row drops the same features at every step.
        recurrent_dropout: Rate of dropout of h before the recurrent product in training. A row drops the same units at
            every step (Gal & Ghahramani 2016).
        seed: Seed of the dropout, an integer from 0. None: drawn from the generator that `numlstm.set_seed` seeds.
        return_sequences: Whether to return all outputs instead of the last one.
        return_state: Whether to return `[y, h, c]`, where h and c are the final state.
        go_backwards: Read the sequence from the last step to the first. Outputs are in reading order.
        stateful: Begin each batch with the final state of the previous batch, until `reset_states()`. Inference also
            updates this memory. Building the layer, moving its weights or adding it to a model clears it.
        zero_output_for_mask: Output zeros at masked steps instead of the previous output.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: (T, F), the shape of one sample. T may be None.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    cell_type = LSTMCell

    def __init__(
        self,
        units: int,
        activation: str | None = "tanh",
        recurrent_activation: str | None = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        *,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        zero_output_for_mask: bool = False,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.activation = activation_name(activation, "activation", CELL_ACTIVATIONS)
        self.recurrent_activation = activation_name(recurrent_activation, "recurrent_activation", CELL_ACTIVATIONS)
        self.unit_forget_bias = checks.boolean(unit_forget_bias, "unit_forget_bias")
        weights = WeightArguments(
            use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer,
        )  # fmt: skip
        dropped = DropoutArguments(dropout, recurrent_dropout, seed)
        sequence = SequenceArguments(return_sequences, return_state, go_backwards, stateful, zero_output_for_mask)
        super().__init__(units, weights, dropped, sequence, BaseArguments(dtype, name, input_shape, others))

    @override
    def make_cell(self, features: int) -> LSTMCell:
        return LSTMCell(features, self.units, self.dtype, self.activation, self.recurrent_activation)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return super().get_config() | {
            "activation": self.activation,
            "recurrent_activation": self.recurrent_activation,
            "unit_forget_bias": self.unit_forget_bias,
        }

    @override
    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        values = super().initial_values(shapes)
        # A bias of another shape is refused later, by the check of all shapes.
        if self.use_bias and self.unit_forget_bias and values[2].shape == shapes["bias"]:
            values[2][self.units : 2 * self.units] = 1.0
        return values

    @property
    def trace(self) -> LSTMTrace:
        """The gates and states of the last `forward(training=True)` at every step. Available until `backward`.

        Raises:
            ValueError: If there was no `forward(training=True)` since the last `backward`, or the input has no steps.
        """
        return LSTMTrace(**self._traced())
