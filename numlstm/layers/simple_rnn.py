"""The simple recurrent layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numlstm.kernels import ACTIVATIONS, SimpleRNNCell
from numlstm.layers.activation import kind_of
from numlstm.layers.recurrent import Recurrent

__all__ = ["SimpleRNN"]


class SimpleRNN(Recurrent):
    """A recurrent layer without gates (Elman 1990): h = φ(x W + h' U + b), whose gradients vanish or explode with time.

    Takes (B, T, F) and gives the last output (B, H), or all of them (B, T, H). The weights are kernel (F, H),
    recurrent_kernel (H, H) and bias (H,). Masks are as for `LSTM`; the state is h alone.

    Args:
        units: H.
        activation: φ, by name; see `numlstm.layers.Activation`, but for "softmax".
        use_bias: As for `LSTM`, all the rest.
        kernel_initializer: For W.
        recurrent_initializer: For U.
        bias_initializer: For b.
        kernel_regularizer: For W.
        recurrent_regularizer: For U.
        bias_regularizer: For b.
        dropout: Of the input.
        recurrent_dropout: Of h on its way to U.
        seed: Of the dropout.
        return_sequences: Give all outputs.
        return_state: Give `[y, h]`.
        go_backwards: Read the sequence from its end.
        stateful: Keep the state from batch to batch.
        zero_output_for_mask: Give zeros at masked steps.
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: (T, F), the shape of one sample; T may be None.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
    """

    cell_type = SimpleRNNCell

    def __init__(
        self,
        units: int,
        activation: str | None = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
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
        self.activation = kind_of(activation, "activation", ACTIVATIONS)
        super().__init__(
            units, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, dropout, recurrent_dropout, seed, return_sequences, return_state,
            go_backwards, stateful, zero_output_for_mask, dtype, name, input_shape, others,
        )  # fmt: skip

    def make_cell(self, features: int) -> SimpleRNNCell:
        """See `Recurrent.make_cell`."""
        return SimpleRNNCell(features, self.units, self.dtype, self.activation)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return super().get_config() | {"activation": self.activation}
