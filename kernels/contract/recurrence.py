"""The recurrence: a cell's passes over a sequence, the same functions for every cell.

A step multiplies, the cell does the rest: z = x W + h' U + b has a block of H columns for each gate, and the equations
in the cell's description (`cells.py`) make the new state of it. Backward, the cell gives dG, the gradient of z, and

    dh' = dG Uᵀ + what the cell passes on itself
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
    """What a pass reads: the sequence and its options.

    x: [T, B, F] view
    mask: [T, B] view, bool, True where a step counts; None: all do
    state: the initial state, a [B, H] view for each letter of the cell's `states`; None: zeros
    reset: [T, B] view, bool, True where a row begins anew: before that step, masked or not, the state is set to zero,
        and no gradient crosses to the step before. What a masked step repeats is then zero, until a step counts.
        None: nowhere
    recurrent_dropout: [B, H] view of multipliers, 0 or 1 / (1 - p), the same for all steps and gates (Gal & Ghahramani
        2016): h' is multiplied by them where it meets U, and nowhere else. None: by one
    zero_output: whether the output of a masked step is zero, and its dy ignored, instead of the output of the step
        before
    """

    x: Array
    mask: Array | None = None
    state: tuple[Array, ...] | None = None
    reset: Array | None = None
    recurrent_dropout: Array | None = None
    zero_output: bool = False

    @property
    def with_options(self) -> bool:
        """Whether a pass over them takes the kernels with options, whatever the cell."""
        return self.reset is not None or self.recurrent_dropout is not None


@dataclass
class RecurrentWeights:
    """Parameters of one recurrent layer with G gates, in Keras' layout: a block of H columns for each gate.

    kernel: [F, GH] W
    recurrent_kernel: [H, GH] U
    bias: [GH] b, or [2, GH] of a cell with two biases, or None
    version: advanced with every change of the three
    packed: the backend's own copies in its own layout, with the version that they were made from
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    version: Version
    packed: dict[str, Any] = field(default_factory=dict)


@dataclass
class RecurrentGradients:
    """Where a backward pass leaves its gradients. The first three are overwritten, not added to.

    kernel: [F, GH] dW
    recurrent_kernel: [H, GH] dU
    bias: db, of the bias' shape, or None
    x: [T, B, F] view, dx, or None when nobody needs it
    state: on entry the gradient of the final state, on return that of the initial one, a [B, H] view for each letter
        of the cell's `states`; None: zeros, and not wanted
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    x: Array | None = None
    state: tuple[Array, ...] | None = None


@dataclass(frozen=True)
class RecurrentPlan:
    """What would run for a shape.

    kernel_path: the name of the kernels' path, as a trace tells it afterwards
    reason: why that one, and what stands in the way of a faster one, in a sentence
    nbytes: what the trace takes
    """

    kernel_path: str
    reason: str
    nbytes: int


class RecurrentTrace(Protocol):
    """What a pass keeps, and its workspace. Its layout is the backend's own."""

    kernel_path: str
    """The kernel that ran: set by the forward pass."""


class Recurrence(Protocol):
    """The passes of every cell."""

    def recurrent_trace(self, cell: Cell, shape: tuple[int, int], training: bool) -> RecurrentTrace:
        """Allocate what one pass keeps.

        shape: (T, B)
        training: whether `recurrent_backward` will follow; without it only two steps are kept, whatever T
        """

    def recurrent_plan(
        self, cell: Cell, shape: tuple[int, int], training: bool, with_options: bool = False, pair: bool = False
    ) -> RecurrentPlan:
        """What a pass over (T, B) steps would run, and the memory of its trace; nothing is allocated.

        with_options: whether its inputs will be, with resets or recurrent dropout
        pair: whether it is that of `recurrent_forward_pair`: then the memory is that of both traces
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

        At a masked step the state stays, x is not read, and the output is the one before (zeros before a row's first
        valid step), or zero if the inputs say so.
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
        """Backpropagation through time: the forward pass reversed, which consumes the trace.

        inputs: as given to `recurrent_forward`
        dy: [n, B, H] view, the gradient of the last n outputs; n is T or 1
        gradients: overwritten

        Masked steps have dG = 0 and pass the gradient of the state on; their x is not read. With recurrent dropout m,
        the product's part of dh' is m ⊙ (dG Uᵀ), and dU = Σ (m ⊙ h')ᵀ dG.
        """

    def recurrent_forward_pair(
        self,
        cell: Cell,
        weights: tuple[RecurrentWeights, RecurrentWeights],
        inputs: tuple[RecurrentInputs, RecurrentInputs],
        traces: tuple[RecurrentTrace, RecurrentTrace],
        y: tuple[Array, Array],
    ) -> None:
        """Two of `recurrent_forward`, of as many steps and rows, at once: to the bit what they are one by one."""

    def recurrent_backward_pair(
        self,
        cell: Cell,
        weights: tuple[RecurrentWeights, RecurrentWeights],
        inputs: tuple[RecurrentInputs, RecurrentInputs],
        traces: tuple[RecurrentTrace, RecurrentTrace],
        dy: tuple[Array, Array],
        gradients: tuple[RecurrentGradients, RecurrentGradients],
    ) -> None:
        """Two of `recurrent_backward`, which consume both traces. The gradients share no arrays."""

    def bind_recurrent_step(
        self, cell: Cell, weights: RecurrentWeights, x: Array, trace: RecurrentTrace, y: Array
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """Two functions to be called by turns, each of which runs one step with the weights as they are now.

        x: [B, F] view, read by every call
        trace: made by `recurrent_trace` for (1, B) without training. It carries the state: zeros at first, then what
            the other function left, also when both were made anew since.
        y: [B, H] view, overwritten by every call

        The results are those of `recurrent_forward` over all steps, to the bit.
        """

    def recurrent_state(self, cell: Cell, trace: RecurrentTrace) -> tuple[Array, ...]:
        """The final state of a forward pass: a [B, H] array of its own for each letter of the cell's `states`."""

    def recurrent_gates(self, cell: Cell, trace: RecurrentTrace) -> dict[str, Array]:
        """What a forward pass in training computed, by letter: arrays of their own.

        trace: not yet consumed by `recurrent_backward`

        The cell's `saved` gates are [T, B, H], zeros at masked steps; its `states` are [T + 1, B, H], each step's after
        the one before, with the initial one first and no reset applied.
        """
