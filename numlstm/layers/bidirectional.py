"""Bidirectional: a recurrent layer that reads the sequence from both ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from numlstm.kernels import Array, RecurrentUse
from numlstm.layers.bidirectional_pass import BidirectionalPass
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.recurrent import Recurrent
from numlstm.layers.sequence import SequenceLayer
from numlstm.layers.wrapper import Wrapper
from numlstm.plan import Recurrence

__all__ = ["Bidirectional"]

_MODES = ("concat", "sum", "mul", "ave", None)


class Bidirectional(Wrapper, SequenceLayer):
    """Two recurrent layers, one of which reads from the start and one from the end (Schuster & Paliwal 1997).

    The outputs of both stand side by side, or are merged number by number. With `return_sequences` those of a step
    come from the same step of the input, and masked steps have outputs of zero, as in Keras. The weights and states
    are the forward layer's, then the backward layer's.

    Args:
        layer: An LSTM, a GRU or a SimpleRNN. It is copied, not used itself.
        merge_mode: "concat", "sum", "mul" (product), "ave" (mean), or None for a list of both outputs.
        backward_layer: The layer that reads the other way, copied too; None: one like `layer`.
        dtype: None, or that of the layers.
        name: Unique in a model; None for an automatic one.
        input_shape: (T, F), the shape of one sample; T may be None.
        others: Arguments of Keras that are not supported.

    Raises:
        TypeError: If a layer is no recurrent one.
        ValueError: If the two layers do not go together, or an argument is none of the above.
    """

    def __init__(
        self,
        layer: Recurrent,
        merge_mode: str | None = "concat",
        *,
        backward_layer: Recurrent | None = None,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        for given in (layer, layer if backward_layer is None else backward_layer):
            if not isinstance(given, Recurrent):
                raise TypeError(f"Bidirectional takes an LSTM, a GRU or a SimpleRNN, not {given!r}")
        if merge_mode not in _MODES:
            raise ValueError(f"merge_mode must be one of {', '.join(map(repr, _MODES))}, not {merge_mode!r}")
        forward = layer.copy(f"forward_{layer.name.removeprefix('forward_')}")
        if backward_layer is None:
            backward = layer.copy(f"backward_{layer.name.removeprefix('backward_')}")
            backward.go_backwards = not layer.go_backwards
        else:
            backward = backward_layer.copy(backward_layer.name)
            _check_pair(forward, backward, merge_mode)
        # The two may share a seed, but never random numbers.
        backward.first_stream = 2
        forward.zero_output_for_mask = backward.zero_output_for_mask = layer.return_sequences
        self.forward_layer, self.backward_layer, self.merge_mode = forward, backward, merge_mode
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self.stateful = layer.stateful
        if input_shape is None and layer.input_shape is not None:
            input_shape = layer.input_shape[1:]
        super().__init__((forward, backward), name, dtype, input_shape, others)

    @property
    def outputs(self) -> int:
        """See `Layer.outputs`."""
        states = sum(len(layer.states) for layer in (self.forward_layer, self.backward_layer)) * self.return_state
        return states + (2 if self.merge_mode is None else 1)

    def wrapped_shape(self, input_shape: Shape) -> Shape:
        """The input goes to both."""
        self.compute_output_shape(input_shape)
        return input_shape

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """As the layers have it, with twice the features for "concat"; of one output where there are two."""
        shape = self.forward_layer.compute_output_shape(input_shape)
        width = self.forward_layer.units + (self.backward_layer.units if self.merge_mode == "concat" else 0)
        return (*shape[:-1], width)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        entries = {
            name: {"class_name": type(layer).__name__, "config": layer.get_config()}
            for name, layer in (("layer", self.forward_layer), ("backward_layer", self.backward_layer))
        }
        return {**entries, "merge_mode": self.merge_mode, "dtype": self.dtype, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], make: Callable[[Any], Layer] | None = None) -> Self:
        """See `Layer.from_config`."""
        made = {name: cls.make_wrapped(config[name], make) for name in ("layer", "backward_layer")}
        return cls(**{**config, **made})

    def cells(self, input_shape: Shape) -> list[Recurrence]:
        """See `Layer.cells`."""
        forwards, backwards = (layer.cells(input_shape)[0] for layer in (self.forward_layer, self.backward_layer))
        if forwards.cell == backwards.cell:
            with_options = forwards.with_options or backwards.with_options
            return [replace(forwards, name=self.name, with_options=with_options, pair=True)]
        return [forwards, backwards]

    def functions(self, with_dx: bool) -> Sequence[str | RecurrentUse]:
        """See `Layer.functions`."""
        both = self.forward_layer, self.backward_layer
        first, second = (layer.use(with_dx) for layer in both)
        names = [name for layer in both for name in layer.functions(with_dx) if isinstance(name, str)]
        if both[0].make_cell(1) == both[1].make_cell(1):
            # Where one of the two takes the kernels with options, both do.
            with_options = first.with_options or second.with_options
            uses = [replace(first, with_options=with_options, pair=True)]
        else:
            uses = [first, second]
        names += ["multiply_each"] * (self.merge_mode == "mul")
        return uses + names + ["add_each"] * (with_dx or self.merge_mode in ("sum", "ave"))

    def checked_state(self, state: Any, rows: int, name: str) -> tuple[Array, ...] | None:
        """See `SequenceLayer.checked_state`."""
        if state is None:
            return None
        forward, backward = self.forward_layer, self.backward_layer
        first, count = len(forward.states), len(forward.states) + len(backward.states)
        if not isinstance(state, Sequence | np.ndarray) or len(state) != count:
            letters = ", ".join((*forward.states, *backward.states))
            raise ValueError(f"{name} must be a list of {count} arrays: {letters}, forwards and then backwards")
        halves = forward.checked_state(state[:first], rows, name), backward.checked_state(state[first:], rows, name)
        return (*(halves[0] or ()), *(halves[1] or ()))

    def check_rows(self, rows: int) -> None:
        """See `SequenceLayer.check_rows`."""
        self.forward_layer.check_rows(rows)
        self.backward_layer.check_rows(rows)

    def reset_state(self) -> None:
        """See `SequenceLayer.reset_state`."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> BidirectionalPass:
        """See `Layer.new_pass`."""
        return BidirectionalPass(self, x, dx, mask, training)

    def new_step(self, x: Array) -> Any:
        """See `Layer.new_step`."""
        raise ValueError(f"layer {self.name!r} reads from the sequence's end too: it cannot be streamed")

    def _given(self, x: Array, mask: Any, state: Any, lengths: Any, reset_mask: Any) -> dict[str, Any]:
        if reset_mask is not None:
            raise ValueError(
                f"layer {self.name!r} takes no reset_mask: what begins anew from one end has not ended from the other; "
                "give each sequence a row of its own"
            )
        return super()._given(x, mask, state, lengths, None)

    def _result(self, run: Any, copied: bool = True) -> Any:
        if self.merge_mode is not None:
            return super()._result(run, copied)
        parts = [self.backend.to_host(part) for part in run.parts]
        return [np.array(part) for part in parts] if copied else parts

    def _take_gradients(self, run: Any, dy: Any) -> None:
        if self.merge_mode is not None:
            super()._take_gradients(run, dy)
            return
        if not isinstance(dy, Sequence) or len(dy) != 2:
            raise ValueError("dy must be a list of two arrays, forwards and backwards, as the output is")
        checked = [
            self._output_gradient(part, f"dy[{number}]", run.parts[number].shape) for number, part in enumerate(dy)
        ]
        for target, part in zip(run.part_gradients, checked, strict=True):
            self.backend.copy(target, part)


def _check_pair(forward: Recurrent, backward: Recurrent, merge_mode: str | None) -> None:
    """See that two layers of the user's go together."""
    if forward.go_backwards == backward.go_backwards:
        raise ValueError(f"layer and backward_layer must differ in go_backwards, but both have {forward.go_backwards}")
    alike = ["return_sequences", "return_state", "stateful"]
    alike += ["units"] if merge_mode in ("sum", "mul", "ave") else []
    for name in alike:
        ours, theirs = getattr(forward, name), getattr(backward, name)
        if ours != theirs:
            raise ValueError(f"layer and backward_layer must have the same {name}, not {ours} and {theirs}")
