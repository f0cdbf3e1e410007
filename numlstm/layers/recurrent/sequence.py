"""Calls of sequence layers with masks, lengths, resets and states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.recurrent.both import BidirectionalExecutor
from numlstm.layers.recurrent.executor import RecurrentExecutor
from numlstm.layers.symbol import Symbol, connect, has_symbols

__all__ = ["SequenceLayer"]

S = TypeVar("S", bound=RecurrentExecutor | BidirectionalExecutor)
"""The class of a sequence layer's executors."""


class SequenceLayer(Layer[S]):
    """The base of layers that read a sequence step by step with a state."""

    return_state: bool

    def checked_state(self, state: Any, rows: int, name: str) -> tuple[Array, ...] | None:
        """Check the parts of a state and copy them to (B, H) arrays of the backend. None stays None.

        Raises:
            ValueError: If the number of parts or a shape is wrong.
            TypeError: If a part does not hold real numbers.
        """
        raise NotImplementedError

    def state_shapes(self, input_shape: Shape) -> list[Shape]:
        """The shapes of the final state's parts, for an input of this shape."""
        raise NotImplementedError

    def check_rows(self, rows: int) -> None:
        """Check that a stateful layer can continue with a batch of this number of rows.

        Raises:
            ValueError: If its memory holds a state of another number of rows.
        """
        raise NotImplementedError

    def reset_state(self) -> None:
        """Clear the memory: the next batch begins with zeros and may have any size."""
        raise NotImplementedError

    def reset_states(self) -> None:
        """Call `reset_state`; Keras 2 uses this name."""
        self.reset_state()

    def __call__(
        self,
        x: Any,
        mask: Any = None,
        initial_state: Any = None,
        lengths: Any = None,
        reset_mask: Any = None,
        *,
        training: bool = False,
    ) -> Any:
        """Compute the output. Builds the layer if necessary.

        In a graph, x and the parts of `initial_state` are symbols, and the other arguments are left out: masks come
        from the layers before.

        Args:
            x: (B, T, F) numbers.
            mask: (B, T) bool, True where a step counts; None: all steps count.
            initial_state: A list of the state's parts, each (B, H); None: zeros, or the memory of a stateful layer.
            lengths: (B,) integers instead of a mask: the number of valid steps of each row. Outputs after a row's last
                valid step are zero, as with PyTorch's packed sequences.
            reset_mask: (B, T) bool, True where the state is set to zero before the step.
            training: False. Use `forward` for training.

        Returns:
            y, or [y, *state] with `return_state`.

        Raises:
            ValueError: If a shape does not fit, a length is not from 0 to T, or `training` is set.
            TypeError: If an array does not hold real numbers, a mask booleans, or `lengths` integers.
        """
        if training:
            raise self._not_called_for_training(x)
        if type(x) is not np.ndarray and has_symbols(x, initial_state):
            return self._connect(x, initial_state, mask is lengths is reset_mask is None)
        if initial_state is None and isinstance(x, list | tuple) and np.ndim(x[0] if x else 0) == 3:
            x, *initial_state = x  # Keras takes [x, *states] too.
            initial_state = initial_state or None
        array = self._input(x)
        given = self._given(array, mask, initial_state, lengths, reset_mask)
        executor = self._inference_executor(array)
        executor.read(array, **given)
        y = self._infer(executor)
        return self._with_state(y, executor)

    def forward(
        self,
        x: Any,
        training: bool = False,
        mask: Any = None,
        initial_state: Any = None,
        lengths: Any = None,
        reset_mask: Any = None,
    ) -> Any:
        """Compute the output and, in training, keep what `backward` needs.

        Args:
            x: (B, T, F) numbers. x is not copied: do not change it before `backward` has run.
            training: Whether `backward` follows, and dropout is active.
            mask: As for calling the layer.
            initial_state: As for calling the layer.
            lengths: As for calling the layer.
            reset_mask: As for calling the layer.

        Returns:
            y, or [y, *state] with `return_state`.

        Raises:
            ValueError, TypeError: As for calling the layer.
        """
        if not training:
            return self(x, mask, initial_state, lengths, reset_mask)
        array = self._input(x)
        given = self._given(array, mask, initial_state, lengths, reset_mask)
        executor = self._training_executor(array)
        executor.read(array, **given)
        executor.forward()
        executor.waits = True
        return self._with_state(self._result(executor), executor)

    def backward(self, dy: Any, dstate: Any = None) -> np.ndarray:
        """Backpropagate through time: compute the gradients of the weights and return the gradient of x.

        Args:
            dy: The gradient of the output y of the last `forward(training=True)`.
            dstate: The gradients of the final state's parts, each (B, H); None: zeros.

        Raises:
            ValueError: If there was no `forward(training=True)` since the last `backward`, or a shape does not fit.
            TypeError: If an array does not hold real numbers.
        """
        executor = self._waiting_executor()
        if self.return_state and isinstance(dy, Sequence) and len(dy) == self.outputs:
            raise ValueError("dy must be the gradient of y alone: give those of the state as dstate")
        executor.set_state_gradients(self.checked_state(dstate, executor.x.shape[0], "dstate"))
        return self._backpropagate(executor, dy)

    def _connect(self, x: Any, initial_state: Any, alone: bool) -> Any:
        """Call the layer with symbols."""
        if not alone:
            raise ValueError(
                f"layer {self.name!r} takes no mask, lengths or reset_mask in a model: put a Masking, or an Embedding "
                "with mask_zero, before it"
            )
        if isinstance(x, list | tuple) and initial_state is None:
            x, *initial_state = x  # Keras takes [x, *states] too.
        states = [initial_state] if isinstance(initial_state, Symbol) else list(initial_state or ())
        shapes = self.state_shapes((None,))
        if states and [(None, *getattr(state, "shape", ())[1:]) for state in states] != shapes:
            raise ValueError(
                f"layer {self.name!r} takes an initial_state of {len(shapes)} symbols of shapes "
                f"{', '.join(map(str, shapes))}, not {len(states)} of "
                f"{', '.join(str(getattr(state, 'shape', type(state).__name__)) for state in states)}"
            )
        if states and self.stateful:
            raise ValueError(f"layer {self.name!r} is stateful: its initial state is that of the batch before")
        return connect(self, [x], states)

    def initial_state_gradients(self) -> list[np.ndarray]:
        """The gradients of the initial state's parts, from the last `backward`.

        Raises:
            ValueError: If `backward` has not run, or `forward` was given no initial state.
        """
        executor = self._training
        if executor is None or executor.waits or executor.state is None or executor.dstate is None:
            raise ValueError(
                f"layer {self.name!r} has no gradients of an initial state: "
                "give one to forward(training=True) and call backward first"
            )
        return [np.array(self.backend.to_host(gradient)) for gradient in executor.dstate]

    def _inference_executor(self, x: Array) -> S:
        """An executor for inputs of this shape. The caller may keep its y."""
        return self.new_executor(x, None, None, training=False)

    def _with_state(self, y: Any, executor: S) -> Any:
        outputs = y if isinstance(y, list) else [y]
        return [*outputs, *executor.host_state()] if self.return_state else y

    def _given(self, x: Array, mask: Any, state: Any, lengths: Any, reset_mask: Any) -> dict[str, Any]:
        """Check the inputs beside x, and return them as arguments of `RecurrentExecutor.read`."""
        if mask is state is lengths is reset_mask is None and not self.stateful:
            return {}
        rows, steps = x.shape[:2]
        if lengths is not None:
            if mask is not None:
                raise ValueError("give a mask or lengths, not both")
            mask = np.arange(steps) < _checked_lengths(lengths, rows, steps)[:, None]
        given = {"mask": mask, "reset": reset_mask}
        for name, part in given.items():
            if part is not None:
                what = "mask" if name == "mask" else "reset_mask"
                given[name] = self.backend.asarray(checks.booleans(part, what, (rows, steps), "batch, time"), "bool")
        initial = self.checked_state(state, rows, "initial_state")
        if initial is None and self.stateful:
            self.check_rows(rows)
        return {**given, "state": initial, "zero_beyond": lengths is not None}


def _checked_lengths(lengths: Any, rows: int, steps: int) -> np.ndarray:
    """Check lengths, and return them as [B] integers.

    Raises:
        TypeError: If the lengths are not integers.
        ValueError: If their shape is not (B,), or a length is not from 0 to T.
    """
    array = checks.array(lengths, "lengths")
    # An empty list has no dtype of its own.
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"lengths holds {array.dtype} values, expected integers")
    if array.shape != (rows,):
        raise ValueError(f"lengths must have shape {(rows,)} (batch), not {array.shape}")
    if rows and not 0 <= array.min() <= array.max() <= steps:
        wrong = (array < 0) | (array > steps)
        raise ValueError(f"lengths holds {array[wrong][0]} at {wrong.argmax()}, but the sequences have {steps} steps")
    return array
