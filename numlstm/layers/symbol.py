"""Symbols: the arrays of a graph of layers, before there are numbers. A layer called with symbols becomes a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from numlstm.layers.base import Shape
from numlstm.messages import quoted

__all__ = ["Call", "Symbol", "connect", "has_symbols"]


class Symbol:
    """An array that a model will compute: an `Input`, or what a layer returns when it is called with symbols.

    Args:
        shape: Batch first, with None for an axis of any size.
        dtype: The dtype; None: that of the layers that read it.
        call: The call that computes it; None for an input.
        index: Its number among the outputs of the call.
    """

    def __init__(self, shape: Shape, dtype: str | None, call: Call | None = None, index: int = 0) -> None:
        self.shape, self.dtype, self.call, self.index = shape, dtype, call, index

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shape={self.shape}, dtype={self.dtype}>"

    def __array__(self, *_dtype_and_copy: Any, **_named: Any) -> NoReturn:
        """Raise TypeError: NumPy's functions cannot be a part of a model."""
        raise TypeError("a symbol such as an Input holds no numbers: call layers with it, and give arrays to the model")

    def __iter__(self) -> NoReturn:
        raise TypeError("a symbol such as an Input cannot be iterated over: call a layer with the whole of it")

    def __bool__(self) -> NoReturn:
        raise TypeError("a symbol such as an Input has no truth value: it holds no numbers")


@dataclass(eq=False, repr=False)
class Call:
    """One use of a layer in a graph. A layer that is used several times has the same weights in each call.

    layer: a built `Layer`
    inputs: what the layer reads
    states: the parts of the initial state of a recurrent layer; empty: zeros
    options: further arguments of the call, as JSON values
    outputs: what the layer returns
    """

    layer: Any
    inputs: tuple[Symbol, ...]
    states: tuple[Symbol, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Symbol, ...] = ()


def has_symbols(*values: Any) -> bool:
    """Whether one of the values is a symbol, or a list with a symbol in it."""
    for value in values:
        parts = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(part, Symbol) for part in parts):
            return True
    return False


def connect(
    layer: Any, inputs: Iterable[Any], states: Sequence[Any] = (), options: Mapping[str, Any] | None = None
) -> Any:
    """Call a layer with symbols. Builds the layer if necessary.

    Returns:
        The symbol of the output; a list of symbols if there are several.

    Raises:
        TypeError: If not all inputs are symbols.
        ValueError: If the layer cannot take their shapes or dtypes.
    """
    read, options = tuple(inputs), options or {}
    for symbol in (*read, *states):
        if not isinstance(symbol, Symbol):
            raise TypeError(
                f"layer {layer.name!r} is called with symbols such as an Input and with {quoted(symbol)}: numbers can "
                "enter a model only through an Input"
            )
    for symbol in read:
        if symbol.dtype is not None and layer.input_dtype == "int64" != symbol.dtype:
            raise ValueError(
                f"layer {layer.name!r} takes ids, but its input is computed by layer {_source(symbol)}: give it an "
                "Input of ids"
            )
    shapes = tuple(symbol.shape for symbol in read)
    shape = shapes if layer.several else shapes[0]
    layer.build(shape)
    call = Call(layer, read, tuple(states), options)
    call.outputs = tuple(
        Symbol(output, layer.dtype, call, index) for index, output in enumerate(layer.output_shapes(shape, **options))
    )
    layer.calls.append(call)
    return call.outputs[0] if len(call.outputs) == 1 else list(call.outputs)


def _source(symbol: Symbol) -> str:
    return "an Input" if symbol.call is None else repr(symbol.call.layer.name)
