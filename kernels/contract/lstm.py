"""The LSTM: its cell and its passes."""

from __future__ import annotations

import functools
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

__all__ = ["LSTM", "LSTMCell"]


@dataclass(frozen=True)
class LSTMCell:
    """What kind of cell runs: the hashable description by which a backend picks a specialisation.

    features: F
    units: H
    dtype: "float32" or "float64"
    activation: of g and of c on its way to h; one of `CELL_ACTIVATIONS`
    recurrent_activation: of i, f and o; one of `CELL_ACTIVATIONS`
    zero_output_for_mask: whether the output of a masked step is zero, and its dy ignored, instead of the output of the
        step before
    """

    features: int
    units: int
    dtype: str
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    zero_output_for_mask: bool = False

    @functools.cached_property
    def general(self) -> bool:
        """Whether its passes take the general kernels, whatever the inputs: plain ones know these activations alone."""
        return (self.activation, self.recurrent_activation) != ("tanh", "sigmoid")


class LSTM(Protocol):
    """The LSTM's passes."""

    def lstm_trace(self, cell: LSTMCell, shape: tuple[int, int], training: bool) -> RecurrentTrace:
        """Allocate what one pass keeps.

        shape: (T, B)
        training: whether `lstm_backward` will follow; without it only two steps are kept, whatever T
        """

    def lstm_plan(self, cell: LSTMCell, shape: tuple[int, int], training: bool, general: bool = False) -> RecurrentPlan:
        """What a pass over (T, B) steps would run, and the memory of its trace; nothing is allocated.

        general: whether its inputs will be, with resets or recurrent dropout
        """

    def lstm_forward(
        self,
        cell: LSTMCell,
        weights: RecurrentWeights,
        inputs: RecurrentInputs,
        trace: RecurrentTrace,
        y: Array,
    ) -> None:
        """Run the equations above over all T steps.

        trace: made by `lstm_trace` for this cell and shape, overwritten
        y: [n, B, H] view, overwritten with the outputs of the last n steps; n is T or 1

        At a masked step the states stay, x is not read, and the output is the one before (zeros before a row's first
        valid step), or zero if the cell says so.
        """

    def bind_lstm_step(
        self, cell: LSTMCell, weights: RecurrentWeights, x: Array, trace: RecurrentTrace, y: Array
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """Two functions to be called by turns, each of which runs one step with the weights as they are now.

        x: [B, F] view, read by every call
        trace: made by `lstm_trace` for (1, B) without training. It carries the state: zeros at first, then what the
            other function left, also when both were bound anew since.
        y: [B, H] view, overwritten by every call

        The results are those of `lstm_forward` over all steps, to the bit.
        """

    def lstm_state(self, trace: RecurrentTrace) -> tuple[Array, Array]:
        """The final (h, c) of a forward pass: [B, H] arrays of their own."""

    def lstm_gates(self, trace: RecurrentTrace) -> tuple[Array, Array, Array, Array, Array, Array]:
        """What a forward pass in training computed: (i, f, g, o, c, h), arrays of their own.

        trace: not yet consumed by `lstm_backward`

        i, f, g, o are [T, B, H], zeros at masked steps; c, h are [T + 1, B, H], each step's after the one before, with
        the initial ones first and no reset applied.
        """

    def lstm_backward(
        self,
        cell: LSTMCell,
        weights: RecurrentWeights,
        inputs: RecurrentInputs,
        trace: RecurrentTrace,
        dy: Array,
        gradients: RecurrentGradients,
    ) -> None:
        """Backpropagation through time: the forward pass reversed, which consumes the trace.

        inputs: as given to `lstm_forward`
        dy: [n, B, H] view, the gradient of the last n outputs; n is T or 1
        gradients: overwritten

            dc = dh ⊙ o ⊙ (1 - tanh² c) + dc'' ⊙ f''     do = dh ⊙ tanh c    di = dc ⊙ g    df = dc ⊙ c'    dg = dc ⊙ i
            dG = (di ⊙ i(1-i), df ⊙ f(1-f), dg ⊙ (1-g²), do ⊙ o(1-o))
            dh' = dG Uᵀ      dx = dG Wᵀ      dW = Σ xᵀ dG      dU = Σ h'ᵀ dG      db = Σ dG

        (c'' and f'' belong to the step after; the derivatives are those of the cell's activations.) Masked steps have
        dG = 0 and pass dh and dc on; their x is not read. With recurrent dropout m, dh' = m ⊙ (dG Uᵀ) and
        dU = Σ (m ⊙ h')ᵀ dG.
        """
