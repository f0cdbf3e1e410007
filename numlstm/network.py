"""A network: layers, their weights, and the forward and backward pass of a batch. It does not know the optimizer.

The layers are a chain. To run a batch, make a `NetworkExecutor`, which has an input and an output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, NoReturn

import numpy as np

from numlstm import backend as backends
from numlstm import checks, summary
from numlstm.attributes import CheckedAttributes
from numlstm.kernels import Array, Backend, RecurrentUse
from numlstm.layers.executor import Executor
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer, Shape, automatic_name, sizes
from numlstm.layers.recurrent.sequence import SequenceLayer
from numlstm.messages import a, listed, quoted
from numlstm.parameters import Buffers, join
from numlstm.plan import Recurrence

__all__ = ["Network", "NetworkExecutor", "NotBuiltError"]


class NotBuiltError(ValueError, AttributeError):
    """The model is not built. As an AttributeError, it makes `hasattr(model, "input_shape")` false, as in Keras."""


class Network(CheckedAttributes):
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
        self.name = checks.printable_name(name or automatic_name(type(self).__name__.lower()), "a model's name")
        self.layers: list[Layer] = []
        self._names: set[str] = set()
        self._backend: Backend | None = None
        self._buffers: Buffers | None = None
        self._input: Input | None = None
        if layers is not None and not isinstance(layers, Iterable):
            raise TypeError(f"layers must be a list of layers, not {quoted(layers)}")
        for layer in layers or ():
            self.add(layer)
        self._complete = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __reduce__(self) -> NoReturn:
        kind = a(type(self).__name__)
        raise TypeError(f"{kind} can be neither copied nor pickled, as a class of your own: use save and load_model")

    # Layers

    def add(self, layer: Layer | Input) -> None:
        """Append a layer, or set the input shape of the first layer by an `Input`.

        Raises:
            TypeError: If `layer` is neither a layer nor an `Input`.
            ValueError: If the layer belongs to a model already, has several outputs, or its name, dtype or input shape
                does not fit the layers before it; or if an `Input`, or a layer that takes ids, is not the first.
        """
        if isinstance(layer, Input):
            if self.layers or self._input is not None:
                raise ValueError("an Input must come first, and once")
            self._input = layer
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"a model consists of layers, not of {quoted(layer)}")
        if layer.owner is not None:
            raise ValueError(f"layer {layer.name!r} belongs to a model already: make a layer for each")
        if layer.name in self._names:
            raise ValueError(f"the model has a layer named {layer.name!r} already")
        if self.layers and layer.dtype != self.dtype:
            raise ValueError(f"layer {layer.name!r} is {layer.dtype}, but the model is {self.dtype}")
        if self.layers and layer.input_dtype != layer.dtype:
            raise ValueError(f"layer {layer.name!r} takes ids, which no layer outputs: it must be the model's first")
        if layer.outputs > 1:
            raise ValueError(
                f"layer {layer.name!r} has {layer.outputs} outputs, but a Sequential takes single outputs only: leave "
                "out return_state=True and merge_mode=None"
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
            self._join(self.backend)

    def pop(self) -> Layer:
        """Remove the last layer with its weights, and return it.

        Raises:
            ValueError: If there is no layer.
        """
        if not self.layers:
            raise ValueError("the model has no layers")
        layer = self.layers.pop()
        self._names.discard(layer.name)
        layer.owner = None
        if self._buffers is not None:
            backend = self.backend
            join(backend, [layer.parameters])
            layer.reattach()
            self._buffers.version.advance()
            self._buffers = None
            if self.layers:
                self._join(backend)
        return layer

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
        self.compute_output_shape(shape)
        for layer in self.layers:
            count = len(layer.variable_shapes(shape))
            layer.build(shape, None if rest is None else rest[:count], backend)
            rest = None if rest is None else rest[count:]
            shape = layer.compute_output_shape(shape)
        if rest:
            given = len(weights or ())
            raise ValueError(f"the model has {given - len(rest)} weights, but {given} were given")
        self._join(backend)

    def build_for(self, shape: Shape) -> None:
        """Build for data of this shape. The length of sequences stays open unless a layer needs it."""
        wanted = self.layers[0].open_shape(shape)
        try:
            self.compute_output_shape(wanted)
        except ValueError:
            wanted = (None, *shape[1:])
        self.build(wanted)

    @property
    def built(self) -> bool:
        """Whether the model has weights."""
        return self._buffers is not None

    @property
    def buffers(self) -> Buffers:
        """The flat buffers of all weights and gradients; ValueError before the model is built."""
        if self._buffers is None:
            raise NotBuiltError("the model has no weights yet: build it, or give its first layer an input_shape")
        return self._buffers

    @property
    def backend(self) -> Backend:
        """The backend that the model computes on."""
        if self._backend is None:
            self._backend = backends.load()
        return self._backend

    @property
    def backend_name(self) -> str:
        """The name of the backend: "cpu" or "cuda"."""
        return backends.name_of(self.backend)

    def move(self, backend: Backend) -> None:
        """Move the weights to this backend, and compute on it from now on."""
        if self.built and backend is not self._backend:
            self._join(backend)
        self._backend = backend

    def count_params(self) -> int:
        """The number of weights."""
        assert self.buffers
        return sum(layer.count_params() for layer in self.layers)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, layer by layer, in Keras' order."""
        assert self.buffers
        return [weight for layer in self.layers for weight in layer.get_weights()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite all weights.

        Args:
            weights: In the order and the shapes of `get_weights`.

        Raises:
            ValueError: If the number of weights or a shape differs. No weight is changed then.
            TypeError: If a weight does not hold real numbers. No weight is changed then.
        """
        assert self.buffers
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
        print_fn(summary.text_of(self.name, self.layers))

    def _first_shape(self, layer: Layer) -> Shape | None:
        """The input shape for the first layer, from the `Input` or the layer; None if it is not known."""
        given = None if self._input is None else self._input.shape
        if given is not None and layer.input_shape not in (None, given):
            raise ValueError(f"layer {layer.name!r} has input_shape {layer.input_shape}, but the Input has {given}")
        return given or layer.input_shape

    def _join(self, backend: Backend) -> None:
        """Move the weights of all layers to new common buffers."""
        before, parts = self._buffers, [layer.parameters for layer in self.layers]
        # Values and gradients.
        checks.fits(2 * sum(part.size for part in parts) * np.dtype(self.dtype).itemsize, f"model {self.name!r}")
        self._buffers = join(backend, parts)
        if before is not None:
            before.version.advance()  # Open streams then notice that the weights have moved.
        self._weights_moved(before, self._buffers)
        for layer in self.layers:
            layer.reattach()

    def layer_changed(self) -> None:
        """Called after an argument of a layer has changed; ValueError if the other layers do not fit it."""
        if self._buffers is not None:
            self.compute_output_shape(self.input_shape)
            self._weights_moved(None, self._buffers)

    def _weights_moved(self, before: Buffers | None, now: Buffers) -> None:
        """Called after the weights have moved from the buffers `before` to `now`; before is None for new weights."""

    # Shapes

    @property
    def dtype(self) -> str:
        """The dtype of the layers."""
        return self.layers[0].dtype

    @property
    def input_dtype(self) -> str:
        """The dtype of the input: that of the layers, or "int64" for ids."""
        return self.layers[0].input_dtype

    def check_input(self, values: Any, name: str) -> np.ndarray:
        """Convert values to an array of the input's dtype. Arguments and errors as for `Layer.check_input`."""
        return self.layers[0].check_input(values, name)

    @property
    def input_shape(self) -> Shape:
        """The shape of the input, batch first; NotBuiltError before the model is built."""
        assert self.buffers
        return self.layers[0].input_shape or ()

    @property
    def given_input_shape(self) -> Shape | None:
        """The shape of the `Input` that was added first, batch first; None without one."""
        return None if self._input is None else self._input.shape

    @property
    def output_shape(self) -> Shape:
        """The shape of the output, batch first; ValueError before the model is built."""
        return self.compute_output_shape(self.input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output for an input of this shape; ValueError if a layer cannot take it."""
        before: Layer | None = None
        for layer in self.layers:
            input_shape = _shape_after(before, layer, input_shape)
            before = layer
        return input_shape

    def recurrences(self, batch: int, steps: int) -> list[Recurrence]:
        """The recurrences of all layers in training, for a batch of this number of rows and steps."""
        given = self.input_shape
        has_steps = len(given) > 2 or (len(given) == 2 and self.input_dtype != self.dtype)
        shape: Shape = (batch, steps, *given[2:]) if has_steps else (batch, *given[1:])
        found = []
        for layer in self.layers:
            found += layer.recurrences(shape)
            shape = layer.compute_output_shape(shape)
        return found

    # One batch

    def new_executor(self, x: Array, training: bool, dx: Array | None = None) -> NetworkExecutor:
        """Bind the layers to the arrays of one batch.

        Args:
            x: The array of the input, batch-major and contiguous.
            training: Whether `backward` computes the gradients of the weights, and dropout is active.
            dx: Receives the gradient of x in `backward`; None if it is not needed.
        """
        return NetworkExecutor(self.layers, x, training, dx)

    def kernels_used(self) -> list[str | RecurrentUse]:
        """The contract's functions that a training pass calls, as arguments of `Backend.prepare`."""
        used: list[str | RecurrentUse] = []
        with_dx = False
        for layer in self.layers:
            used += layer.kernels_used(with_dx)
            with_dx = with_dx or bool(layer.parameters.shapes)
        return used


def _shape_after(before: Layer | None, layer: Layer, shape: Shape) -> Shape:
    """The shape after a layer; ValueError if it cannot take the shape, which the layer before it has returned."""
    try:
        after: Any = layer.compute_output_shape(shape)
        return after[0] if layer.outputs > 1 else after  # The model goes on with y, and ignores a state.
    except ValueError:
        if before is None or not before.returns_last_only:
            raise
        raise ValueError(
            f"layer {before.name!r} returns its last output only, of shape {tuple(shape)}, which layer {layer.name!r} "
            f"cannot take: give {before.name!r} return_sequences=True"
        ) from None


class NetworkExecutor:
    """A network bound to the arrays of one batch. Each layer's executor reads the output of the previous executor.

    Attributes:
        executors: The executors of the layers, in order.
        y: The output, which `forward` writes.
        dy: The gradient of y, which `backward` reads and may overwrite; None if there is no `backward`.
        mask: [B, T] bool, True where a step of y counts; None: all steps count.
    """

    def __init__(self, layers: Sequence[Layer], x: Array, training: bool, dx: Array | None) -> None:
        self.executors: list[Executor] = []
        mask: Array | None = None
        wanted = dx is not None
        for layer in layers:
            executor: Executor = layer.new_executor(x, dx, mask, training)
            self.executors.append(executor)
            wanted = wanted or (training and bool(layer.parameters.shapes))
            x, dx, mask = executor.y, executor.dy if wanted else None, executor.mask
        self.y, self.dy, self.mask = x, executor.dy, mask

    @property
    def recordable(self) -> bool:
        """Whether `forward` and `backward` call the same kernels with the same arrays each time."""
        return all(executor.recordable for executor in self.executors)

    @property
    def kernel_name(self) -> str | None:
        """The kernel names of the recurrent layers in the last training step; None before the first step."""
        names = dict.fromkeys(name for executor in self.executors if (name := executor.kernel_name))
        return ", ".join(names) or None

    def continue_from(self, before: NetworkExecutor | None) -> None:
        """Use the final states of another executor of the network as initial states; None: zeros."""
        earlier = [None] * len(self.executors) if before is None else before.executors
        for executor, other in zip(self.executors, earlier, strict=True):
            executor.continue_from(other)

    def forward(self) -> None:
        """Compute y and the mask."""
        for executor in self.executors:
            executor.forward()

    def backward(self) -> None:
        """Compute the gradients of the weights in training, and dx if it is not None."""
        for executor in reversed(self.executors):
            executor.backward()
