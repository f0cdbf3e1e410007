"""Bidirectional: a recurrent layer that reads the sequence in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, Self

import numpy as np

from numlstm.kernels import Array, RecurrentUse
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.recurrent.both import BidirectionalExecutor
from numlstm.layers.recurrent.layer import Recurrent
from numlstm.layers.recurrent.sequence import SequenceLayer
from numlstm.layers.wrapper import Wrapper
from numlstm.messages import quoted
from numlstm.override import override
from numlstm.plan import Recurrence

__all__ = ["Bidirectional"]

_MODES = ("concat", "sum", "mul", "ave", None)


class Bidirectional(Wrapper, SequenceLayer[BidirectionalExecutor]):
    """Two recurrent layers that read the sequence in opposite directions (Schuster & Paliwal 1997).

    The outputs are concatenated, or combined element by element. With `return_sequences`, both outputs of a step belong
    to the same step of the input, and masked steps output zeros, as in Keras. Weights and states are in the order
    forward layer, backward layer.

    Args:
        layer: An LSTM, a GRU or a SimpleRNN. It is copied.
        merge_mode: "concat", "sum", "mul" (product), "ave" (mean), or None for a list of both outputs.
        backward_layer: The layer of the other direction. It is copied. None: a copy of `layer`.
        dtype: None, or the dtype of the layers.
        name: Unique in a model. None: an automatic name.
        input_shape: (T, F), the shape of one sample. T may be None.
        others: Keras arguments that are not supported.

    Raises:
        TypeError: If a layer is not recurrent.
        ValueError: If the two layers do not match, or an argument is not valid.
    """

    set_elsewhere = Wrapper.set_elsewhere | dict.fromkeys(
        ("return_sequences", "return_state", "stateful", "forward_layer", "backward_layer", "merge_mode"),
        "make another Bidirectional",
    )

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
                raise TypeError(f"Bidirectional takes an LSTM, a GRU or a SimpleRNN, not {quoted(given)}")
        if merge_mode not in _MODES:
            raise ValueError(f"merge_mode must be one of {', '.join(map(repr, _MODES))}, not {quoted(merge_mode)}")
        forward = layer.copy(f"forward_{layer.name.removeprefix('forward_')}")
        if backward_layer is None:
            name_of_other = f"backward_{layer.name.removeprefix('backward_')}"
            backward = layer.copy(name_of_other, go_backwards=not layer.go_backwards)
        else:
            backward = backward_layer.copy(backward_layer.name)
            _check_pair(forward, backward, merge_mode)
        # Both layers may have the same seed: other streams give them other random numbers.
        backward.first_stream = 2
        vars(forward)["zero_output_for_mask"] = vars(backward)["zero_output_for_mask"] = layer.return_sequences
        self.forward_layer, self.backward_layer, self.merge_mode = forward, backward, merge_mode
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self.stateful = layer.stateful
        if input_shape is None and layer.input_shape is not None:
            input_shape = layer.input_shape[1:]
        super().__init__((forward, backward), name, dtype, input_shape, others)

    @property
    @override
    def returns_last_only(self) -> bool:
        return not self.return_sequences

    @property
    @override
    def outputs(self) -> int:
        layers = self.forward_layer, self.backward_layer
        states = sum(len(layer.state_letters) for layer in layers) * self.return_state
        return states + (2 if self.merge_mode is None else 1)

    def wrapped_shape(self, input_shape: Shape) -> Shape:
        """The input shape: both layers read the same input."""
        self.compute_output_shape(input_shape)
        return input_shape

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """The layers' output shape; for "concat" with the sum of both units. A tuple of shapes for several outputs."""
        both = self.forward_layer, self.backward_layer
        shapes = [layer.y_shape(input_shape) for layer in both]
        if self.merge_mode is not None:
            width = self.forward_layer.units + (self.backward_layer.units if self.merge_mode == "concat" else 0)
            shapes = [(*shapes[0][:-1], width)]
        if self.return_state:
            shapes += self.state_shapes(input_shape)
        return tuple(shapes) if len(shapes) > 1 else shapes[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        entries = {
            name: {"class_name": type(layer).__name__, "config": layer.get_config()}
            for name, layer in (("layer", self.forward_layer), ("backward_layer", self.backward_layer))
        }
        return {**entries, "merge_mode": self.merge_mode, "dtype": self.dtype, "name": self.name}

    @classmethod
    @override
    def from_config(cls, config: Mapping[str, Any], make: Callable[[Any], Layer] | None = None) -> Self:
        made = {name: cls.make_wrapped(config[name], make) for name in ("layer", "backward_layer")}
        return cls(**{**config, **made})

    @override
    def recurrences(self, input_shape: Shape) -> list[Recurrence]:
        forwards, backwards = (layer.recurrences(input_shape)[0] for layer in (self.forward_layer, self.backward_layer))
        if forwards.cell == backwards.cell:
            with_options = forwards.with_options or backwards.with_options
            return [replace(forwards, name=self.name, with_options=with_options, pair=True)]
        return [forwards, backwards]

    @override
    def kernels_used(self, with_dx: bool) -> Sequence[str | RecurrentUse]:
        both = self.forward_layer, self.backward_layer
        first, second = (layer.use(with_dx) for layer in both)
        names = [name for layer in both for name in layer.kernels_used(with_dx) if isinstance(name, str)]
        if both[0].make_cell(1) == both[1].make_cell(1):
            # One kernel call runs both layers, so if one layer needs the kernels with options, both use them.
            with_options = first.with_options or second.with_options
            uses = [replace(first, with_options=with_options, pair=True)]
        else:
            uses = [first, second]
        names += ["multiply_each"] * (self.merge_mode == "mul")
        return uses + names + ["add_each"] * (with_dx or self.merge_mode in ("sum", "ave"))

    @override
    def checked_state(self, state: Any, rows: int, name: str) -> tuple[Array, ...] | None:
        if state is None:
            return None
        forward, backward = self.forward_layer, self.backward_layer
        first, count = len(forward.state_letters), len(forward.state_letters) + len(backward.state_letters)
        if not isinstance(state, Sequence | np.ndarray) or len(state) != count:
            letters = ", ".join((*forward.state_letters, *backward.state_letters))
            raise ValueError(f"{name} must be a list of {count} arrays: {letters}, forwards and then backwards")
        halves = forward.checked_state(state[:first], rows, name), backward.checked_state(state[first:], rows, name)
        return (*(halves[0] or ()), *(halves[1] or ()))

    @override
    def state_shapes(self, input_shape: Shape) -> list[Shape]:
        return self.forward_layer.state_shapes(input_shape) + self.backward_layer.state_shapes(input_shape)

    @override
    def check_rows(self, rows: int) -> None:
        self.forward_layer.check_rows(rows)
        self.backward_layer.check_rows(rows)

    @override
    def reset_state(self) -> None:
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> BidirectionalExecutor:
        return BidirectionalExecutor(self, x, dx, mask, training)

    @override
    def new_step(self, x: Array) -> NoReturn:
        raise ValueError(f"layer {self.name!r} reads from the sequence's end too: it cannot be streamed")

    def _given(self, x: Array, mask: Any, state: Any, lengths: Any, reset_mask: Any) -> dict[str, Any]:
        if reset_mask is not None:
            raise ValueError(
                f"layer {self.name!r} takes no reset_mask: what begins anew from one end has not ended from the other; "
                "give each sequence a row of its own"
            )
        return super()._given(x, mask, state, lengths, None)

    def _result(self, executor: BidirectionalExecutor, copied: bool = True) -> Any:
        if self.merge_mode is not None:
            return super()._result(executor, copied)
        parts = [self.backend.to_host(part) for part in executor.parts]
        return [np.array(part) for part in parts] if copied else parts

    def _take_gradients(self, executor: BidirectionalExecutor, dy: Any) -> None:
        if self.merge_mode is not None:
            super()._take_gradients(executor, dy)
            return
        if not isinstance(dy, Sequence) or len(dy) != 2:
            raise ValueError("dy must be a list of two arrays, forwards and backwards, as the output is")
        checked = [
            self._output_gradient(part, f"dy[{number}]", executor.parts[number].shape) for number, part in enumerate(dy)
        ]
        for target, part in zip(executor.part_gradients, checked, strict=True):
            self.backend.copy(target, part)


def _check_pair(forward: Recurrent, backward: Recurrent, merge_mode: str | None) -> None:
    """Raise ValueError if the user's two layers do not match."""
    if forward.go_backwards == backward.go_backwards:
        raise ValueError(f"layer and backward_layer must differ in go_backwards, but both have {forward.go_backwards}")
    alike: dict[str, tuple[int, int]] = {
        "return_sequences": (forward.return_sequences, backward.return_sequences),
        "return_state": (forward.return_state, backward.return_state),
        "stateful": (forward.stateful, backward.stateful),
    }
    if merge_mode in ("sum", "mul", "ave"):
        alike["units"] = forward.units, backward.units
    for name, (ours, theirs) in alike.items():
        if ours != theirs:
            raise ValueError(f"layer and backward_layer must have the same {name}, not {ours} and {theirs}")
