"""Eager use of a single layer: run an executor on a user's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array, Backend

__all__ = ["Eager", "Shape"]

Shape = tuple[int | None, ...]
"""A shape whose first axis is the batch, with None for an axis of any size."""


class Eager:
    """Inference, `forward` and `backward` of a single layer on a user's arrays."""

    name: str
    dtype: str

    def __init__(self) -> None:
        self._forget()

    # Implemented by the layer

    @property
    def built(self) -> bool:
        """Whether the layer has weights."""
        raise NotImplementedError

    @property
    def backend(self) -> Backend:
        """The backend that the layer computes on."""
        raise NotImplementedError

    @property
    def input_dtype(self) -> str:
        """The dtype of the input."""
        raise NotImplementedError

    def check_input(self, values: Any, name: str) -> np.ndarray:
        """Convert values to an array of the input's dtype."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output for an input of the given shape."""
        raise NotImplementedError

    def open_shape(self, shape: Shape) -> Shape:
        """The shape to build for, from the shape of the first data."""
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        """Create the weights."""
        raise NotImplementedError

    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> Any:
        """Bind the layer to the arrays of one batch."""
        raise NotImplementedError

    # Eager use

    def __call__(self, x: Any, *, training: bool = False) -> Any:
        """Compute the output. Builds the layer if necessary.

        Args:
            x: The input, batch-major.
            training: False. Use `forward` for training.

        Raises:
            ValueError: If the shape of x does not fit, or `training` is set.
            TypeError: If x does not hold real numbers.
        """
        if training:
            raise self._not_called_for_training()
        return self._infer(self.new_executor(self._input(x), None, None, training=False))

    def forward(self, x: Any, training: bool = False) -> Any:
        """Compute the output and, in training, keep what `backward` needs.

        Args:
            x: The input, batch-major. It is not copied: do not change it before `backward` has run.
            training: Whether `backward` follows.

        Raises:
            ValueError, TypeError: As for calling the layer.
        """
        if not training:
            return self(x)
        array = self._input(x)
        executor = self._training_executor(array)
        executor.read(array)
        executor.forward()
        self._forwarded = True
        return self._result(executor)

    def backward(self, dy: Any) -> np.ndarray | None:
        """Compute the gradients of the weights and return the gradient of the input.

        Args:
            dy: The gradient of the output of the last `forward(training=True)`.

        Returns:
            The gradient of the input; None for ids.

        Raises:
            ValueError: If there was no `forward(training=True)` since the last `backward`, or the shape does not fit.
            TypeError: If `dy` does not hold real numbers.
        """
        return self._backpropagate(self._waiting_executor(), dy)

    @property
    def kernel_name(self) -> str | None:
        """The kernel name of the last `forward(training=True)`; None for a layer without a choice of kernels."""
        return None if self._training is None else self._training.kernel_name

    def _forget(self) -> None:
        """Drop the executors, because the weights have moved or belong to another layer."""
        self._training: Any = None
        """The executor of the last training pass. It is reused for inputs of the same shape."""
        self._forwarded = False
        """Whether `backward` may be called: a `forward` in training has run."""

    def _input(self, x: Any) -> Array:
        """Check the input and convert it to a contiguous array of the backend. Builds the layer if necessary."""
        array = self.check_input(x, f"the input of layer {self.name!r}")
        self.compute_output_shape(array.shape)
        if not self.built:
            self.build(self.open_shape(array.shape))
        return self.backend.asarray(array, self.input_dtype)

    def _not_called_for_training(self) -> ValueError:
        return ValueError(f"layer {self.name!r} infers when it is called: to train, use forward(x, training=True)")

    def _infer(self, executor: Any) -> Any:
        """Run an executor that is used once, and return its output."""
        executor.forward()
        return self._result(executor, copied=False)

    def _result(self, executor: Any, copied: bool = True) -> Any:
        """The output on the host. It shares no memory with the input and, if copied, none with the executor."""
        y = self.backend.to_host(executor.y)
        shared = isinstance(executor.x, np.ndarray) and np.may_share_memory(y, executor.x)
        return np.array(y) if copied or shared else y

    def _training_executor(self, x: Array) -> Any:
        """The executor for inputs of this shape: the last one if its shape is the same, else a new one."""
        self._forwarded = False
        if self._training is None or self._training.x.shape != x.shape:
            dx = self.backend.empty(x.shape, self.dtype) if self.input_dtype == self.dtype else None
            self._training = self.new_executor(x, dx, None, training=True)
        return self._training

    def _waiting_executor(self) -> Any:
        """The executor of the last `forward(training=True)`; ValueError if `backward` has run since."""
        if not self._forwarded:
            raise ValueError(f"layer {self.name!r}: backward needs a forward(x, training=True) of its own before it")
        return self._training

    def _backpropagate(self, executor: Any, dy: Any) -> Any:
        self._take_gradients(executor, dy)
        self._forwarded = False
        executor.backward()
        return self._input_gradient(executor)

    def _input_gradient(self, executor: Any) -> np.ndarray | None:
        """A copy of the gradient of x on the host; None if the executor has no dx."""
        return None if executor.dx is None else np.array(self.backend.to_host(executor.dx))

    def _take_gradients(self, executor: Any, dy: Any) -> None:
        """Copy the gradient of the output into the executor."""
        self.backend.copy(executor.dy, self._output_gradient(dy, "dy", executor.y.shape))

    def _output_gradient(self, values: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
        gradient = checks.numbers(values, name, self.dtype)
        if gradient.shape != tuple(shape):
            raise ValueError(f"{name} must have the output's shape {tuple(shape)}, not {gradient.shape}")
        return gradient
