"""A model on a stream: one time step at a time, its state kept in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.passes import Step

if TYPE_CHECKING:
    from numlstm.model import Sequential

__all__ = ["Stream"]


class Stream:
    """Feeds a model step by step; made by `Sequential.stream`.

    The outputs are those of the same model's `predict` with `return_sequences=True`, to the bit. Weights that change
    later count from the next step on. One thread at a time may use a stream; a model may have any number of them.

    Args:
        model: Built, and of layers that work step by step: recurrent ones that do not read backwards, Dense,
            Activation, Dropout, and what TimeDistributed makes of these.
        batch: B for steps of shape (B, F); None for steps of shape (F,).

    Raises:
        ValueError: If the model is not built or has a layer that cannot work step by step, or `batch` is below one.
        TypeError: If `batch` is no integer.
    """

    def __init__(self, model: Sequential, batch: int | None = None) -> None:
        self._model, self._buffers, self._version = model, model.buffers, model.buffers.version
        backend = self._buffers.backend
        self._copy, self._to_host = backend.copy, backend.to_host
        rows = 1 if batch is None else checks.integer(batch, "batch")
        features = int(model.input_shape[-1] or 0)
        x: Array = backend.zeros((rows, features), model.dtype)
        self._steps: list[Step] = []
        y = x
        for layer in model.layers:
            step: Step = layer.new_step(y)
            self._steps.append(step)
            y = step.y
        self._x, self._y = (x[0], y[0]) if batch is None else (x, y)
        self._input_shape, self._output_shape = tuple(self._x.shape), tuple(self._y.shape)
        self._dtype = np.dtype(model.dtype)
        self._even: list[Callable[[], None]] = []
        self._odd: list[Callable[[], None]] = []
        self._now, self._next = self._even, self._odd
        self._bind()

    def push(self, x_t: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Take one step.

        Args:
            x_t: The step's input, (F,), or (B, F) in a stream of B rows.
            out: Where to put the output; None for a new array. With an `out`, and an `x_t` of the model's dtype,
                nothing is allocated.

        Returns:
            The last layer's output, (N,) or (B, N).

        Raises:
            ValueError: If a shape does not fit, `out` is not such an array, or the model has moved to another device
                or got another layer since the stream was opened.
            TypeError: If `x_t` does not hold real numbers.
        """
        if not isinstance(x_t, np.ndarray) or x_t.dtype is not self._dtype or x_t.shape != self._input_shape:
            x_t = self._checked(x_t)
        if out is not None and (
            not isinstance(out, np.ndarray) or out.dtype is not self._dtype or out.shape != self._output_shape
        ):
            raise ValueError(f"out must be a {self._dtype} array of shape {self._output_shape}")
        if self._version.number != self._number:
            self._bind()
        self._copy(self._x, x_t)
        for run in self._now:
            run()
        self._now, self._next = self._next, self._now
        y = self._to_host(self._y)
        if out is None:
            return y.copy()
        out[...] = y
        return out

    def reset(self) -> None:
        """Forget all steps: the next is the first of a sequence."""
        for step in self._steps:
            step.reset()
        self._now, self._next = self._even, self._odd
        self._bind()

    def _bind(self) -> None:
        """Take hold of the weights as they are now; whose turn it is stands."""
        if self._model.buffers is not self._buffers:
            raise ValueError("the model has moved or grown since this stream was opened: open a new one")
        self._number = self._version.number
        self._even[:], self._odd[:] = zip(*(step.bind() for step in self._steps), strict=True)

    def _checked(self, x_t: Any) -> np.ndarray:
        array = checks.numbers(x_t, "x_t", self._dtype.name)
        if array.shape != self._input_shape:
            axes = "(features,)" if len(self._input_shape) == 1 else "(batch, features)"
            raise ValueError(f"x_t must have shape {self._input_shape} {axes}, not {array.shape}")
        return array
