"""Symbols: the arrays of a graph of layers, before there are numbers. A layer called with symbols becomes a call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from numlstm.layers.base import Shape
from numlstm.messages import quoted

__all__ = ["Call", "Symbol", "changed_outputs", "connect", "has_symbols"]


class Symbol:
    """An array that a model will compute: an `Input`, or what a layer returns when it is called with symbols.

    Args:
        shape: Batch first, with None for an axis of any size.
        dtype: The dtype; None: that of the layers that read it.
        call: The call that computes it; None for an input.
        index: Its number among the outputs of the call.
        batch_size: The number of rows that stateful layers expect; None: any.
    """

    def __init__(
        self,
        shape: Shape,
        dtype: str | None,
        call: Call | None = None,
        index: int = 0,
        batch_size: int | None = None,
    ) -> None:
        self.shape, self.dtype, self.call, self.index, self.batch_size = shape, dtype, call, index, batch_size

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shape={self.shape}, dtype={self.dtype}>"

    def __array__(self, *_dtype_and_copy: Any, **_named: Any) -> NoReturn:
        """Raise TypeError: NumPy's functions cannot be a part of a model."""
        raise TypeError(f"{self._described} holds no numbers: call layers with it, and give arrays to the model")

    def __iter__(self) -> NoReturn:
        raise TypeError(
            f"{self._described} is one output, which cannot be unpacked or iterated over: a recurrent layer returns "
            "[y, *state] with return_state=True"
        )

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self._described} has no truth value: it holds no numbers")

    def __getitem__(self, index: Any) -> NoReturn:
        raise TypeError(
            f"{self._described} cannot be sliced: give each part an Input of its own, or leave out "
            "return_sequences=True for the last step"
        )

    def _no_operator(self, *_others: Any) -> NoReturn:
        raise TypeError(
            f"{self._described} takes no operators: use layers, such as Add()([a, b]), Subtract()([a, b]) or "
            "Multiply()([a, b])"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _no_operator
    __matmul__ = __rmatmul__ = __pow__ = __neg__ = _no_operator

    @property
    def _described(self) -> str:
        return f"the symbol of {_source(self)}"


@dataclass(eq=False, repr=False)
class Call:
    """One use of a layer in a graph. A layer that is used several times has the same weights in each call.

    layer: a built `Layer`
    inputs: what the layer reads
    states: the parts of the initial state of a recurrent layer; empty: zeros
    options: further arguments of the call, as JSON values
    outputs: what the layer returns
    chain: the `Sequential` that made the call, and makes it anew when its layers change; None: nobody does
    """

    layer: Any
    inputs: tuple[Symbol, ...]
    states: tuple[Symbol, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Symbol, ...] = ()
    chain: Any = None


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
        if isinstance(symbol, list | tuple) and all(isinstance(part, Symbol) for part in symbol):
            raise TypeError(
                f"layer {layer.name!r} takes one array, but is called with a list of {len(symbol)} of them: unpack "
                "what a layer with return_state=True returns, as in y, *state = layer(x)"
            )
        if not isinstance(symbol, Symbol):
            raise TypeError(
                f"layer {layer.name!r} is called with symbols such as an Input and with {quoted(symbol)}: numbers can "
                "enter a model only through an Input"
            )
    for symbol in read:
        if symbol.dtype is not None and layer.input_dtype == "int64" != symbol.dtype:
            raise ValueError(
                f"layer {layer.name!r} takes ids, but its input is computed by {_source(symbol)}: give it an "
                "Input of ids"
            )
    shapes = tuple(symbol.shape for symbol in read)
    shape = shapes if layer.several else shapes[0]
    batch_size = next((symbol.batch_size for symbol in read if symbol.batch_size is not None), None)
    if batch_size is not None and layer.batch_size is None:
        layer.expect_batch(batch_size)
    with _forgotten_sequences(layer, read):
        layer.build(shape)
    call = Call(layer, read, tuple(states), options)
    call.outputs = tuple(
        Symbol(output, layer.dtype, call, index, batch_size)
        for index, output in enumerate(layer.output_shapes(shape, **options))
    )
    layer.calls.append(call)
    return call.outputs[0] if len(call.outputs) == 1 else list(call.outputs)


@contextmanager
def _forgotten_sequences(layer: Any, read: Sequence[Symbol]) -> Iterator[None]:
    """Say which layer lacks `return_sequences` if a layer cannot take its last output."""
    try:
        yield
    except ValueError as error:
        found = [symbol.call.layer for symbol in read if symbol.call and symbol.call.layer.returns_last_only]
        longer = tuple(
            (*symbol.shape[:1], None, *symbol.shape[1:]) if symbol.call and symbol.call.layer in found else symbol.shape
            for symbol in read
        )
        if not found or not _takes(layer, longer if layer.several else longer[0]):
            raise
        raise ValueError(
            f"layer {found[0].name!r} returns its last output only, of shape {found[0].calls[-1].outputs[0].shape}, "
            f"which layer {layer.name!r} cannot take: give {found[0].name!r} return_sequences=True"
        ) from error


def changed_outputs(layer: Any, calls: Iterable[Call]) -> list[Symbol]:
    """The outputs of a layer's calls that have other shapes now than when the calls were made."""
    found = []
    for call in calls:
        shapes = tuple(symbol.shape for symbol in call.inputs)
        now = layer.output_shapes(shapes if layer.several else shapes[0], **call.options)
        found += [symbol for symbol, shape in zip(call.outputs, now, strict=False) if symbol.shape != shape]
        found += call.outputs[len(now) :]
    return found


def _takes(layer: Any, shape: Any) -> bool:
    try:
        layer.compute_output_shape(shape)
    except ValueError:
        return False
    return True


def _source(symbol: Symbol) -> str:
    return "an Input" if symbol.call is None else f"layer {symbol.call.layer.name!r}"
