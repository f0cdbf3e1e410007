"""Truncated backpropagation through time: train sequences piece by piece (Williams & Peng 1990)."""

from __future__ import annotations

from collections.abc import Sequence

from numlstm import graph
from numlstm.layers.layer import Shape
from numlstm.losses import Loss
from numlstm.network import Network

__all__ = ["check_pieces", "length_of", "pieces"]


def pieces(length: int, most: int) -> list[slice]:
    """Cut a sequence into pieces of `most` steps. The last piece may be shorter."""
    return [slice(begin, min(begin + most, length)) for begin in range(0, length, most)]


def length_of(shapes: tuple[tuple[int, ...], ...]) -> int:
    """The number of steps T of all inputs; ValueError if they differ in it."""
    lengths = {shape[1] for shape in shapes}
    if len(lengths) > 1:
        raise ValueError(f"tbptt reads all inputs piece by piece, but their lengths differ: {sorted(lengths)}")
    return lengths.pop()


def check_pieces(network: Network, losses: Sequence[Loss | None]) -> None:
    """Check that the network and the losses can read sequences piece by piece.

    Raises:
        ValueError: If a layer does not return one output per step, reads backwards, is given a state, or is stateful.
            Also if a loss reads whole sequences.
    """
    for loss in losses:
        if loss is not None and loss.row_axes > 1:
            raise ValueError(f"tbptt reads sequences piece by piece, but the loss {loss.name!r} reads whole sequences")
    for index, shape in enumerate(network.input_shapes):
        if len(shape) < 2 or (len(shape) == 2 and network.input_dtype(index) == network.dtype):
            name = network.input_names[index]
            raise ValueError(f"tbptt reads sequences piece by piece, but the input {name!r} of shape {shape} is none")
    for length in (2, 3):
        inputs: tuple[Shape, ...] = tuple((None, length, *shape[2:]) for shape in network.input_shapes)
        shapes = graph.shapes_in(network.calls, network.inputs, inputs)
        for call in network.calls:
            layer, shape = call.layer, shapes[call.outputs[0]]
            parts = (layer, *layer.wrapped)
            if len(shape) < 3 or shape[1] != length:
                reason = "does not return sequences: let it, with return_sequences=True"
            elif not layer.by_steps:
                reason = "reads whole sequences"
            elif any(part.go_backwards for part in parts):
                reason = "reads them backwards"
            elif call.states:
                reason = "is given an initial_state"
            elif any(part.stateful for part in parts):
                reason = "is stateful: tbptt carries the states by itself"
            else:
                continue
            raise ValueError(f"tbptt reads sequences piece by piece, but layer {layer.name!r} {reason}")
