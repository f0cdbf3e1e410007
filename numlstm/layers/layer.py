"""What all layers share: a name, parameters, and the way from a user's arrays to a pass of the kernels and back."""

from __future__ import annotations

import copy
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Self

import numpy as np

from numlstm import backend as backends
from numlstm import checks, seeds
from numlstm.kernels import Array, Backend, RecurrentUse
from numlstm.layers.arguments import refuse
from numlstm.parameters import Parameters
from numlstm.plan import Recurrence
from numlstm.regularizers import Regularizer

__all__ = ["Layer", "Shape", "automatic_name", "sizes"]

Shape = tuple[int | None, ...]
"""A shape whose first axis is the batch; None where any size will do."""

_counts: Counter[str] = Counter()
_build_lock = threading.RLock()


def automatic_name(kind: str) -> str:
    """Keras' automatic names: lstm, lstm_1, lstm_2, ..."""
    count = _counts[kind]
    _counts[kind] += 1
    return f"{kind}_{count}" if count else kind


class Layer:
    """The base of all layers.

    `layer(x)` computes and writes nothing to the layer, so several threads may share one. For training,
    `layer.forward(x, training=True)` keeps what `layer.backward(dy)` needs, and `layer.gradients()` gives its result.

    Args:
        name: Unique in a model; None for an automatic one.
        dtype: "float32" (None means that) or "float64".
        input_shape: The shape of one sample, None where any size will do; a model then builds at once.
        others: Arguments that a layer of Keras may have, and this one has not.
    """

    wrapped: tuple[Layer, ...] = ()
    """The layers that this one consists of."""
    seed: int | None = None
    """The seed of the layer's dropout; None where nothing is dropped."""
    step = 0
    """How many passes in training have dropped something: with the seed, it decides what the next one drops."""

    def __init__(
        self, name: str | None, dtype: Any, input_shape: Sequence[int | None] | None, others: Mapping[str, Any]
    ) -> None:
        refuse(others, type(self).__name__)
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ValueError(f"a layer's name must be a non-empty string without '/', not {name!r}")
        self.dtype = checks.float_dtype(dtype)
        self.input_shape: Shape | None = None if input_shape is None else (None, *sizes(input_shape, "input_shape"))
        self.name = name if name is not None else automatic_name(_snake_case(type(self).__name__))
        self.owner: object | None = None
        """The model that the layer belongs to."""
        self._parameters: Parameters | None = None
        self._training: Any = None
        self._forwarded = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    # What each kind of layer gives.

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output for an input of the given shape; ValueError if the layer cannot take it."""
        raise NotImplementedError

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """The shapes of the variables, by name, in `get_weights` order."""
        self.compute_output_shape(input_shape)
        return {}

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, as JSON can hold them."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: Mapping[str, Any], make: Callable[[Any], Layer] | None = None) -> Self:
        """A layer from what `get_config` gave.

        Args:
            config: The arguments by name.
            make: Makes a layer that this one wraps from its entry in the arguments; None: by this method of its class.

        Raises:
            ValueError, TypeError: As for making the layer: an initializer of your own, say, is not in its arguments.
        """
        return cls(**config)

    def functions(self, with_dx: bool) -> Sequence[str | RecurrentUse]:
        """What a training step calls of the contract, with or without the gradient of the input."""
        return []

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> Any:
        """Allocate a `Pass`, whose arguments these are."""
        raise NotImplementedError

    def new_step(self, x: Array) -> Any:
        """Allocate a `Step` that reads `x`, [B, F]; ValueError if the layer cannot work step by step."""
        raise ValueError(f"layer {self.name!r} cannot be streamed: a {type(self).__name__} does not work step by step")

    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        """Draw the initial weights."""
        return []

    def _bind(self, parameters: Parameters) -> None:
        """Take hold of the parameters' views, which have just come to be or have moved."""

    @property
    def trainable(self) -> bool:
        """Always True: to set it to False is a ValueError, for the layer would learn all the same."""
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value is not True:
            raise ValueError(f"trainable of layer {self.name!r} cannot be {value!r}: all layers of a model are trained")

    @property
    def outputs(self) -> int:
        """How many arrays calling the layer gives."""
        return 1

    @property
    def regularized(self) -> list[tuple[str, Regularizer]]:
        """The variables that add to the loss, by name, and how."""
        return []

    @property
    def kernel_path(self) -> str | None:
        """The kernels that the last forward pass in training ran on, where a layer has several to choose from."""
        return None

    @property
    def masks(self) -> bool:
        """Whether it makes a mask, whatever comes in."""
        return False

    def cells(self, input_shape: Shape) -> list[Recurrence]:
        """The layer's recurrences in training, for an input of this shape."""
        return []

    @property
    def input_dtype(self) -> str:
        """What the input consists of: numbers of the layer's dtype, or "int64" for ids."""
        return self.dtype

    def check_input(self, values: Any, name: str) -> np.ndarray:
        """Values as an array of the input's dtype, copied only where they are none yet; of any shape.

        Args:
            values: What is to go into the layer.
            name: What they are called, for the message.

        Raises:
            TypeError: If they are not real numbers.
            ValueError: If one is none that the layer can take.
        """
        return checks.numbers(values, name, self.dtype)

    def open_shape(self, shape: Shape) -> Shape:
        """The shape to build for when data come first: of a sequence they fix the features, but not the length."""
        return (None, None, shape[2]) if len(shape) == 3 else (None, *shape[1:])

    def _draw_seed(self, seed: Any, rate: float) -> None:
        """Take the seed for dropout at this rate; None: a new one, where something is dropped."""
        if seed is not None:
            self.seed = checks.integer(seed, "seed", least=0) % 2**64
        elif rate:
            self.seed = seeds.draw()

    def next_step(self) -> int:
        """The number of a pass in training that drops something."""
        self.step = self.step + 1 & 0xFFFFFFFF
        return self.step

    # Parameters.

    @property
    def built(self) -> bool:
        """Whether the layer has weights yet."""
        return self._parameters is not None

    @property
    def parameters(self) -> Parameters:
        """The layer's variables; ValueError before the layer is built."""
        if self._parameters is None:
            raise ValueError(f"layer {self.name!r} has no weights yet: build it, or use it once")
        return self._parameters

    @property
    def backend(self) -> Backend:
        """Where the layer computes."""
        return self.parameters.buffers.backend

    @property
    def output_shape(self) -> Shape:
        """The output's shape, batch first; ValueError before the input's is known."""
        if self.input_shape is None:
            raise ValueError(f"layer {self.name!r} does not know the shape of its input yet")
        return self.compute_output_shape(self.input_shape)

    def build(self, input_shape: Shape, weights: Sequence[Any] | None = None, backend: Backend | None = None) -> None:
        """Create the weights. A layer that has been built already only checks the shape, and takes those given.

        Args:
            input_shape: Batch first, None where any size will do.
            weights: The weights to begin with, as for `set_weights`; None draws them from the initializers.
            backend: Where they live; None for the one that `device="auto"` takes.

        Raises:
            ValueError: If the shape cannot be the layer's input, or the weights do not fit it.
            TypeError: If the shape is none.
        """
        input_shape = tuple(sizes(input_shape, "input_shape", least=0))
        with _build_lock:
            shapes = self.variable_shapes(input_shape)
            if self._parameters is not None:
                if shapes != self._parameters.shapes:
                    raise ValueError(
                        f"layer {self.name!r} was built for {self.input_shape} and cannot take {input_shape}"
                    )
                self.input_shape = input_shape
                if weights is not None:
                    self.set_weights(weights)
                return
            initial = self.initial_values(shapes) if weights is None else weights
            values = self._fitting(initial, shapes)
            parameters = Parameters(backend or backends.load(), self.dtype, shapes)
            parameters.set_values(values)
            self._bind(parameters)
            self.input_shape = input_shape
            self._parameters = parameters

    def rebind(self, parameters: Parameters | None = None) -> None:
        """Follow the parameters to the buffers that they have been moved to; or take hold of those given."""
        self._parameters = parameters or self.parameters
        self._bind(self._parameters)
        self._training, self._forwarded = None, False

    def copy(self, name: str) -> Self:
        """A layer with the same arguments but the name, not yet built."""
        twin = copy.copy(self)
        twin.name, twin.owner, twin._parameters, twin._training, twin._forwarded = name, None, None, None, False
        return twin

    def count_params(self) -> int:
        """The number of weights."""
        return sum(prod(shape) for shape in self.parameters.shapes.values())

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights, in Keras' order."""
        return self.parameters.values()

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite the weights.

        Args:
            weights: In the order and the shapes of `get_weights`.

        Raises:
            ValueError: If number or shapes differ; nothing has been changed then.
            TypeError: If one does not hold real numbers; likewise.
        """
        self.parameters.set_values(self.check_weights(weights))

    def check_weights(self, weights: Sequence[Any]) -> list[np.ndarray]:
        """The weights as `set_weights` would set them. Arguments and errors as there."""
        return self._fitting(weights, self.parameters.shapes)

    def gradients(self) -> list[np.ndarray]:
        """Copies of the weights' gradients in `get_weights` order, as the last `backward` left them."""
        return self.parameters.gradients()

    def _fitting(self, weights: Sequence[Any], shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        checks.several(weights, f"the weights of layer {self.name!r}")
        if len(weights) != len(shapes):
            raise ValueError(
                f"layer {self.name!r} has {len(shapes)} weights ({', '.join(shapes)}), but {len(weights)} were given"
            )
        arrays = []
        for value, (name, shape) in zip(weights, shapes.items(), strict=True):
            array = checks.numbers(value, f"{self.name}/{name}", self.dtype)
            if array.shape != shape:
                raise ValueError(f"{self.name}/{name} must have shape {shape}, not {array.shape}")
            arrays.append(array)
        return arrays

    # From a user's arrays to a pass and back.

    def __call__(self, x: Any, *, training: bool = False) -> Any:
        """Compute the output; the layer is built first when needed.

        Args:
            x: The input, batch-major.
            training: False: it is `forward` that trains.

        Raises:
            ValueError: If its shape does not fit, or `training` is set.
            TypeError: If it does not hold real numbers.
        """
        if training:
            raise self._not_called_for_training()
        return self._infer(self.new_pass(self._input(x), None, None, training=False))

    def forward(self, x: Any, training: bool = False) -> Any:
        """Compute the output and, if training, keep what `backward` needs.

        Args:
            x: The input, batch-major. It is not copied: leave it as it is until `backward` has run.
            training: Whether `backward` will follow.

        Raises:
            ValueError, TypeError: As for calling the layer.
        """
        if not training:
            return self(x)
        array = self._input(x)
        run = self._training_pass(array)
        run.read(array)
        run.forward()
        self._forwarded = True
        return self._result(run)

    def backward(self, dy: Any) -> np.ndarray | None:
        """Compute the gradients of the input, which are returned, and of the weights.

        Args:
            dy: The gradient of the output that the last `forward(training=True)` gave.

        Returns:
            The gradient of the input; None for ids, which have none.

        Raises:
            ValueError: If no forward pass waits for this, or the shape does not fit.
            TypeError: If `dy` does not hold real numbers.
        """
        return self._backpropagate(self._waiting_pass(), dy)

    def _input(self, x: Any) -> Array:
        """The input as a contiguous array of the backend, checked; builds the layer when needed."""
        array = self.check_input(x, f"the input of layer {self.name!r}")
        self.compute_output_shape(array.shape)
        if not self.built:
            self.build(self.open_shape(array.shape))
        return self.backend.asarray(array, self.input_dtype)

    def _not_called_for_training(self) -> ValueError:
        return ValueError(f"layer {self.name!r} infers when it is called: to train, use forward(x, training=True)")

    def _infer(self, run: Any) -> Any:
        """The output of a pass that runs but once."""
        run.forward()
        return self._result(run, copied=False)

    def _result(self, run: Any, copied: bool = True) -> Any:
        """The output of a pass on the host, in memory that is neither the input's nor, if copied, the pass' own."""
        y = self.backend.to_host(run.y)
        shared = isinstance(run.x, np.ndarray) and np.may_share_memory(y, run.x)
        return np.array(y) if copied or shared else y

    def _training_pass(self, x: Array) -> Any:
        """The pass for inputs of this shape, allocated at the first."""
        self._forwarded = False
        if self._training is None or self._training.x.shape != x.shape:
            dx = self.backend.empty(x.shape, self.dtype) if self.input_dtype == self.dtype else None
            self._training = self.new_pass(x, dx, None, training=True)
        return self._training

    def _waiting_pass(self) -> Any:
        """The pass that the last `forward` left for `backward`."""
        if not self._forwarded:
            raise ValueError(f"layer {self.name!r}: backward needs a forward(x, training=True) of its own before it")
        return self._training

    def _backpropagate(self, run: Any, dy: Any) -> Any:
        self._take_gradients(run, dy)
        self._forwarded = False
        run.backward()
        return self._input_gradient(run)

    def _input_gradient(self, run: Any) -> np.ndarray | None:
        """What a backward pass left for x, on the host and in memory of its own."""
        return None if run.dx is None else np.array(self.backend.to_host(run.dx))

    def _take_gradients(self, run: Any, dy: Any) -> None:
        """Bring the gradient of the output in."""
        self.backend.copy(run.dy, self._output_gradient(dy, "dy", run.y.shape))

    def _output_gradient(self, values: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
        gradient = checks.numbers(values, name, self.dtype)
        if gradient.shape != tuple(shape):
            raise ValueError(f"{name} must have the output's shape {tuple(shape)}, not {gradient.shape}")
        return gradient


def _snake_case(name: str) -> str:
    """SimpleRNN to simple_rnn, as Keras does it."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def sizes(shape: Any, name: str, least: int = 1) -> list[int | None]:
    """The sizes of a shape, checked.

    Raises:
        TypeError: If it is no sequence of integers and None.
        ValueError: If a size is below `least`.
    """
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise TypeError(f"{name} must be a tuple such as (10, 1), not {shape!r}")
    return [None if size is None else checks.integer(size, f"each size in {name}", least) for size in shape]
