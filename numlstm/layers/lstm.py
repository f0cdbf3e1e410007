"""The LSTM layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import CELL_ACTIVATIONS, LSTMCell
from numlstm.layers.activation import kind_of
from numlstm.layers.recurrent import Recurrent

__all__ = ["LSTM", "LSTMTrace"]


@dataclass(frozen=True)
class LSTMTrace:
    """What an LSTM computed, in the order in which the steps were read.

    i, f, g, o: (B, T, H) gates, zeros at masked steps
    c, h: (B, T + 1, H) states, the initial ones at index 0
    """

    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c: np.ndarray
    h: np.ndarray


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers, Schmidhuber & Cummins 2000).

    Takes (B, T, F) and gives the last output (B, H), or all of them (B, T, H). The equations are those of
    `numlstm.kernels`; the weights are kernel (F, 4H), recurrent_kernel (H, 4H) and bias (4H,), gates i f g o.

    At a masked step the state stays as it was, the input is not read (it may be NaN) and the output repeats the one
    before: zeros before a row's first valid step. Without a step (T = 0) the last output is zero and the final state
    the initial one. The mask that goes on with `return_sequences` is in the order of the outputs; behind `go_backwards`
    Keras leaves it in that of the input.

    Args:
        units: H.
        activation: Of g and of c on its way to h: "tanh", "sigmoid", "hard_sigmoid", "relu" or "linear" (None).
        recurrent_activation: Of i, f and o: one of these too.
        use_bias: Whether there is a bias.
        kernel_initializer: See `numlstm.initializers`; so for the next two.
        recurrent_initializer: For the recurrent kernel.
        bias_initializer: For the bias.
        unit_forget_bias: Set the forget gate's part of the bias to one, whatever the bias initializer.
        kernel_regularizer: See `numlstm.regularizers`; so for the next two.
        recurrent_regularizer: For the recurrent kernel.
        bias_regularizer: For the bias.
        dropout: How much of the input falls out in training: the same features at every step of a row.
        recurrent_dropout: How much of h falls out on its way to the gates, likewise (Gal & Ghahramani 2016).
        seed: Of the dropout, an integer from 0; None: one that `numlstm.set_seed` decides.
        return_sequences: Give all outputs, not only the last.
        return_state: Give `[y, h, c]`, with the final state.
        go_backwards: Read the sequence from its end; outputs come in that order.
        stateful: Begin each batch with the state in which the last one ended, until `reset_states()`; a call of the
            layer then writes to it. Getting weights, a new place for them or a model forgets the state.
        zero_output_for_mask: Give zeros at masked steps instead of the output before.
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: (T, F), the shape of one sample; T may be None.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
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
        self.activation = kind_of(activation, "activation", CELL_ACTIVATIONS)
        self.recurrent_activation = kind_of(recurrent_activation, "recurrent_activation", CELL_ACTIVATIONS)
        self.unit_forget_bias = checks.boolean(unit_forget_bias, "unit_forget_bias")
        super().__init__(
            units, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, dropout, recurrent_dropout, seed, return_sequences, return_state,
            go_backwards, stateful, zero_output_for_mask, dtype, name, input_shape, others,
        )  # fmt: skip

    def make_cell(self, features: int) -> LSTMCell:
        """See `Recurrent.make_cell`."""
        return LSTMCell(features, self.units, self.dtype, self.activation, self.recurrent_activation)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return super().get_config() | {
            "activation": self.activation,
            "recurrent_activation": self.recurrent_activation,
            "unit_forget_bias": self.unit_forget_bias,
        }

    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        """See `Layer.initial_values`."""
        values = super().initial_values(shapes)
        # Another shape is refused with those of all weights.
        if self.use_bias and self.unit_forget_bias and values[2].shape == shapes["bias"]:
            values[2][self.units : 2 * self.units] = 1.0
        return values

    @property
    def trace(self) -> LSTMTrace:
        """What the last `forward(training=True)` computed at every step, until `backward` consumes it.

        Raises:
            ValueError: If no forward pass in training waits for its `backward`, or it had no steps.
        """
        return LSTMTrace(**self._traced())
