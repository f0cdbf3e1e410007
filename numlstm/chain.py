"""Chains of layers: each layer reads the output of the previous one. The network may get its input shape later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from numlstm.layers.input import Input
from numlstm.layers.layer import Layer, Shape, sizes
from numlstm.layers.symbol import Symbol, connect
from numlstm.messages import quoted
from numlstm.network import Network, Shapes, named_model
from numlstm.override import override
from numlstm.parameters import join

__all__ = ["Chain"]


class Chain(Network):
    """A chain of layers. Each layer reads the output of the previous layer.

    If the first layer has an `input_shape`, adding it builds the network, which draws the weights. Without an
    `input_shape`, the network is built by `build`, or by the first data for sequences of any length.

    Args:
        layers: The layers, in order. An `Input` may come first. `add` appends more.
        name: Name of the network; None: an automatic name.

    Raises:
        TypeError: If `layers` is not a list of layers.
        ValueError: As for `add`.
    """

    def __init__(self, layers: Sequence[Layer | Input] | None = None, name: str | None = None) -> None:
        self.name = named_model(self, name)
        self.inputs, self.outputs, self.calls, self.layers = [], [], [], []
        self._names: set[str] = set()
        self._input: Input | None = None
        if layers is not None and not isinstance(layers, Iterable):
            raise TypeError(f"layers must be a list of layers, not {quoted(layers)}")
        for layer in layers or ():
            self.add(layer)
        self._complete = True

    def add(self, layer: Layer | Input) -> None:
        """Append a layer, or set the input shape of the first layer by an `Input`.

        Raises:
            TypeError: If `layer` is neither a layer nor an `Input`.
            ValueError: If the layer belongs to a model already, has several outputs, or its name, dtype or input shape
                does not fit the layers before it; or if an `Input`, or a layer that takes ids, is not the first.
        """
        if self.built:
            self._check_free()
        if isinstance(layer, Input):
            if self.layers or self._input is not None:
                raise ValueError("an Input must come first, and once")
            self._input = layer
            return
        if not isinstance(layer, Layer):
            hint = (
                ": call the model in a graph, as in Model(x, Dense(1)(model(x)))" if isinstance(layer, Network) else ""
            )
            raise TypeError(f"a Sequential consists of layers, not of {quoted(layer)}{hint}")
        if layer.owner is not None:
            raise ValueError(f"layer {layer.name!r} belongs to a model already: make a layer for each")
        if layer.name in self._names:
            raise ValueError(f"the model has a layer named {layer.name!r} already")
        if self.layers and layer.dtype != self.dtype:
            raise ValueError(f"layer {layer.name!r} is {layer.dtype}, but the model is {self.dtype}")
        if self.layers and layer.input_dtype != layer.dtype:
            raise ValueError(f"layer {layer.name!r} takes ids, which no layer outputs: it must be the model's first")
        if layer.several:
            raise ValueError(
                f"layer {layer.name!r} takes a list of arrays, but a layer of a Sequential reads one array: use "
                "numlstm.Model(inputs, outputs)"
            )
        if layer.outputs > 1:
            raise ValueError(
                f"layer {layer.name!r} has {layer.outputs} outputs, but a Sequential takes single outputs only: leave "
                "out return_state=True and merge_mode=None, or use numlstm.Model(inputs, outputs)"
            )
        shape = self.output_shape if self.built else None if self.layers else self._first_shape(layer)
        if shape is not None:
            _shape_after(self.layers[-1] if self.layers else None, layer, shape)
            layer.build(shape, backend=self.backend)
        first = self.layers[0] if self.layers else self._input
        if layer.batch_size is None and first is not None:
            layer.expect_batch(first.batch_size)
        self.layers.append(layer)
        self._names.add(layer.name)
        layer.owner = self
        if shape is not None:
            if self.built:
                self._append(layer)
            else:
                self._connect()
            self._join(self.backend)

    def pop(self) -> Layer:
        """Remove the last layer with its weights, and return it.

        Raises:
            ValueError: If there is no layer.
        """
        if not self.layers:
            raise ValueError("the model has no layers")
        self._check_free()
        layer = self.layers.pop()
        self._names.discard(layer.name)
        if self.built:
            last, backend = self.calls.pop(), layer.backend
            layer.calls.remove(last)
            self.outputs = list(last.inputs)
            if layer.owner is self:
                layer.parameters.buffers.version.advance()
                join(backend, [layer.parameters])
                layer.reattach()
            self._buffers = None
            if self.layers:
                self._join(backend)
        if layer.owner is self:
            layer.owner = None
        return layer

    def build(self, input_shape: Shape, weights: Sequence[Any] | None = None) -> None:
        """Create the weights of all layers.

        Args:
            input_shape: Batch first, as in Keras, with None for an axis of any size: (None, 10, 1).
            weights: Initial weights, as for `set_weights`; None draws them from the initializers.

        Raises:
            ValueError: If there is no layer, or a layer cannot take its input shape.
            TypeError: If `input_shape` is not a sequence of integers and None.
        """
        if not self.layers:
            raise ValueError("the model has no layers: add one first")
        backend, rest = self.backend, None if weights is None else list(weights)
        shape: Shape = (None, *sizes(input_shape, "input_shape")[1:])
        self.compute_output_shapes((shape,))
        for layer in self.layers:
            count = len(layer.variable_shapes(shape))
            layer.build(shape, None if rest is None else rest[:count], backend)
            rest = None if rest is None else rest[count:]
            (shape, *_) = layer.output_shapes(shape)
        if rest:
            given = len(weights or ())
            raise ValueError(f"the model has {given - len(rest)} weights, but {given} were given")
        self._connect()
        self._join(backend)

    def build_for(self, shape: Shape) -> None:
        """Build for data of this shape. The length of sequences stays open unless a layer needs it."""
        wanted = self.layers[0].open_shape(shape)
        try:
            self.compute_output_shapes((wanted,))
        except ValueError:
            wanted = (None, *shape[1:])
        self.build(wanted)

    def _first_shape(self, layer: Layer) -> Shape | None:
        """The input shape for the first layer, from the `Input` or the layer; None if it is not known."""
        given = None if self._input is None else self._input.shape
        if given is not None and layer.input_shape not in (None, given):
            raise ValueError(f"layer {layer.name!r} has input_shape {layer.input_shape}, but the Input has {given}")
        return given or layer.input_shape

    @property
    def given_input_shape(self) -> Shape | None:
        """The shape of the `Input` that was added first, batch first; None without one."""
        return None if self._input is None else self._input.shape

    def _follow_change(self) -> None:
        self.compute_output_shapes(self.input_shapes)
        self._connect()

    def _connect(self) -> None:
        """Make the graph of the layers, from a new input."""
        for call in self.calls:
            call.layer.calls.remove(call)
        shape = self.layers[0].input_shape or ()
        own = self._input
        self.inputs = [own if own is not None and own.shape == shape else Symbol(shape, None)]
        self.outputs, self.calls = self.inputs, []
        for layer in self.layers:
            self._append(layer)

    def _append(self, layer: Layer) -> None:
        connect(layer, self.outputs)
        layer.calls[-1].chain = self
        self.calls.append(layer.calls[-1])
        self.outputs = [layer.calls[-1].outputs[0]]

    # Shapes, also before the network is built.

    @override
    def readers(self, index: int) -> list[Layer]:
        return self.layers[:1]

    @override
    def compute_output_shapes(self, input_shapes: Shapes) -> Shapes:
        (shape,) = input_shapes
        before: Layer | None = None
        for layer in self.layers:
            shape = _shape_after(before, layer, shape)
            before = layer
        return (shape,)

    @override
    def batch_shapes(self, batch: int, steps: int | None) -> Shapes:
        (shape,) = self.input_shapes
        if steps is None or len(shape) < 2 or (len(shape) == 2 and self.input_dtype(0) == self.dtype):
            return super().batch_shapes(batch, steps)
        return ((batch, steps, *shape[2:]),)


def _shape_after(before: Layer | None, layer: Layer, shape: Shape) -> Shape:
    """The shape after a layer; ValueError if it cannot take the shape, which the layer before it has returned."""
    try:
        return layer.output_shapes(shape)[0]
    except ValueError:
        if before is None or not before.returns_last_only:
            raise
        raise ValueError(
            f"layer {before.name!r} returns its last output only, of shape {tuple(shape)}, which layer {layer.name!r} "
            f"cannot take: give {before.name!r} return_sequences=True"
        ) from None
