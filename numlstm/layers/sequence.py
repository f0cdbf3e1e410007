"""How layers that read sequences are called: with masks, lengths, resets and states."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.layer import Layer

__all__ = ["SequenceLayer"]


class SequenceLayer(Layer):
    """The base of layers that read sequences and keep a state meanwhile."""

    return_state: bool
    stateful: bool

    def checked_state(self, state: Any, rows: int, name: str) -> tuple[Array, ...] | None:
        """The parts of a state, copied into (B, H) arrays of the backend; None for None.

        Raises:
            ValueError: If their number or a shape is wrong.
            TypeError: If one does not hold real numbers.
        """
        raise NotImplementedError

    def check_rows(self, rows: int) -> None:
        """See that a stateful layer can go on with so many rows.

        Raises:
            ValueError: If it holds the state of another number of rows.
        """
        raise NotImplementedError

    def reset_state(self) -> None:
        """Let a stateful layer begin anew, with zeros and with any batch size."""
        raise NotImplementedError

    def reset_states(self) -> None:
        """The same as `reset_state`."""
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
        """Compute the output; the layer is built first when needed.

        Args:
            x: (B, T, F) numbers.
            mask: (B, T) bool, True where a step counts; None: all do.
            initial_state: A list of the state's parts, each (B, H); None: zeros, or what a stateful layer holds.
            lengths: (B,) integers in place of a mask: only so many first steps of a row count, and beyond them its
                outputs are zero, as with PyTorch's packed sequences.
            reset_mask: (B, T) bool, True where the state is set to zero before the step.
            training: False: it is `forward` that trains.

        Returns:
            y, or [y, *state] with `return_state`.

        Raises:
            ValueError: If a shape does not fit, a length is not from 0 to T, or `training` is set.
            TypeError: If an array does not hold real numbers, a mask no booleans, or lengths no integers.
        """
        if training:
            raise self._not_called_for_training()
        array = self._input(x)
        given = self._given(array, mask, initial_state, lengths, reset_mask)
        run = self._inference_pass(array)
        run.read(array, **given)
        y = self._infer(run)
        return self._with_state(y, run)

    def forward(
        self,
        x: Any,
        training: bool = False,
        mask: Any = None,
        initial_state: Any = None,
        lengths: Any = None,
        reset_mask: Any = None,
    ) -> Any:
        """Compute the output and, if training, keep what `backward` needs.

        Args:
            x: (B, T, F) numbers. They are not copied: leave them as they are until `backward` has run.
            training: Whether `backward` will follow, and dropout drops.
            mask: As for calling the layer; so for the rest.
            initial_state: The state's parts.
            lengths: In place of a mask.
            reset_mask: Where the state is reset.

        Returns:
            y, or [y, *state] with `return_state`.

        Raises:
            ValueError, TypeError: As for calling the layer.
        """
        if not training:
            return self(x, mask, initial_state, lengths, reset_mask)
        array = self._input(x)
        given = self._given(array, mask, initial_state, lengths, reset_mask)
        run = self._training_pass(array)
        run.read(array, **given)
        run.forward()
        self._forwarded = True
        return self._with_state(self._result(run), run)

    def backward(self, dy: Any, dstate: Any = None) -> np.ndarray:
        """Backpropagate through time: the gradient of x is returned, those of the weights are kept.

        Args:
            dy: The gradient of the output y that the last `forward(training=True)` gave.
            dstate: The gradients of the final state's parts, each (B, H); None: zeros.

        Raises:
            ValueError: If no forward pass waits for this, or a shape does not fit.
            TypeError: If an array does not hold real numbers.
        """
        run = self._waiting_pass()
        run.set_state_gradients(self.checked_state(dstate, run.x.shape[0], "dstate"))
        return self._backpropagate(run, dy)

    def initial_state_gradients(self) -> list[np.ndarray]:
        """The gradients of the initial state's parts, as the last `backward` left them.

        Raises:
            ValueError: If there are none: no backward pass yet, or no initial state was given.
        """
        run = self._training
        if run is None or self._forwarded or run.state is None or run.dstate is None:
            raise ValueError(
                f"layer {self.name!r} has no gradients of an initial state: "
                "give one to forward(training=True) and call backward first"
            )
        return [np.array(self.backend.to_host(gradient)) for gradient in run.dstate]

    def _inference_pass(self, x: Array) -> Any:
        """A pass for inputs of this shape, with a y of its own."""
        return self.new_pass(x, None, None, training=False)

    def _with_state(self, y: Any, run: Any) -> Any:
        outputs = y if isinstance(y, list) else [y]
        return [*outputs, *run.host_state()] if self.return_state else y

    def _given(self, x: Array, mask: Any, state: Any, lengths: Any, reset_mask: Any) -> dict[str, Any]:
        """What a user gives beside x, checked, as `RecurrentPass.read` takes it."""
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
    """Lengths as [B] integers.

    Raises:
        TypeError: If they are no integers.
        ValueError: If there is not one for each row, or one is not from 0 to T.
    """
    array = checks.array(lengths, "lengths")
    # An empty list says nothing of its kind.
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"lengths holds {array.dtype} values, expected integers")
    if array.shape != (rows,):
        raise ValueError(f"lengths must have shape {(rows,)} (batch), not {array.shape}")
    if rows and not 0 <= array.min() <= array.max() <= steps:
        wrong = (array < 0) | (array > steps)
        raise ValueError(f"lengths holds {array[wrong][0]} at {wrong.argmax()}, but the sequences have {steps} steps")
    return array
