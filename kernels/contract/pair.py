"""Both directions of a bidirectional LSTM at once."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.lstm import LSTMCell
from numlstm.kernels.contract.memory import Array
from numlstm.kernels.contract.recurrent import (
    RecurrentGradients,
    RecurrentInputs,
    RecurrentPlan,
    RecurrentTrace,
    RecurrentWeights,
)

__all__ = ["Pair"]


class Pair(Protocol):
    """Two passes of one kind of cell over as many steps and rows: to the bit what they are one after the other.

    Each parameter but the cell is a pair of what the functions for one pass take.
    """

    def lstm_forward_pair(
        self,
        cell: LSTMCell,
        weights: tuple[RecurrentWeights, RecurrentWeights],
        inputs: tuple[RecurrentInputs, RecurrentInputs],
        traces: tuple[RecurrentTrace, RecurrentTrace],
        y: tuple[Array, Array],
    ) -> None:
        """Two of `lstm_forward`."""

    def lstm_plan_pair(
        self, cell: LSTMCell, shape: tuple[int, int], training: bool, general: bool = False
    ) -> RecurrentPlan:
        """What `lstm_forward_pair` would run, and the memory of both traces. Parameters as for `lstm_plan`."""

    def lstm_backward_pair(
        self,
        cell: LSTMCell,
        weights: tuple[RecurrentWeights, RecurrentWeights],
        inputs: tuple[RecurrentInputs, RecurrentInputs],
        traces: tuple[RecurrentTrace, RecurrentTrace],
        dy: tuple[Array, Array],
        gradients: tuple[RecurrentGradients, RecurrentGradients],
    ) -> None:
        """Two of `lstm_backward`, which consume both traces. The gradients share no arrays."""
