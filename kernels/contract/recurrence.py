"""The recurrence: a cell's passes over a sequence. The functions are the same for every cell.

A step computes z = x W + h' U + b, with one block of H columns for each gate. The cell's equations (`cells.py`) then
compute the new state from z. In the backward pass the cell computes dG, the gradient of z, and the rest follows:

    dh' = dG Uᵀ + the gradient that the cell passes to h' directly
    dx = dG Wᵀ      dW = Σ xᵀ dG      dU = Σ h'ᵀ dG      db = Σ dG
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from numlstm.kernels.contract.cells import Cell
from numlstm.kernels.contract.memory import Array, Version

__all__ = [
    "Recurrence",
    "RecurrentGradients",
    "RecurrentInputs",
    "RecurrentPlan",
    "RecurrentTrace",
    "RecurrentWeights",
]


@dataclass
class RecurrentInputs:
    """The inputs of a pass: the sequence and its options.

    x: [T, B, F] view, the last axis contiguous
    mask: [T, B] view, bool, True at valid steps; None: all steps are valid
    state: the initial state, a [B, H] view for each letter of the cell's `states`; None: zeros
    reset: [T, B] view, bool, True where a row starts a new sequence. Before such a step, masked or not, the state is
        set to zero, and no gradient passes to the step before. Masked steps after a reset output zero until the next
        valid step. None: no resets
    recurrent_dropout: [B, H] view of multipliers, 0 or 1 / (1 - p), the same for all steps and gates (Gal & Ghahramani
        2016). They multiply h' in the product with U, and nowhere else. None: no dropout
    zero_output: whether the output of a masked step is zero and its dy is ignored; otherwise a masked step repeats the
        output of the step before
    """

    x: Array
    mask: Array | None = None
    state: tuple[Array, ...] | None = None
    reset: Array | None = None
    recurrent_dropout: Array | None = None
    zero_output: bool = False

    @property
    def with_options(self) -> bool:
        """Whether a pass over these inputs needs the kernels with options, for any cell."""
        return self.reset is not None or self.recurrent_dropout is not None


@dataclass
class RecurrentWeights:
    """Parameters of one recurrent layer with G gates, in Keras' layout: a block of H columns for each gate.

    kernel: [F, GH] W
    recurrent_kernel: [H, GH] U
    bias: [GH] b, or [2, GH] for a cell with two biases, or None
    version: advanced with every change of the three arrays
    packed: the backend's copies in its own layout, with the version that they were made from
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    version: Version
    packed: dict[str, Any] = field(default_factory=dict)


