"""Executors: layers bound to the arrays of one batch, or of one step of a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

from numlstm.kernels import Array, Backend
from numlstm.parameters import Parameters

__all__ = ["Executor", "Step", "Unchanged", "View"]


class Bound(Protocol):
    """The attributes of a layer that every executor reads."""

    @property
    def backend(self) -> Backend:
        """The backend that the layer computes on."""

    @property
    def dtype(self) -> str:
        """The layer's dtype."""

    @property
    def parameters(self) -> Parameters:
        """The layer's variables."""


class Executor:
    """A layer bound to the arrays of one batch. All arrays are allocated, batch-major and contiguous.

    An executor changes nothing in its layer except the memory of a stateful layer and the random numbers of dropout.

    Args:
        layer: Built.
        x: The input, which `forward` reads.
        dx: Receives the gradient of x in `backward`; None if it is not needed.
        mask: [B, T] bool, True where a step counts; None: all steps count. Each `forward` reads the current values.
        training: Whether `backward` also writes the gradients of the weights, and dropout is active.

    Attributes:
        y: The output, which `forward` writes.
        dy: The gradient of y, which `backward` reads and may overwrite; None if there is no `backward`.
        mask: [B, T] bool, the mask of y; None if all steps count, or y has no time axis.
    """

    y: Array
    dy: Array = None
    waits = False
    """In a layer's use by hand: whether `forward` has run, and `backward` has not."""

    def __init__(self, layer: Bound, x: Array, dx: Array | None, mask: Array | None, training: bool) -> None:
        self.x, self.dx, self.mask, self.training = x, dx, mask, training
        self.backend, self.dtype, self._parameters = layer.backend, layer.dtype, layer.parameters
        self.has_backward = training or dx is not None
        """Whether `forward` is followed by `backward`."""

    @property
    def outputs(self) -> tuple[Array, ...]:
        """All outputs, y first."""
        return (self.y,)

    @property
    def output_gradients(self) -> tuple[Array | None, ...]:
        """The gradients of `outputs`, which `backward` reads and may overwrite; None if there is no `backward`."""
        return (self.dy,)

    @property
    def masks(self) -> tuple[Array | None, ...]:
        """The masks of `outputs`."""
        return (self.mask, *[None] * (len(self.outputs) - 1))

    @property
    def recordable(self) -> bool:
        """Whether `forward` and `backward` call the same kernels with the same arrays each time."""
        return False

    @property
    def kernel_name(self) -> str | None:
        """The kernel name of the last training pass; None for a layer without a choice of kernels."""
        return None

    def read(self, x: Array) -> None:
        """Replace the input array by `x`."""
        self.x = x

    def forward(self) -> None:
        """Compute y, and the mask if the layer creates it."""
        raise NotImplementedError

    def backward(self) -> None:
        """Compute the gradients of the parameters in training, and dx if it is not None."""
        raise NotImplementedError

    def continue_from(self, before: Self | None) -> None:
        """Use the final state of `before`, an executor of the same layer, as the initial state; None: zeros.

        A layer without a state does nothing.
        """

    def link_states(self, state: tuple[Array, ...] | None) -> None:
        """Make the initial state an input, and the final state an output, of a graph. Only recurrent layers have it."""
        raise NotImplementedError

    def gradient(self, name: str) -> Array:
        """The array for a variable's gradient: in training that of the parameters, else a scratch array."""
        if self.training:
            return self._parameters.gradient(name)
        return self.backend.empty(self._parameters.shapes[name], self._parameters.dtype)

    def clear_gradients(self) -> None:
        """Set the gradients of the parameters to zero, in training. Called for an empty batch."""
        if self.training:
            self._parameters.clear_gradients()


class Step(Protocol):
    """A layer on a stream: one time step at a time. All arrays are allocated."""

    y: Array
    """The output, [B, N], which every step overwrites."""

    def make_steps(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """Make two functions that compute `y` with the current weights. Callers alternate between them."""

    def reset(self) -> None:
        """Reset the state. Functions made by an earlier `make_steps` must not be called afterwards."""


class View(Executor):
    """An executor whose output is a view of its input, possibly in another shape. It copies no data.

    Args:
        shape: Shape of the output.
    """

    def __init__(
        self, layer: Bound, x: Array, dx: Array | None, mask: Array | None, training: bool, shape: tuple[int, ...]
    ) -> None:
        super().__init__(layer, x, dx, mask, training)
        self.y = x.reshape(shape)
        if self.has_backward:
            self.dy = (self.backend.empty(x.shape, self.dtype) if dx is None else dx).reshape(shape)

    @property
    def recordable(self) -> bool:
        """True if there is no mask."""
        return self.mask is None

    def read(self, x: Array) -> None:
        """Replace the input array by `x`."""
        self.x, self.y = x, x.reshape(self.y.shape)

    def forward(self) -> None:
        """Do nothing: y is a view of x."""

    def backward(self) -> None:
        """Do nothing: dy is a view of dx."""


class Unchanged:
    """The step of a layer whose output on a stream is its input."""

    def __init__(self, x: Array) -> None:
        self.y = x

    def make_steps(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """Two functions that do nothing."""
        return _nothing, _nothing

    def reset(self) -> None:
        """Do nothing: there is no state."""


def _nothing() -> None:
    pass
