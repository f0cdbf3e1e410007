"""What all recurrent layers share: what a pass reads, writes and keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from numlstm.kernels.contract.memory import Array, Version

__all__ = [
    "RecurrentGradients",
    "RecurrentInputs",
    "RecurrentPlan",
    "RecurrentTrace",
    "RecurrentWeights",
]


@dataclass
class RecurrentInputs:
    """What a pass reads.

    x: [T, B, F] view
    mask: [T, B] view, bool, True where a step counts; None: all do
    state: initial (h, c), or (h,) where a cell has no c: [B, H] views; None: zeros
    reset: [T, B] view, bool, True where a row begins anew: before that step, masked or not, h' and c' are set to zero,
        and no gradient crosses to the step before. What a masked step repeats is then zero, until a step counts.
        None: nowhere
    recurrent_dropout: [B, H] view of multipliers, 0 or 1 / (1 - p), the same for all steps (Gal & Ghahramani 2016):
        h' is multiplied by them where it meets U, and nowhere else. None: by one
    """

    x: Array
    mask: Array | None = None
    state: tuple[Array, ...] | None = None
    reset: Array | None = None
    recurrent_dropout: Array | None = None

    @property
    def general(self) -> bool:
        """Whether a pass over them takes the general kernels, whatever the cell."""
        return self.reset is not None or self.recurrent_dropout is not None


@dataclass
class RecurrentWeights:
    """Parameters of one recurrent layer with G gates, in Keras' layout; the LSTM has G = 4, i f g o side by side.

    kernel: [F, GH] W
    recurrent_kernel: [H, GH] U
    bias: [GH] b, or None
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
    bias: [GH] db, or None
    x: [T, B, F] view, dx, or None when nobody needs it
    h: [B, H] on entry the gradient of the final h, on return that of the initial h; None: zero, and not wanted
    c: [B, H] the same for c
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array | None
    x: Array | None = None
    h: Array | None = None
    c: Array | None = None


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
