"""A network: a graph of layers, their weights, and the passes of a batch. It does not know the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

import numpy as np

from numlstm import backend as backends
from numlstm import checks, graph, summary
from numlstm.attributes import CheckedAttributes
from numlstm.graph_executor import GraphExecutor
from numlstm.kernels import Array, Backend, RecurrentUse, SampledClasses, Version
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer, Shape, automatic_name
from numlstm.layers.recurrent.sequence import SequenceLayer
from numlstm.layers.symbol import Call, Symbol
from numlstm.messages import a, listed, quoted
from numlstm.parameters import Buffers, join
from numlstm.plan import Recurrence

__all__ = ["Network", "NotBuiltError", "Shapes", "named_model"]

Shapes = tuple[Shape, ...]


class NotBuiltError(ValueError, AttributeError):
    """The model is not built. As an AttributeError, it makes `hasattr(model, "input_shape")` false, as in Keras."""


class Network(CheckedAttributes):
    """A graph of layers between inputs and outputs.

    Other networks may use the same layers. The weights lie in the buffers of the network that trained last.

    Args:
        inputs: The inputs: a symbol, a list of symbols, or a dict of them.
        outputs: The outputs: what layers returned that were called with the inputs, or with each other's outputs.
        name: Name of the network; None: an automatic name.

    Raises:
        TypeError: If inputs or outputs are not symbols.
        ValueError: If an output needs another input, or names or dtypes of layers do not go together.
    """

    fitting = False
    """Whether a training runs, which no other network may disturb."""
    inputs: list[Symbol]
    outputs: list[Symbol]
    calls: list[Call]
    """The uses of the layers, in an order in which they can run."""
    layers: list[Layer]
    _input_keys: list[str] | None = None
    _output_keys: list[str] | None = None
    _backend: Backend | None = None
    _buffers: Buffers | None = None

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        self.name = named_model(self, name)
        self.inputs, self._input_keys = graph.symbols_of(inputs, "inputs")
        self.outputs, self._output_keys = graph.symbols_of(outputs, "outputs")
        if len(set(self.inputs)) < len(self.inputs):
            raise ValueError("inputs of a model must differ: the same Input stands in it twice")
        named = [symbol.name for symbol in self.inputs if isinstance(symbol, Input)]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"the model has two inputs named {twice[0]!r}: give one of them another name")
        self.calls = graph.calls_between(self.inputs, self.outputs)
        self.layers = graph.members_of(self.calls)
        self._readers: dict[Symbol, list[Layer]] = {}
        for call in self.calls:
            for symbol in dict.fromkeys(call.inputs):
                self._readers.setdefault(symbol, []).append(call.layer)
        self._check_ids()
        if not self.layers:
            raise ValueError("the model has no layers: its outputs are its inputs")
        for layer in self.layers:
            if isinstance(layer.owner, Layer):
                raise ValueError(f"layer {layer.name!r} is wrapped by layer {layer.owner.name!r}: use that one")
        self._complete = True

    def _check_ids(self) -> None:
        """Raise ValueError if an input is read as ids and as numbers."""
        for index, symbol in enumerate(self.inputs):
            takes_ids = [layer.name for layer in self.readers(index) if layer.input_dtype == "int64"]
            others = [layer.name for layer in self.readers(index) if layer.input_dtype != "int64"]
            if takes_ids and (others or symbol in self.outputs):
                other = f"layer {others[0]!r}" if others else "an output"
                raise ValueError(
                    f"the input {graph.name_of(symbol)!r} is read as ids by layer {takes_ids[0]!r}, and as numbers by "
                    f"{other}: give each an Input of its own"
                )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __reduce__(self) -> NoReturn:
        kind = a(type(self).__name__)
        raise TypeError(f"{kind} can be neither copied nor pickled, as a class of your own: use save and load_model")

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Find a layer by its name or its index.

        Raises:
            ValueError: If there is no such layer, or not exactly one of name and index is given.
            TypeError: If the index is not an integer.
        """
        if (name is None) == (index is None):
            raise ValueError("give the layer's name or its index, one of both")
        if index is not None:
            if checks.integer(index, "index", least=0) >= len(self.layers):
                raise ValueError(f"index must be below {len(self.layers)}, the number of layers, not {index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = listed(layer.name for layer in self.layers)
        raise ValueError(f"the model has no layer named {quoted(name)}, but {names}")

    def reset_states(self) -> None:
        """Clear the memories of all stateful layers. The next batch may have any size."""
        for layer in self.layers:
            if isinstance(layer, SequenceLayer):
                layer.reset_states()

    # Weights

    @property
    def built(self) -> bool:
        """Whether the model has weights."""
        return bool(self.calls)

    @property
    def buffers(self) -> Buffers:
        """The flat buffers of all weights and gradients; ValueError before the model is built.

        If another network has taken the weights of some layers into its buffers, they are moved here again.

        Raises:
            ValueError: Also if a training of that network runs.
        """
        self._require_built()
        now = self._buffers
        if now is None or self.versions != [now.version]:
            now = self._join(self.backend)
        return now

    @property
    def versions(self) -> list[Version]:
        """The versions of the weights: one, if all weights lie in common buffers."""
        return list(dict.fromkeys(layer.parameters.buffers.version for layer in self.layers))

    def _require_built(self) -> None:
        if not self.built:
            raise NotBuiltError("the model has no weights yet: build it, or give its first layer an input_shape")

    @property
    def backend(self) -> Backend:
        """The backend that the model computes on. If the layers are on several, they are moved to the first one's."""
        if not self.built:
            self._backend = self._backend or backends.load()
            return self._backend
        first = self.layers[0].backend
        if any(layer.backend is not first for layer in self.layers):
            self._join(first)
        return first

    @property
    def backend_name(self) -> str:
        """The name of the backend: "cpu" or "cuda"."""
        return backends.name_of(self.backend)

    def move(self, backend: Backend) -> None:
        """Move the weights to this backend, and compute on it from now on."""
        if self.built and any(layer.backend is not backend for layer in self.layers):
            self._join(backend)
        self._backend = backend

    def count_params(self) -> int:
        """The number of weights."""
        self._require_built()
        return sum(layer.count_params() for layer in self.layers)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, layer by layer, in Keras' order."""
        self._require_built()
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite all weights.

        Args:
            weights: In the order and the shapes of `get_weights`.

        Raises:
            ValueError: If the number of weights or a shape differs. No weight is changed then.
            TypeError: If a weight does not hold real numbers. No weight is changed then.
        """
        self._require_built()
        counts = [len(layer.parameters.shapes) for layer in self.layers]
        checks.several(weights, "weights")
        if len(weights) != sum(counts):
            raise ValueError(f"the model has {sum(counts)} weights, but {len(weights)} were given")
        rest = iter(weights)
        shares = [list(islice(rest, count)) for count in counts]
        checked = [layer.check_weights(share) for layer, share in zip(self.layers, shares, strict=True)]
        for layer, share in zip(self.layers, checked, strict=True):
            layer.parameters.set_values(share)

    @property
    def trainable(self) -> bool:
        """Always True. Setting it to False raises ValueError, because all layers are trained."""
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value is not True:
            raise ValueError(f"trainable of a model cannot be {quoted(value)}: all layers of a model are trained")

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print the layers with their output shapes and numbers of weights, or "unbuilt".

        Args:
            print_fn: Called with the text.
        """
        inputs = list(zip(self.input_names, self.inputs, strict=True))
        print_fn(summary.text_of(self.name, inputs, self.calls, self.layers))

    @property
    def last_buffers(self) -> Buffers | None:
        """The buffers of the last training of this network, even if another one has taken the weights since."""
        return self._buffers

    @property
    def revisions(self) -> list[int]:
        """How often the arguments of each layer have changed."""
        return [layer.revision for layer in self.layers]

    def _check_free(self) -> None:
        """Raise ValueError if another network trains some of the layers."""
        for layer in self.layers:
            if isinstance(layer.owner, Network) and layer.owner.fitting and layer.owner is not self:
                raise ValueError(
                    f"layer {layer.name!r} is being trained by model {layer.owner.name!r}: train this one afterwards"
                )

    def _join(self, backend: Backend) -> Buffers:
        """Move the weights of all layers to new common buffers."""
        self._check_free()
        before, parts = self._buffers, [layer.parameters for layer in self.layers]
        # Values and gradients.
        checks.fits(2 * sum(part.size for part in parts) * np.dtype(self.dtype).itemsize, f"model {self.name!r}")
        versions = self.versions
        now = self._buffers = join(backend, parts)
        for version in versions:
            version.advance()  # Open streams then notice that the weights have moved.
        self._weights_moved(before, now)
        for layer in self.layers:
            layer.owner = self
            layer.reattach()
        return now

    def layer_changed(self) -> None:
        """Called after an argument of a layer has changed; ValueError if the others do not fit it, or fit runs."""
        if self.fitting:
            raise ValueError("a layer cannot be changed while fit runs: set stop_training, and change it after fit")
        if self.built:
            self._follow_change()
            self._weights_moved(None, self.buffers)

    def _follow_change(self) -> None:
        """Check the shapes after an argument of a layer has changed."""
        shapes = graph.shapes_in(self.calls, self.inputs, self.input_shapes)
        if changed := [symbol for symbol, shape in shapes.items() if symbol.shape != shape]:
            raise ValueError(
                f"the output of layer {graph.name_of(changed[0])!r} would have another shape, which the model "
                f"{self.name!r} has not: make the layers and the model anew"
            )

    def _weights_moved(self, before: Buffers | None, now: Buffers) -> None:
        """Called after the weights have moved from the buffers `before` to `now`; before is None for new weights."""

    # Shapes

    @property
    def dtype(self) -> str:
        """The dtype of the layers."""
        return self.layers[0].dtype

    @property
    def input(self) -> Symbol | list[Symbol] | dict[str, Symbol]:
        """The symbol of the input, or a list or a dict of symbols; ValueError before the model is built."""
        self._require_built()
        return graph.as_given(self.inputs, self._input_keys)

    @property
    def output(self) -> Symbol | list[Symbol] | dict[str, Symbol]:
        """The symbol of the output, or a list or a dict of symbols; ValueError before the model is built."""
        self._require_built()
        return graph.as_given(self.outputs, self._output_keys)

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, by which dicts of data are read."""
        return self._input_keys or graph.output_names(self.inputs)

    @property
    def takes_dict(self) -> bool:
        """Whether the network was made with a dict of inputs."""
        return self._input_keys is not None

    @property
    def gives_dict(self) -> bool:
        """Whether the network was made with a dict of outputs, and so predicts one."""
        return self._output_keys is not None

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: those of their layers, or the keys of the dict of outputs."""
        return self._output_keys or graph.output_names(self.outputs)

    def readers(self, index: int) -> list[Layer]:
        """The layers that read an input, except as a state."""
        return self._readers.get(self.inputs[index], [])

    def input_dtype(self, index: int) -> str:
        """The dtype of an input: that of the layers, or "int64" for ids."""
        return "int64" if any(layer.input_dtype == "int64" for layer in self.readers(index)) else self.dtype

    def check_input(self, index: int, values: Any, name: str) -> np.ndarray:
        """Convert values to an array of an input's dtype. Other arguments and errors as for `Layer.check_input`."""
        readers = self.readers(index)
        array = readers[0].check_input(values, name) if readers else checks.numbers(values, name, self.dtype)
        for layer in readers[1:]:
            array = layer.check_input(array, name)
        return array

    @property
    def input_shapes(self) -> Shapes:
        """The shapes of the inputs, batch first; NotBuiltError before the model is built."""
        self._require_built()
        return tuple(symbol.shape for symbol in self.inputs)

    @property
    def input_shape(self) -> Any:
        """The shape of the input, batch first, or a list of shapes; ValueError before the model is built."""
        shapes = self.input_shapes
        return shapes[0] if len(shapes) == 1 else list(shapes)

    @property
    def output_shape(self) -> Any:
        """The shape of the output, batch first, or a list of shapes; ValueError before the model is built."""
        shapes = self.compute_output_shapes(self.input_shapes)
        return shapes[0] if len(shapes) == 1 else list(shapes)

    def compute_output_shapes(self, input_shapes: Shapes) -> Shapes:
        """The shapes of the outputs for inputs of these shapes; ValueError if a layer cannot take its input."""
        shapes = graph.shapes_in(self.calls, self.inputs, input_shapes)
        return tuple(shapes[symbol] for symbol in self.outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, or a list of shapes, for an input of this shape or inputs of a list of shapes."""
        several = len(self.inputs) > 1
        shapes = self.compute_output_shapes(tuple(input_shape) if several else (input_shape,))
        return shapes[0] if len(shapes) == 1 else list(shapes)

    def batch_shapes(self, batch: int, steps: int | None) -> Shapes:
        """The shapes of the inputs for this number of rows, and of steps where the length of sequences is open.

        Raises:
            ValueError: If a length is open, and `steps` is None.
        """
        given = self.input_shapes
        if steps is None and any(None in shape[1:2] for shape in given):
            raise ValueError("the model takes sequences of any length: say by steps (--steps) for how many to plan")
        return tuple((batch, *(steps if size is None else size for size in shape[1:2]), *shape[2:]) for shape in given)

    def recurrences(self, input_shapes: Shapes) -> list[Recurrence]:
        """The recurrences of all layers in training, for inputs of these shapes."""
        shapes = graph.shapes_in(self.calls, self.inputs, input_shapes)
        return [each for call in self.calls for each in call.layer.recurrences(graph.shape_for(call, shapes))]

    # One batch

    def new_executor(
        self,
        x: Sequence[Array],
        training: bool,
        dx: Sequence[Array | None] | None = None,
        sampled: Mapping[int, SampledClasses] | None = None,
    ) -> GraphExecutor:
        """Bind the layers to the arrays of one batch.

        Args:
            x: The arrays of the inputs, batch-major and contiguous.
            training: Whether `backward` computes the gradients of the weights, and dropout is active.
            dx: Receive the gradients of x in `backward`; None if they are not needed.
            sampled: By the numbers of outputs that are computed for sampled classes only: these classes.

        Raises:
            ValueError: If one of these outputs is not that of a Dense layer without activation, or is read elsewhere.
        """
        of_symbols = {self.outputs[number]: classes for number, classes in (sampled or {}).items()}
        for symbol in of_symbols:
            self._check_sampled(symbol)
        return GraphExecutor(self.calls, self.inputs, self.outputs, x, dx or [None] * len(x), training, of_symbols)

    def _check_sampled(self, symbol: Symbol) -> None:
        source = next((call.layer for call in self.calls if symbol in call.outputs), None)
        readers = [call for call in self.calls if symbol in (*call.inputs, *call.states)]
        if source is None or not source.samples_classes or readers or self.outputs.count(symbol) > 1:
            found = "an input" if source is None else f"layer {source.name!r}"
            raise ValueError(
                "a loss that samples classes takes the output of a Dense layer without activation that nothing else "
                f"reads, not that of {found}: end with one, or use SparseCategoricalCrossentropy"
            )

    def kernels_used(self) -> list[str | RecurrentUse]:
        """The contract's functions that a training pass calls, as arguments of `Backend.prepare`."""
        used: list[str | RecurrentUse] = []
        with_gradient: set[Symbol] = set()
        for call in self.calls:
            with_dx = not with_gradient.isdisjoint((*call.inputs, *call.states))
            used += call.layer.kernels_used(with_dx)
            if with_dx or call.layer.parameters.shapes:
                with_gradient.update(call.outputs)
        is_chain = all(call.inputs == before.outputs for before, call in zip(self.calls, self.calls[1:], strict=False))
        return used if is_chain else [*used, "add", "clear", "copy_each"]


def named_model(network: Network, name: str | None) -> str:
    """The name of a network: the one given, or an automatic one."""
    automatic = automatic_name(type(network).__name__.lower()) if name is None else name
    return checks.printable_name(automatic, "a model's name")
