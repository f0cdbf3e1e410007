"""The summary of a model as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numlstm.layers.layer import Layer
from numlstm.terminal import can_print

__all__ = ["text_of"]


def text_of(name: str, layers: Sequence[Layer]) -> str:
    """Format the layers of a model with their output shapes and numbers of weights; "?" and "unbuilt" where unknown.

    Wrapped layers have rows below their wrapper, whose number of weights includes theirs.
    """
    rows = [("Layer (type)", "Output Shape", "Param #")]
    for layer in layers:
        rows.append((_named(layer), str(layer.output_shape) if layer.built else "?", _count(layer)))
        rows += [(f"  {_named(part)}", "", _count(part)) for part in layer.wrapped]
    widths = [max(len(row[column]) for row in rows) + 4 for column in range(3)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = ("─" if can_print("─") else "-") * sum(widths)
    built = [layer for layer in layers if layer.built]
    count = sum(layer.count_params() for layer in built)
    size = sum(layer.count_params() * np.dtype(layer.dtype).itemsize for layer in built)
    total = f"Total params: {count:,} ({size / 1024:.2f} KB)"
    return "\n".join([f'Model: "{name}"', rule, lines[0], rule, *lines[1:], rule, total])


def _count(layer: Layer) -> str:
    return f"{layer.count_params():,}" if layer.built else "unbuilt"


def _named(layer: Layer) -> str:
    return f"{layer.name} ({type(layer).__name__})"
