"""The description of a layer and its parameters. `layer.py` adds executors and the use by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import signature
from math import inf, prod
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from numlstm import backend as backends
from numlstm import checks, missing, seeds
from numlstm.attributes import CheckedAttributes, is_own
from numlstm.kernels import Backend, RecurrentUse, forks
from numlstm.layers.arguments import refuse, split_batch
from numlstm.messages import a, quoted
from numlstm.parameters import Parameters
from numlstm.plan import Recurrence
from numlstm.regularizers import Regularizer
from numlstm.seeds import RandomStream

__all__ = ["LayerBase", "Shape", "automatic_name", "sizes"]

Shape = tuple[int | None, ...]
"""A shape whose first axis is the batch, with None for an axis of any size."""

_counts: Counter[str] = Counter()
_build_lock = forks.lock()


def automatic_name(prefix: str) -> str:
    """The next automatic name with a prefix, as in Keras: lstm, lstm_1, lstm_2, ..."""
    count = _counts[prefix]
    _counts[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


class Owner(Protocol):
    """What a layer belongs to: a model, or a layer that wraps it."""

    def layer_changed(self) -> None:
        """Called after an argument of the layer has changed; ValueError if it must not be so."""


class LayerBase(CheckedAttributes):
    """The description and the parameters of a layer. The arguments are those of `Layer`."""

    set_elsewhere = dict.fromkeys(("name", "dtype"), "give it when the layer is made")
    never_called: ClassVar = {"call": "override new_executor, or compute on the arrays outside of the layer"}

    absent: ClassVar = missing.OF_LAYERS

    reduce_own: ClassVar[Callable[[Any], tuple[Any, ...]] | None] = None
    """How numlstm's own layers are copied and pickled. `numlstm.copies` sets it."""
    several = False
    """Whether the layer takes several arrays. Shapes of its input are tuples of shapes then, one for each array."""
    stateful = False
    """Whether a batch begins with the final state of the previous batch."""
    by_steps = True
    """Whether a step of the output depends on its own step of the input and those before alone."""
    go_backwards = False
    """Whether the layer reads sequences from the last step to the first."""
    seed: int | None = None
    """Seed of the layer's dropout; None if nothing is dropped."""

    def __init__(
        self, name: str | None, dtype: Any, input_shape: Sequence[int | None] | None, others: Mapping[str, Any]
    ) -> None:
        input_shape, batch_size, others = split_batch(input_shape, others)
        refuse(others, type(self))
        if name is not None and "/" in checks.printable_name(name, "a layer's name"):
            raise ValueError(f"a layer's name must be without '/', not {quoted(name)}")
        self.dtype = checks.float_dtype(dtype)
        self.input_shape: Shape | None = None if input_shape is None else (None, *sizes(input_shape, "input_shape"))
        self.name = name if name is not None else automatic_name(checks.snake_case(type(self).__name__))
        self.owner: Owner | None = None
        """The model whose buffers hold the weights, or the layer that wraps this one."""
        self.revision = 0
        """The number of changes of arguments since the layer was made."""
        self.calls: list[Any] = []
        """The uses of the layer in graphs, see `numlstm.layers.symbol`."""
        self.random = RandomStream(self.seed)
        """Random numbers of the layer's dropout."""
        self._parameters: Parameters | None = None
        self.expect_batch(checks.optional_integer(batch_size, "batch_size"))
        self._complete = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __reduce__(self) -> tuple[Any, ...]:
        reduce = type(self).reduce_own
        if reduce is not None and is_own(type(self)):
            return reduce(self)
        kind = a(type(self).__name__)
        raise TypeError(f"{kind} can be neither copied nor pickled, as a class of your own: make another")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. An argument of the layer's class takes effect from the next call on.

        Raises:
            AttributeError: If there is no such attribute, or it cannot be set.
            ValueError, TypeError: If the value is not valid, or weights or other layers do not fit it.
        """
        if name[0] == "_" or not self._complete or name not in vars(self) or name == "input_shape":
            super().__setattr__(name, value)
            return
        kind: Any = type(self)
        own, arguments = _arguments_of(kind)
        if name in arguments:
            self._check_name(name)
            self._change(name, value, own)
        else:
            super().__setattr__(name, value)

    def _change(self, name: str, value: Any, own: type[Any]) -> None:
        """Change an argument of `own`, a class of numlstm's. A layer made anew checks the value as always."""
        arguments = {key: given for key, given in own.get_config(self).items() if given is not None}
        changed = own.from_config(arguments | {name: value})
        if self._parameters is not None and changed.variable_shapes(self.input_shape) != self._parameters.shapes:
            raise ValueError(f"{name} of layer {self.name!r} decides its weights, which exist: make another layer")
        before = dict(vars(self))
        vars(self).update({name: vars(changed)[name], "seed": changed.seed})
        try:
            self._check_calls()
            # Each model that has the layer: the owner, and those that made its calls.
            for model in {id(each): each for each in (self.owner, *(call.chain for call in self.calls))}.values():
                if model is not None:
                    model.layer_changed()
        except ValueError:
            vars(self).update(before)
            raise
        self.random.seed = self.seed
        self.revision += 1
        if self._parameters is not None:
            self.reattach()
            self._parameters.buffers.version.advance()  # Open streams then notice the change.

    def _check_calls(self) -> None:
        """Check that the outputs of the layer's calls in graphs keep their shapes; ValueError if not."""

    def expect_batch(self, size: int | None) -> None:
        """Set the number of rows of each batch of a stateful layer; None: any. Other layers take any number."""
        self.batch_size = size

    # Overridden by each class of layers.

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output for an input of the given shape; ValueError if the layer cannot take it.

        A layer with several outputs returns a tuple of their shapes.
        """
        raise NotImplementedError

    def output_shapes(self, input_shape: Any, **options: Any) -> tuple[Shape, ...]:
        """The shapes of all outputs of a call, for an input of this shape. Options and errors as for the call."""
        shapes: Any = self.compute_output_shape(input_shape)
        return shapes if shapes and isinstance(shapes[0], tuple) else (shapes,)

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """The shapes of the variables by name, in the order of `get_weights`."""
        self.compute_output_shape(input_shape)
        return {}

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer, as JSON values."""
        raise NotImplementedError

    def kernels_used(self, with_dx: bool) -> Sequence[str | RecurrentUse]:
        """The contract's functions that a training step calls, with or without the gradient of the input."""
        return []

    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        """Draw the initial weights."""
        return []

    def _attach(self, parameters: Parameters) -> None:
        """Store views of the parameters. Called after they are created or moved to another buffer."""

    @property
    def trainable(self) -> bool:
        """Always True. Setting it to False raises ValueError, because all layers are trained."""
        return True

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value is not True:
            raise ValueError(
                f"trainable of layer {self.name!r} cannot be {quoted(value)}: all layers of a model are trained"
            )

    @property
    def outputs(self) -> int:
        """The number of arrays that a call of the layer returns."""
        return 1

    @property
    def regularized(self) -> list[tuple[str, Regularizer]]:
        """The names of the regularized variables, each with its regularizer."""
        return []

    @property
    def masks(self) -> bool:
        """Whether the layer creates a mask."""
        return False

    @property
    def samples_classes(self) -> bool:
        """Whether an executor can compute the outputs of sampled classes only, as that of `Dense` can."""
        return False

    def recurrences(self, input_shape: Shape) -> list[Recurrence]:
        """The layer's recurrences in training, for an input of this shape."""
        return []

    @property
    def returns_last_only(self) -> bool:
        """Whether the layer reads a sequence and returns the output of its last step."""
        return False

    @property
    def input_dtype(self) -> str:
        """The dtype of the input: the layer's dtype, or "int64" for ids."""
        return self.dtype

    def check_input(self, values: Any, name: str) -> np.ndarray:
        """Convert values to an array of the input's dtype, of any shape. An array of that dtype is not copied.

        Args:
            values: Input of the layer.
            name: Name of the values in error messages.

        Raises:
            TypeError: If the values are not real numbers.
            ValueError: If a value is not valid for the layer, or the values do not form one array.
        """
        return checks.numbers(values, name, self.dtype)

    def open_shape(self, shape: Shape) -> Shape:
        """The shape to build for, from the shape of the first data: the length of sequences stays open."""
        return (None, None, shape[2]) if len(shape) == 3 else (None, *shape[1:])

    def _draw_seed(self, seed: Any, rate: float) -> None:
        """Set the seed of dropout. None: draw a seed if the rate is above 0."""
        if seed is not None:
            self.seed = checks.integer(seed, "seed", least=0, most=inf) % 2**64
        elif rate:
            self.seed = seeds.draw()

    # Parameters.

    @property
    def built(self) -> bool:
        """Whether the layer has weights."""
        return self._parameters is not None

    @property
    def parameters(self) -> Parameters:
        """The layer's variables; ValueError before the layer is built."""
        if self._parameters is None:
            raise ValueError(f"layer {self.name!r} has no weights yet: build it, or use it once")
        return self._parameters

    @property
    def backend(self) -> Backend:
        """The backend that the layer computes on."""
        return self.parameters.buffers.backend

    @property
    def output_shape(self) -> Shape:
        """The shape of the output, batch first; ValueError if the input shape is not known."""
        if self.input_shape is None:
            raise ValueError(f"layer {self.name!r} does not know the shape of its input yet")
        shape: Any = self.compute_output_shape(self.input_shape)
        return shape[0] if self.outputs > 1 else shape

    def build(self, input_shape: Shape, weights: Sequence[Any] | None = None, backend: Backend | None = None) -> None:
        """Create the weights. A layer that is built already only checks the shape, and sets `weights` if given.

        Args:
            input_shape: Batch first, with None for an axis of any size; for several arrays a tuple of their shapes.
            weights: Initial weights, as for `set_weights`; None draws them from the initializers.
            backend: Holds the weights. None: the backend of `device="auto"`.

        Raises:
            ValueError: If the shape cannot be the layer's input, or the weights do not fit it.
            TypeError: If the shape is not a sequence of integers and None.
        """
        if self.several:
            input_shape = tuple(tuple(sizes(shape, "input_shape", least=0)) for shape in input_shape)  # type: ignore
        else:
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
            # Values and gradients, and the initial values in float64 while they are drawn.
            count = sum(map(prod, shapes.values()))
            checks.fits(count * (8 + 2 * np.dtype(self.dtype).itemsize), f"layer {self.name!r}")
            initial = self.initial_values(shapes) if weights is None else weights
            values = self._fitting(initial, shapes)
            parameters = Parameters(backend or backends.load(), self.dtype, shapes)
            parameters.set_values(values)
            self._attach(parameters)
            self.input_shape = input_shape
            self._parameters = parameters

    def reattach(self, parameters: Parameters | None = None) -> None:
        """Attach to the parameters given, or again to the current ones after they moved."""
        self._parameters = parameters or self.parameters
        self._attach(self._parameters)

    def copy(self, name: str, **changes: Any) -> Self:
        """An unbuilt layer with the same arguments, but another name and these changes."""
        twin = object.__new__(type(self))
        own: dict[str, Any] = {
            "name": name,
            "owner": None,
            "calls": [],
            "_parameters": None,
            "random": RandomStream(self.seed),
        }
        vars(twin).update(vars(self) | own | changes)
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
            ValueError: If the number of weights or a shape differs. No weight is changed then.
            TypeError: If a weight does not hold real numbers. No weight is changed then.
        """
        self.parameters.set_values(self.check_weights(weights))

    def check_weights(self, weights: Sequence[Any]) -> list[np.ndarray]:
        """Convert weights to arrays for `set_weights`, with its arguments and errors."""
        return self._fitting(weights, self.parameters.shapes)

    def gradients(self) -> list[np.ndarray]:
        """Copies of the weights' gradients from the last `backward`, in the order of `get_weights`."""
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


@cache
def _arguments_of(layer_class: Any) -> tuple[type[Any], frozenset[str]]:
    """The class of numlstm's that a class of layers is or extends, and the arguments of that class."""
    own = next(cls for cls in layer_class.__mro__ if is_own(cls))
    return own, frozenset(signature(own).parameters)


def sizes(shape: Any, name: str, least: int = 1) -> list[int | None]:
    """Check a shape and return its sizes as a list.

    Raises:
        TypeError: If the shape is not a sequence of integers and None.
        ValueError: If a size is below `least`.
    """
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise TypeError(f"{name} must be a tuple such as (10, 1), not {quoted(shape)}")
    return [None if size is None else checks.integer(size, f"each size in {name}", least) for size in shape]
