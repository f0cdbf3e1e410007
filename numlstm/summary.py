"""The summary of a model as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from numlstm.layers.layer import Layer
from numlstm.layers.symbol import Call, Symbol
from numlstm.terminal import can_print

__all__ = ["text_of"]


def text_of(name: str, inputs: Sequence[tuple[str, Symbol]], calls: Sequence[Call], layers: Sequence[Layer]) -> str:
    """Format the layers of a model with their output shapes and numbers of weights; "?" and "unbuilt" where unknown.

    Wrapped layers have rows below their wrapper, whose number of weights includes theirs. If the model is no chain,
    there is a row for each input and each call, with what the call reads.
    """
    is_chain = not calls or (
        len(inputs) == 1
        and all(
            (*call.inputs, *call.states) == before for before, call in zip(_outputs(inputs, calls), calls, strict=False)
        )
    )
    rows: list[tuple[str, ...]] = [_HEAD]
    if not is_chain:
        rows += [(f"{each} (Input)", str(symbol.shape), "0", "-") for each, symbol in inputs]
    names = {symbol: each for each, symbol in inputs}
    counts: Counter[Layer] = Counter()
    for call in calls:
        layer: Layer = call.layer
        number = counts[layer]
        counts[layer] += 1
        own = f"{layer.name}[{number}]" if number else layer.name
        names |= {symbol: f"{own}.{index}" if index else own for index, symbol in enumerate(call.outputs)}
        shapes = ", ".join(str(symbol.shape) for symbol in call.outputs)
        read = ", ".join(names[symbol] for symbol in (*call.inputs, *call.states))
        count = "shared" if number else _count(layer)
        rows.append((f"{own} ({type(layer).__name__})", shapes, count, read))
        if not number:
            rows += [(f"  {_named(part)}", "", _count(part), "") for part in layer.wrapped]
    for layer in () if calls else layers:
        rows.append((_named(layer), "?", _count(layer), ""))
        rows += [(f"  {_named(part)}", "", _count(part), "") for part in layer.wrapped]
    widths = [max(len(row[column]) for row in rows) + 4 for column in range(3 if is_chain else 4)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    rule = ("─" if can_print("─") else "-") * sum(widths)
    built = [layer for layer in layers if layer.built]
    size = sum(layer.count_params() for layer in built)
    nbytes = sum(layer.count_params() * np.dtype(layer.dtype).itemsize for layer in built)
    total = f"Total params: {size:,} ({nbytes / 1024:.2f} KB)"
    return "\n".join([f'Model: "{name}"', rule, lines[0], rule, *lines[1:], rule, total])


_HEAD = ("Layer (type)", "Output Shape", "Param #", "Connected to")


def _outputs(inputs: Sequence[tuple[str, Symbol]], calls: Sequence[Call]) -> list[tuple[Symbol, ...]]:
    """What comes before each call of a chain."""
    return [tuple(symbol for _, symbol in inputs), *(call.outputs for call in calls)]


def _count(layer: Layer) -> str:
    return f"{layer.count_params():,}" if layer.built else "unbuilt"


def _named(layer: Layer) -> str:
    return f"{layer.name} ({type(layer).__name__})"
