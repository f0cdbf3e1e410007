"""The GRU layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import CELL_ACTIVATIONS, GRUCell
from numlstm.layers.activation import activation_name
from numlstm.layers.recurrent.arguments import BaseArguments, DropoutArguments, SequenceArguments, WeightArguments
from numlstm.layers.recurrent.layer import Recurrent
from numlstm.override import override

__all__ = ["GRU", "GRUTrace"]


@dataclass(frozen=True)
class GRUTrace:
    """The gates and states of a GRU, in reading order of the steps.

    z, r, n: (B, T, H) update gate, reset gate and candidate, zero at masked steps
    h: (B, T + 1, H) states, with the initial state at index 0
    """

    z: np.ndarray
    r: np.ndarray
    n: np.ndarray
    h: np.ndarray


class GRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014).

    Maps (B, T, F) to the last output (B, H), or to all outputs (B, T, H). h' is the previous state:

        z = σ(x W_z + h' U_z + b_z)    r = σ(x W_r + h' U_r + b_r)
        n = φ(x W_n + b_n + r ⊙ (h' U_n + b'_n))    h = z ⊙ h' + (1 - z) ⊙ n

    The weights are kernel (F, 3H), recurrent_kernel (H, 3H) and bias (2, 3H), with columns z r n. Row 0 of
    the bias belongs to W, row 1 to U: n uses them as b_n and b'_n, z and r take their sum. Without `reset_after`,
    n = φ(x W_n + b_n + (r ⊙ h') U_n), and the bias has shape (3H,). `torch.nn.GRU` corresponds to `reset_after`, with
    gates in the order r z n. Masks are as for `LSTM`. The state is h.

    Args:
        units: H.
        activation: φ: "tanh", "sigmoid", "hard_sigmoid", "relu" or "linear" (None).
        recurrent_activation: σ, from the same list.
        use_bias: Whether to add a bias.
        kernel_initializer: Initializer of the kernel; see `numlstm.initializers`.
        recurrent_initializer: Initializer of the recurrent kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel; see `numlstm.regularizers`.
        recurrent_regularizer: Regularizer of the recurrent kernel.
        bias_regularizer: Regularizer of the bias.
        dropout: Rate of dropout of the input in training. A row drops the same features at every step.
        recurrent_dropout: Rate of dropout of h' before the product with U in training. A row drops the same units at
            every step (Gal & Ghahramani 2016) and in all three gates. Keras draws other units for each gate.
        seed: Seed of the dropout, an integer from 0. None: drawn from the generator that `numlstm.set_seed` seeds.
        return_sequences: Whether to return all outputs instead of the last one.
        return_state: Whether to return `[y, h]`, where h is the final state.
        go_backwards: Read the sequence from the last step to the first. Outputs are in reading order.
        stateful: Begin each batch with the final state of the previous batch, until `reset_states()`. Inference also
            updates this memory. Building the layer, moving its weights or adding it to a model clears it.
        zero_output_for_mask: Output zeros at masked steps instead of the previous output.
        reset_after: Whether r multiplies the product with U instead of h'.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: (T, F), the shape of one sample. T may be None.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    cell_type = GRUCell

    def __init__(
        self,
        units: int,
        activation: str | None = "tanh",
        recurrent_activation: str | None = "sigmoid",
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
        reset_after: bool = True,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.activation = activation_name(activation, "activation", CELL_ACTIVATIONS)
        self.recurrent_activation = activation_name(recurrent_activation, "recurrent_activation", CELL_ACTIVATIONS)
        self.reset_after = checks.boolean(reset_after, "reset_after")
        weights = WeightArguments(
            use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer,
        )  # fmt: skip
        dropped = DropoutArguments(dropout, recurrent_dropout, seed)
        sequence = SequenceArguments(return_sequences, return_state, go_backwards, stateful, zero_output_for_mask)
        super().__init__(units, weights, dropped, sequence, BaseArguments(dtype, name, input_shape, others))

    @override
    def make_cell(self, features: int) -> GRUCell:
        return GRUCell(features, self.units, self.dtype, self.activation, self.recurrent_activation, self.reset_after)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return super().get_config() | {
            "activation": self.activation,
            "recurrent_activation": self.recurrent_activation,
            "reset_after": self.reset_after,
        }

    @property
    def trace(self) -> GRUTrace:
        """The gates and states of the last `forward(training=True)` at every step. Available until `backward`.

        Raises:
            ValueError: If there was no `forward(training=True)` since the last `backward`, or the input has no steps.
        """
        return GRUTrace(**self._traced())
