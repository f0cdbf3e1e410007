"""Graphs of layers: the calls between inputs and outputs, in an order in which they can run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numlstm import checks
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.symbol import Call, Symbol, connect
from numlstm.messages import quoted

__all__ = [
    "as_given",
    "calls_between",
    "copy_calls",
    "members_of",
    "name_of",
    "output_names",
    "shape_for",
    "shapes_in",
    "symbols_of",
]


def symbols_of(given: Any, what: str) -> tuple[list[Symbol], list[str] | None]:
    """The symbols in a symbol, a list or a dict, and the keys of a dict.

    Raises:
        TypeError: If there is something else in it.
        ValueError: If there is nothing in it.
    """
    keys = None
    if isinstance(given, Mapping):
        keys = [checks.printable_name(name, f"the name of an {what.removesuffix('s')}") for name in given]
    symbols = (
        [*given.values()] if isinstance(given, Mapping) else [*given] if isinstance(given, list | tuple) else [given]
    )
    for symbol in symbols:
        if not isinstance(symbol, Symbol):
            raise TypeError(
                f"{what} of a model must be Inputs, or what layers called with them return, not {quoted(symbol)}"
            )
    if not symbols:
        raise ValueError(f"{what} of a model must be at least one Input, or what a layer called with one returns")
    return symbols, keys


def as_given(symbols: list[Symbol], keys: list[str] | None) -> Symbol | list[Symbol] | dict[str, Symbol]:
    """A symbol, or a list or a dict of symbols: the opposite of `symbols_of`."""
    if keys is not None:
        return dict(zip(keys, symbols, strict=True))
    return symbols[0] if len(symbols) == 1 else list(symbols)


def calls_between(inputs: Sequence[Symbol], outputs: Sequence[Symbol]) -> list[Call]:
    """All calls that the outputs need, each after the calls that it reads.

    Raises:
        ValueError: If an output needs an input that is not among `inputs`.
    """
    known = set(inputs)
    ordered: list[Call] = []
    waiting = list(reversed(outputs))
    while waiting:
        symbol = waiting[-1]
        if symbol in known:
            waiting.pop()
            continue
        if symbol.call is None:
            raise ValueError(f"the outputs need the input {name_of(symbol)!r}, which is not among the model's inputs")
        missing = [read for read in (*symbol.call.inputs, *symbol.call.states) if read not in known]
        if missing:
            waiting += reversed(missing)
        else:
            ordered.append(symbol.call)
            known.update(symbol.call.outputs)
            waiting.pop()
    return ordered


def members_of(calls: Iterable[Call]) -> list[Layer]:
    """The layers of calls, each once.

    Raises:
        ValueError: If two layers have one name, or a layer has another dtype than the first one.
    """
    members: dict[str, Layer] = {}
    first: Layer | None = None
    for call in calls:
        layer: Layer = call.layer
        first = first or layer
        if members.setdefault(layer.name, layer) is not layer:
            raise ValueError(f"the model has two layers named {layer.name!r}: give one of them another name")
        if layer.dtype != first.dtype:
            raise ValueError(f"layer {layer.name!r} is {layer.dtype}, but the model is {first.dtype}")
    return list(members.values())


def name_of(symbol: Symbol) -> str:
    """The name of an input, or of the layer that computes the symbol."""
    return str(getattr(symbol, "name", "input") if symbol.call is None else symbol.call.layer.name)


def output_names(symbols: Sequence[Symbol]) -> list[str]:
    """The names of symbols, numbered where one has the name of another."""
    if len(symbols) == 1:
        return [name_of(symbols[0])]
    names: list[str] = []
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    for symbol in symbols:
        base = name = name_of(symbol)
        while name in taken:
            numbers[base] = numbers.get(base, 0) + 1
            name = f"{base}_{numbers[base]}"
        taken.add(name)
        names.append(name)
    return names


def shapes_in(calls: Iterable[Call], inputs: Sequence[Symbol], shapes: Sequence[Shape]) -> dict[Symbol, Shape]:
    """The shapes of all symbols, for inputs of these shapes; ValueError if a layer cannot take its input."""
    found: dict[Symbol, Shape] = dict(zip(inputs, shapes, strict=True))
    for call in calls:
        outputs = call.layer.output_shapes(shape_for(call, found), **call.options)
        found.update(zip(call.outputs, outputs, strict=True))
    return found


def shape_for(call: Call, shapes: Mapping[Symbol, Shape]) -> Any:
    """The input shape of a call's layer, or a tuple of shapes if the layer takes several arrays."""
    read = tuple(shapes[symbol] for symbol in call.inputs)
    return read if call.layer.several else read[0]


def copy_calls(
    calls: Iterable[Call], inputs: Sequence[Symbol], given: Sequence[Symbol], outputs: Sequence[Symbol]
) -> list[Symbol]:
    """Call the layers of a graph once more, with other inputs, and return the new outputs."""
    now: dict[Symbol, Symbol] = dict(zip(inputs, given, strict=True))
    for call in calls:
        made = connect(call.layer, [now[s] for s in call.inputs], [now[s] for s in call.states], call.options)
        now.update(zip(call.outputs, made if isinstance(made, list) else [made], strict=True))
    return [now[symbol] for symbol in outputs]
