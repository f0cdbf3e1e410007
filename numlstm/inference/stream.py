"""A network on a stream: one time step per call. The state is kept between steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array, Version
from numlstm.layers.executor import Step
from numlstm.layers.symbol import Symbol
from numlstm.network import Network

__all__ = ["Stream"]


class Stream:
    """Runs a model step by step. `Model.stream` makes it.

    The outputs equal those of `predict` with `return_sequences=True`, bit for bit. If the weights change, the next step
    uses the new weights. Only one thread at a time may use a stream. A model may have any number of streams.

    Args:
        network: Built, with layers that work step by step: Embedding, recurrent layers that do not read backwards,
            Dense, Activation, Dropout, LayerNormalization, and TimeDistributed around such layers.
        batch: B for steps of shape (B, F), or of B ids; None for steps of shape (F,), or of one id.

    Raises:
        ValueError: If the model is not built or has a layer that cannot work step by step, or `batch` is below one.
        TypeError: If `batch` is not an integer.
    """

    def __init__(self, network: Network, batch: int | None = None) -> None:
        if len(network.inputs) > 1 or len(network.outputs) > 1:
            raise ValueError("a stream has one input and one output: make a model of that part of this one")
        (shape,) = network.input_shapes
        self._network, backend = network, network.backend
        self._layers, self._backend = list(network.layers), backend
        self._follow(network.versions)
        self._copy, self._to_host = backend.copy, backend.to_host
        rows = 1 if batch is None else checks.integer(batch, "batch")
        x: Array = backend.zeros((rows, *(int(size or 0) for size in shape[2:])), network.input_dtype(0))
        self._takes_ids = network.input_dtype(0) != network.dtype
        self._steps: list[Step] = []
        values: dict[Symbol, Array] = {network.inputs[0]: x}
        for call in network.calls:
            if call.states:
                raise ValueError(f"layer {call.layer.name!r} is given an initial_state: it cannot be streamed")
            read = tuple(values[symbol] for symbol in call.inputs)
            step: Step = call.layer.new_step(read if call.layer.several else read[0], **call.options)
            self._steps.append(step)
            values[call.outputs[0]] = step.y
        if network.outputs[0] not in values:
            raise ValueError("a stream returns what a layer computes in each step, not a final state")
        y = values[network.outputs[0]]
        self._x, self._y = (x if self._takes_ids else x[0], y[0]) if batch is None else (x, y)
        self._input_shape = tuple(x.shape[1:] if batch is None else x.shape)
        self._output_shape = tuple(self._y.shape)
        self._dtype = np.dtype(network.dtype)
        self._even: list[Callable[[], None]] = []
        self._odd: list[Callable[[], None]] = []
        self._now, self._next = self._even, self._odd
        self._refresh()

    def _follow(self, versions: list[Version]) -> None:
        """Watch these versions of the weights. They change when another model trains some of the layers."""
        self._version = versions[0] if len(versions) == 1 else _Versions(versions)

    def push(self, x_t: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Run one time step.

        Args:
            x_t: The input of the step, (F,), or (B, F) in a stream of B rows. For a model that begins with an Embedding
                an id, or (B,) ids.
            out: The array for the output; None: a new array. Nothing is allocated if `out` is given and `x_t` has the
                model's dtype.

        Returns:
            The last layer's output, (N,) or (B, N).

        Raises:
            ValueError: If a shape or an id does not fit, `out` has another shape or dtype than the output, or the model
                moved to another device or got another layer after the stream was opened.
            TypeError: If `x_t` does not hold real numbers.
        """
        if self._takes_ids:
            x_t = self._checked_ids(x_t)
        elif type(x_t) is not np.ndarray or x_t.dtype is not self._dtype or x_t.shape != self._input_shape:
            x_t = self._checked(x_t)
        if out is not None and (
            not isinstance(out, np.ndarray)
            or out.dtype is not self._dtype
            or out.shape != self._output_shape
            or not out.flags.writeable
        ):
            raise ValueError(f"out must be a {self._dtype} array of shape {self._output_shape} that can be written to")
        if self._version.number != self._number:
            self._refresh()
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
        """Reset the state: the next step is the first step of a sequence."""
        for step in self._steps:
            step.reset()
        self._now, self._next = self._even, self._odd
        self._refresh()

    def _refresh(self) -> None:
        """Rebuild the step functions for the current weights. The even/odd position is kept."""
        network = self._network
        if network.layers != self._layers or network.backend is not self._backend:
            raise ValueError("the model has moved or grown since this stream was opened: open a new one")
        self._follow(network.versions)
        self._number = self._version.number
        steps = zip(*(step.make_steps() for step in self._steps), strict=True)
        self._even[:], self._odd[:] = map(self._backend.join_steps, steps)

    def _checked(self, x_t: Any) -> np.ndarray:
        array = checks.numbers(x_t, "x_t", self._dtype.name)
        if array.shape != self._input_shape:
            axes = "(features,)" if len(self._input_shape) == 1 else "(batch, features)"
            raise ValueError(f"x_t must have shape {self._input_shape} {axes}, not {array.shape}")
        return array

    def _checked_ids(self, x_t: Any) -> np.ndarray:
        ids = self._network.check_input(0, x_t, "x_t")
        if ids.shape != self._input_shape:
            expected = "be one id" if not self._input_shape else f"have shape {self._input_shape} (batch,)"
            raise ValueError(f"x_t must {expected}, not an array of shape {ids.shape}")
        return ids.reshape(self._x.shape)


class _Versions:
    """The versions of weights that lie in several buffers, as one."""

    def __init__(self, versions: list[Version]) -> None:
        self._versions = versions

    @property
    def number(self) -> int:
        """The sum of the numbers, which grows with each of them."""
        return sum(version.number for version in self._versions)
