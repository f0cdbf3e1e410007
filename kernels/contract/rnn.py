"""Elman's network, Keras' SimpleRNN (Elman 1990): its cell and its passes.

    h = φ(x W + h' U + b)

G is 1, and the state is (h,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from numlstm.kernels.contract.memory import Array
from numlstm.kernels.contract.recurrent import (
    RecurrentGradients,
    RecurrentInputs,
    RecurrentPlan,
    RecurrentTrace,
    RecurrentWeights,
)

__all__ = ["RNN", "RNNCell"]


@dataclass(frozen=True)
class RNNCell:
    """What kind of cell runs.

    features: F
    units: H
    dtype: "float32" or "float64"
    activation: φ, one of `ACTIVATIONS`
    zero_output_for_mask: whether the output of a masked step is zero, and its dy ignored, instead of the output of the
        step before
    """

    features: int
    units: int
    dtype: str
    activation: str = "tanh"
    zero_output_for_mask: bool = False


class RNN(Protocol):
    """The passes of Elman's network. What they share with the LSTM's is as it is there."""

    def rnn_trace(self, cell: RNNCell, shape: tuple[int, int], training: bool) -> RecurrentTrace:
        """Allocate what one pass over (T, B) steps keeps; training: whether `rnn_backward` will follow."""

    def rnn_plan(self, cell: RNNCell, shape: tuple[int, int], training: bool) -> RecurrentPlan:
        """What a pass over (T, B) steps would run, and the memory of its trace; nothing is allocated."""

    def rnn_forward(
        self,
        cell: RNNCell,
        weights: RecurrentWeights,
        inputs: RecurrentInputs,
        trace: RecurrentTrace,
        y: Array,
    ) -> None:
        """Run the equation above over all T steps. Parameters and masks as for `lstm_forward`."""

    def bind_rnn_step(
        self, cell: RNNCell, weights: RecurrentWeights, x: Array, trace: RecurrentTrace, y: Array
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """Two functions to be called by turns, each of which runs one step. Parameters as for `bind_lstm_step`."""

    def rnn_state(self, trace: RecurrentTrace) -> tuple[Array]:
        """The final (h,) of a forward pass: a [B, H] array of its own."""

    def rnn_backward(
        self,
        cell: RNNCell,
        weights: RecurrentWeights,
        inputs: RecurrentInputs,
        trace: RecurrentTrace,
        dy: Array,
        gradients: RecurrentGradients,
    ) -> None:
        """Backpropagation through time: the forward pass reversed, which consumes the trace.

        inputs: as given to `rnn_forward`
        dy: [n, B, H] view, the gradient of the last n outputs; n is T or 1
        gradients: overwritten; `c` is not looked at

            dz = dh ⊙ φ'(z), from h alone    dh' = dz Uᵀ    dx = dz Wᵀ    dW = Σ xᵀ dz    dU = Σ h'ᵀ dz    db = Σ dz

        Masked steps have dz = 0 and pass dh on; their x is not read. With recurrent dropout m, dh' = m ⊙ (dz Uᵀ) and
        dU = Σ (m ⊙ h')ᵀ dz.
        """
