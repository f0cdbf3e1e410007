"""Truncated backpropagation through time: train sequences piece by piece (Williams & Peng 1990)."""

from __future__ import annotations

from numlstm.layers.layer import Shape
from numlstm.network import Network

__all__ = ["check_pieces", "pieces"]


def pieces(length: int, most: int) -> list[slice]:
    """Cut a sequence into pieces of `most` steps. The last piece may be shorter."""
    return [slice(begin, min(begin + most, length)) for begin in range(0, length, most)]


def check_pieces(network: Network) -> None:
    """Check that the network can read sequences piece by piece.

    Raises:
        ValueError: If a layer does not return one output per step, reads backwards, or is stateful.
    """
    for length in (2, 3):
        shape: Shape = (None, length, *network.input_shape[2:])
        for layer in network.layers:
            shape = layer.compute_output_shape(shape)
            parts = (layer, *layer.wrapped)
            if len(shape) < 3 or shape[1] != length:
                reason = "does not return sequences: let it, with return_sequences=True"
            elif any(part.go_backwards for part in parts):
                reason = "reads them backwards"
            elif any(part.stateful for part in parts):
                reason = "is stateful: tbptt carries the states by itself"
            else:
                continue
            raise ValueError(f"tbptt reads sequences piece by piece, but layer {layer.name!r} {reason}")
