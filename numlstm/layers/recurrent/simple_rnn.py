"""The simple recurrent layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numlstm.kernels import ACTIVATIONS, SimpleRNNCell
from numlstm.layers.activation import activation_name
from numlstm.layers.recurrent.arguments import BaseArguments, DropoutArguments, SequenceArguments, WeightArguments
from numlstm.layers.recurrent.layer import Recurrent
from numlstm.override import override

__all__ = ["SimpleRNN"]


class SimpleRNN(Recurrent):
    """A recurrent layer without gates (Elman 1990): h = φ(x W + h' U + b). Its gradients vanish or explode with time.

    Maps (B, T, F) to the last output (B, H), or to all outputs (B, T, H). The weights are kernel (F, H),
    recurrent_kernel (H, H) and bias (H,). Masks are as for `LSTM`. The state is h.

    Args:
        units: H.
        activation: Name of φ: those of `numlstm.layers.Activation` except "softmax".
        use_bias: Whether to add b. This and all following arguments are as for `LSTM`.
        kernel_initializer: Initializer of W.
        recurrent_initializer: Initializer of U.
        bias_initializer: Initializer of b.
        kernel_regularizer: Regularizer of W.
        recurrent_regularizer: Regularizer of U.
        bias_regularizer: Regularizer of b.
        dropout: Rate of dropout of the input.
        recurrent_dropout: Rate of dropout of h' before the product with U.
        seed: Seed of the dropout.
        return_sequences: Whether to return all outputs instead of the last one.
        return_state: Whether to return `[y, h]`, where h is the final state.
        go_backwards: Read the sequence from the last step to the first.
        stateful: Begin each batch with the final state of the previous batch.
        zero_output_for_mask: Output zeros at masked steps.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: (T, F), the shape of one sample. T may be None.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
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
        self.activation = activation_name(activation, "activation", ACTIVATIONS)
        weights = WeightArguments(
            use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer,
        )  # fmt: skip
        dropped = DropoutArguments(dropout, recurrent_dropout, seed)
        sequence = SequenceArguments(return_sequences, return_state, go_backwards, stateful, zero_output_for_mask)
        super().__init__(units, weights, dropped, sequence, BaseArguments(dtype, name, input_shape, others))

    @override
    def make_cell(self, features: int) -> SimpleRNNCell:
        return SimpleRNNCell(features, self.units, self.dtype, self.activation)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return super().get_config() | {"activation": self.activation}
