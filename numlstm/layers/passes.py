"""What a layer does on one batch, and on one step of a stream: the ground that all layers stand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from numlstm.kernels import Array

__all__ = ["Pass", "Step", "Unchanged", "View"]


class Pass:
    """One layer on one batch, with everything that it writes to allocated: all arrays batch-major and contiguous.

    Args:
        layer: Built.
        x: The input, which `forward` reads.
        dx: Where `backward` leaves the gradient of x; None where nobody needs it.
        mask: [B, T] bool, True where a step counts; None: all do. It is there for good or not at all; what it holds is
            read by each `forward`.
        training: Whether `backward` leaves the gradients of the weights too, and dropout drops.

    Attributes:
        y: The output, which `forward` writes.
        dy: Its gradient, which `backward` reads and may overwrite; None where there is no way back.
        mask: [B, T] bool that goes on with y; None where all steps count, or y has no steps.
    """

    y: Array
    dy: Array = None

    def __init__(self, layer: Any, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        self.layer, self.x, self.dx, self.mask, self.training = layer, x, dx, mask, training
        self.backend = layer.backend
        self.returns = training or dx is not None
        """Whether `backward` will follow a `forward`."""

    @property
    def repeats(self) -> bool:
        """Whether `forward` and `backward` are what `Backend.repeatable` takes."""
        return False

    def read(self, x: Array) -> None:
        """Let `x` be the input from now on."""
        self.x = x

    def forward(self) -> None:
        """Compute `y`, and the mask where it is the layer's own."""
        raise NotImplementedError

    def backward(self) -> None:
        """Compute the gradients of the parameters, and `dx` where it was asked for."""
        raise NotImplementedError

    def carry(self, before: Any) -> None:
        """Begin with the state in which `before`, a pass of the same layer, ended; None: with zeros.

        What stands for itself has no state to carry.
        """

    def gradient(self, name: str) -> Array:
        """Where the gradient of a variable goes: the layer's own place in training, else to nobody."""
        parameters = self.layer.parameters
        return (
            parameters.gradient(name)
            if self.training
            else self.backend.empty(parameters.shapes[name], parameters.dtype)
        )


class Step(Protocol):
    """One layer on a stream: one time step at a time, with everything that it writes to allocated."""

    y: Array
    """The output, [B, N], which every step overwrites."""

    def bind(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """Functions to be called by turns, each of which computes `y` with the weights as they are now."""

    def reset(self) -> None:
        """Forget the steps so far; what `bind` gave before must not be called any more."""


class View(Pass):
    """A pass whose output is its input, under another shape perhaps: it moves nothing.

    Args:
        shape: Of the output.
    """

    def __init__(
        self, layer: Any, x: Array, dx: Array | None, mask: Array | None, training: bool, shape: tuple[int, ...]
    ) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.y = x.reshape(shape)
        if self.returns:
            self.dy = (self.backend.empty(x.shape, layer.dtype) if dx is None else dx).reshape(shape)

    @property
    def repeats(self) -> bool:
        """See `Pass.repeats`."""
        return self.mask is None

    def read(self, x: Array) -> None:
        """Let `x` be the input from now on."""
        self.x, self.y = x, x.reshape(self.y.shape)

    def forward(self) -> None:
        """Nothing to compute."""

    def backward(self) -> None:
        """Nothing to compute."""


class Unchanged:
    """A layer that does nothing on a stream."""

    def __init__(self, x: Array) -> None:
        self.y = x

    def bind(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """See `Step.bind`."""
        return _nothing, _nothing

    def reset(self) -> None:
        """Nothing to forget."""


def _nothing() -> None:
    pass
