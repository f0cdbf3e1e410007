"""The summary of a model as a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numlstm.layers.layer import Layer
from numlstm.terminal import can_print

__all__ = ["text_of"]


def text_of(name: str, layers: Sequence[Layer], dtype: str) -> str:
    """Format the layers of a built model with their output shapes and numbers of weights.

    Wrapped layers have rows below their wrapper, whose number of weights includes theirs.
    """
    rows = [("Layer (type)", "Output Shape", "Param #")]
    for layer in layers:
        rows.append((_named(layer), str(layer.output_shape), f"{layer.count_params():,}"))
        rows += [(f"  {_named(part)}", "", f"{part.count_params():,}") for part in layer.wrapped]
    widths = [max(len(row[column]) for row in rows) + 4 for column in range(3)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = ("─" if can_print("─") else "-") * sum(widths)
    count = sum(layer.count_params() for layer in layers)
    total = f"Total params: {count:,} ({count * np.dtype(dtype).itemsize / 1024:.2f} KB)"
    return "\n".join([f'Model: "{name}"', rule, lines[0], rule, *lines[1:], rule, total])


def _named(layer: Layer) -> str:
    return f"{layer.name} ({type(layer).__name__})"