@dataclass
class RecurrentGradients:
    """The gradients that a backward pass writes. Those of the parameters are overwritten, not added to.

    kernel: [F, GH] dW
    recurrent_kernel: [H, GH] dU
    bias: db, of the bias' shape, or None
    x: [T, B, F] view, the last axis contiguous: dx, or None if it is not needed
    state: a [B, H] view for each letter of the cell's `states`: on entry the gradient of the final state, on return the
        gradient of the initial state. None: zero on entry, not needed on return
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    x: Array | None = None
    state: tuple[Array, ...] | None = None


@dataclass(frozen=True)
class RecurrentPlan:
    """The kernels and the memory that a pass of some shape takes.

    kernel_name: the name of the path, as the trace reports it after the pass
    reason: why the backend takes this path, and what prevents a faster one, in a sentence
    nbytes: the size of the trace
    code: what compiled kernels take, by what they do, in a plan for a GPU that was named; {}: it was not asked for
    """

    kernel_name: str
    reason: str
    nbytes: int
    code: dict[str, str] = field(default_factory=dict)


class RecurrentTrace(Protocol):
    """The data that a pass keeps, and its workspace. The layout is private to the backend."""

    kernel_name: str
    """The name of the path that ran. The forward pass sets it."""


class Recurrence(Protocol):
    """The passes of every cell."""

    def recurrent_trace(self, cell: Cell, shape: tuple[int, int], training: bool) -> RecurrentTrace:
        """Allocate the trace of one pass.

        shape: (T, B)
        training: whether `recurrent_backward` will follow; without it only two states are kept, whatever T
        """

    def recurrent_plan(
        self, cell: Cell, shape: tuple[int, int], training: bool, with_options: bool = False, pair: bool = False
    ) -> RecurrentPlan:
        """Return the path that a pass over (T, B) steps would take, and the memory of its trace. Nothing is allocated.

        with_options: whether the inputs have resets or recurrent dropout
        pair: whether the pass is `recurrent_forward_pair`; the memory is then that of both traces
        """

    def recurrent_forward(
        self,
        cell: Cell,
        weights: RecurrentWeights,
        inputs: RecurrentInputs,
        trace: RecurrentTrace,
        y: Array,
    ) -> None:
        """Run the cell's equations over all T steps.

        trace: made by `recurrent_trace` for this cell and shape, overwritten
        y: [n, B, H] view, overwritten with the outputs of the last n steps; n is T or 1

        At a masked step the state does not change and x is not read. The output is that of the step before (zeros
        before a row's first valid step), or zero with `zero_output`.
        """

    def recurrent_backward(
        self,
        cell: Cell,
        weights: RecurrentWeights,
        inputs: RecurrentInputs,
        trace: RecurrentTrace,
        dy: Array,
        gradients: RecurrentGradients,
    ) -> None:
        """Backpropagation through time. It consumes the trace.

        inputs: as given to `recurrent_forward`
        dy: [n, B, H] view, the gradient of the last n outputs; n is T or 1
        gradients: overwritten

        At a masked step dG = 0, the gradient of the state passes through, and x is not read. With recurrent dropout m,
        the gradient of h' through U is m ⊙ (dG Uᵀ), and dU = Σ (m ⊙ h')ᵀ dG.
        """

    def recurrent_forward_pair(
        self,
        cell: Cell,
        weights: tuple[RecurrentWeights, RecurrentWeights],
        inputs: tuple[RecurrentInputs, RecurrentInputs],
        traces: tuple[RecurrentTrace, RecurrentTrace],
        y: tuple[Array, Array],
    ) -> None:
        """Run two `recurrent_forward` of equal T and B at once. The bits are the same as one after the other."""

    def recurrent_backward_pair(
        self,
        cell: Cell,
        weights: tuple[RecurrentWeights, RecurrentWeights],
        inputs: tuple[RecurrentInputs, RecurrentInputs],
        traces: tuple[RecurrentTrace, RecurrentTrace],
        dy: tuple[Array, Array],
        gradients: tuple[RecurrentGradients, RecurrentGradients],
    ) -> None:
        """Run two `recurrent_backward` at once. They consume both traces. The gradients share no arrays."""

    def make_recurrent_steps(
        self, cell: Cell, weights: RecurrentWeights, x: Array, trace: RecurrentTrace, y: Array
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """Return two functions to be called in turn. Each runs one step with the current weights.

        x: [B, F] view, read by every call
        trace: made by `recurrent_trace` for (1, B) without training. It carries the state: zeros at first, then the
            state that the other function left, even if both functions have been made again since then.
        y: [B, H] view, overwritten by every call

        The results have the same bits as those of `recurrent_forward` over all steps.
        """

    def recurrent_state(self, cell: Cell, trace: RecurrentTrace) -> tuple[Array, ...]:
        """Return the final state of a forward pass: a new [B, H] array for each letter of the cell's `states`."""

    def save_state(self, cell: Cell, trace: RecurrentTrace, state: tuple[Array, ...]) -> None:
        """Write the final state of a forward pass to these [B, H] arrays, one for each letter of `states`."""

    def recurrent_gates(self, cell: Cell, trace: RecurrentTrace) -> dict[str, Array]:
        """Return the gates and states of a forward pass in training, by letter, as new arrays.

        trace: not yet consumed by `recurrent_backward`

        The gates in `saved` are [T, B, H], with zeros at masked steps. The states are [T + 1, B, H]: the initial state,
        then the state after each step. Resets are not applied to them.
        """
