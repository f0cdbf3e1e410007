"""The GRU layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import CELL_ACTIVATIONS, GRUCell
from numlstm.layers.activation import kind_of
from numlstm.layers.recurrent import Recurrent

__all__ = ["GRU", "GRUTrace"]


@dataclass(frozen=True)
class GRUTrace:
    """What a GRU computed, in the order in which the steps were read.

    z, r, n: (B, T, H) update gate, reset gate and candidate, zeros at masked steps
    h: (B, T + 1, H) states, the initial one at index 0
    """

    z: np.ndarray
    r: np.ndarray
    n: np.ndarray
    h: np.ndarray


class GRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014).

    Takes (B, T, F) and gives the last output (B, H), or all of them (B, T, H). With h' the state before:

        z = σ(x W_z + h' U_z + b_z)    r = σ(x W_r + h' U_r + b_r)
        n = φ(x W_n + b_n + r ⊙ (h' U_n + b'_n))    h = z ⊙ h' + (1 - z) ⊙ n

    The weights are kernel (F, 3H), recurrent_kernel (H, 3H) and bias (2, 3H), that of W and that of U, columns z r n.
    Without `reset_after` they are n = φ(x W_n + b_n + (r ⊙ h') U_n) and bias (3H,). `torch.nn.GRU` is the one with
    `reset_after`, its gates in the order r z n. Masks are as for `LSTM`; the state is h alone.

    Args:
        units: H.
        activation: φ: "tanh", "sigmoid", "hard_sigmoid", "relu" or "linear" (None).
        recurrent_activation: σ, of z and r: one of these too.
        use_bias: Whether there is a bias.
        kernel_initializer: See `numlstm.initializers`; so for the next two.
        recurrent_initializer: For the recurrent kernel.
        bias_initializer: For the bias.
        kernel_regularizer: See `numlstm.regularizers`; so for the next two.
        recurrent_regularizer: For the recurrent kernel.
        bias_regularizer: For the bias.
        dropout: How much of the input falls out in training: the same features at every step of a row.
        recurrent_dropout: How much of h' falls out on its way to U, likewise (Gal & Ghahramani 2016). One mask serves
            all three gates, where Keras draws three.
        seed: Of the dropout, an integer from 0; None: one that `numlstm.set_seed` decides.
        return_sequences: Give all outputs, not only the last.
        return_state: Give `[y, h]`, with the final state.
        go_backwards: Read the sequence from its end; outputs come in that order.
        stateful: Begin each batch with the state in which the last one ended, until `reset_states()`; a call of the
            layer then writes to it. Getting weights, a new place for them or a model forgets the state.
        zero_output_for_mask: Give zeros at masked steps instead of the output before.
        reset_after: Whether r acts on what U gives, instead of on h' itself.
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: (T, F), the shape of one sample; T may be None.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
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
        self.activation = kind_of(activation, "activation", CELL_ACTIVATIONS)
        self.recurrent_activation = kind_of(recurrent_activation, "recurrent_activation", CELL_ACTIVATIONS)
        self.reset_after = checks.boolean(reset_after, "reset_after")
        super().__init__(
            units, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, dropout, recurrent_dropout, seed, return_sequences, return_state,
            go_backwards, stateful, zero_output_for_mask, dtype, name, input_shape, others,
        )  # fmt: skip

    def make_cell(self, features: int) -> GRUCell:
        """See `Recurrent.make_cell`."""
        return GRUCell(features, self.units, self.dtype, self.activation, self.recurrent_activation, self.reset_after)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return super().get_config() | {
            "activation": self.activation,
            "recurrent_activation": self.recurrent_activation,
            "reset_after": self.reset_after,
        }

    @property
    def trace(self) -> GRUTrace:
        """What the last `forward(training=True)` computed at every step, until `backward` consumes it.

        Raises:
            ValueError: If no forward pass in training waits for its `backward`, or it had no steps.
        """
        return GRUTrace(**self._traced())
