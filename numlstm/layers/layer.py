"""The base of all layers, and their use by hand: inference, `forward` and `backward` on a user's arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

import numpy as np

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.base import LayerBase, Shape, automatic_name, sizes
from numlstm.layers.executor import Executor, Step
from numlstm.layers.symbol import Call, Symbol, changed_outputs, connect, has_symbols
from numlstm.messages import a
from numlstm.override import override
from numlstm.parameters import Parameters

__all__ = ["Layer", "Shape", "all_layers", "automatic_name", "sizes"]

E = TypeVar("E", bound=Executor)
"""The class of a layer's executors."""


class Layer(LayerBase, Generic[E]):
    """The base of all layers.

    `layer(x)` infers. It changes nothing but the memory of a stateful layer, so several threads may share a layer. For
    training, `layer.forward(x, training=True)` keeps what `layer.backward(dy)` needs, and `layer.gradients()` returns
    the gradients of the weights.

    Args:
        name: Unique in a model. None: an automatic name.
        dtype: "float32" or "float64"; None: "float32".
        input_shape: Shape of one sample, with None for an axis of any size. A model builds at once if it is given.
        others: Keras arguments that this layer does not support.
    """

    wrapped: tuple[Layer, ...] = ()
    """The layers that this layer wraps."""

    def __init__(
        self, name: str | None, dtype: Any, input_shape: Sequence[int | None] | None, others: Mapping[str, Any]
    ) -> None:
        super().__init__(name, dtype, input_shape, others)
        self._forget()

    @classmethod
    def from_config(cls, config: Mapping[str, Any], make: Callable[[Any], Layer] | None = None) -> Self:
        """Recreate a layer from the result of `get_config`.

        Args:
            config: The arguments by name.
            make: Makes a wrapped layer from its entry in the arguments. None: `from_config` of that layer's class.

        Raises:
            ValueError, TypeError: As for making the layer. A function as initializer, for example, is not in `config`.
        """
        return cls(**config)

    @property
    def state(self) -> tuple[Array, ...] | None:
        """The initial state of a stateful layer's next batch: [B, H] arrays of the backend; None: zeros or no state."""
        return None

    @state.setter
    def state(self, state: tuple[Array, ...] | None) -> None:
        """Replace it. A layer without a state ignores it.

        Raises:
            ValueError: If the number of arrays or a shape is wrong.
            TypeError: If an array does not hold real numbers.
        """

    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> E:
        """Bind the layer to the arrays of one batch. Arguments as for `Executor`.

        A layer that takes several arrays gets tuples of x, dx and mask, and the options of the call by name.
        """
        raise NotImplementedError

    def new_step(self, x: Array) -> Step:
        """Allocate a `Step` that reads `x`, [B, F]; ValueError if the layer cannot work step by step."""
        kind = a(type(self).__name__)
        raise ValueError(f"layer {self.name!r} cannot be streamed: {kind} does not work step by step")

    @override
    def reattach(self, parameters: Parameters | None = None) -> None:
        super().reattach(parameters)
        self._forget()

    @override
    def copy(self, name: str, **changes: Any) -> Self:
        twin = super().copy(name, **changes)
        twin._forget()
        return twin

    # Use by hand.

    def __call__(self, x: Any, *, training: bool = False) -> Any:
        """Compute the output. Builds the layer if necessary.

        Args:
            x: The input, batch-major. Or a symbol: an `Input` or the output of a layer called with one, for a graph.
            training: False. Use `forward` for training.

        Returns:
            The output; for a symbol the symbol of the output.

        Raises:
            ValueError: If the shape of x does not fit, or `training` is set.
            TypeError: If x does not hold real numbers.
        """
        if training:
            raise self._not_called_for_training(x)
        if type(x) is not np.ndarray and has_symbols(x):
            return connect(self, [x])
        return self._infer(self.new_executor(self._input(x), None, None, training=False))

    @property
    def input(self) -> Symbol | list[Symbol]:
        """The symbol that the layer reads in its only call in a graph, or the list of symbols; otherwise ValueError."""
        return _one_or_all(self._only_call.inputs)

    @property
    def output(self) -> Symbol | list[Symbol]:
        """The symbol of the output in its only call in a graph, or the list of symbols; otherwise ValueError."""
        return _one_or_all(self._only_call.outputs)

    @override
    def _check_calls(self) -> None:
        if changed_outputs(self, [call for call in self.calls if call.chain is None]):
            raise ValueError(
                f"layer {self.name!r} would return another shape, but it has been called in a graph: make the layers "
                "and the model anew"
            )

    @property
    def _only_call(self) -> Call:
        if len(self.calls) != 1:
            raise ValueError(
                f"layer {self.name!r} has been called with symbols {len(self.calls)} times, so it has no single input "
                "and output: keep what its calls return"
            )
        call: Call = self.calls[0]
        return call

    def forward(self, x: Any, training: bool = False) -> Any:
        """Compute the output and, in training, keep what `backward` needs.

        Args:
            x: The input, batch-major. It is not copied: do not change it before `backward` has run.
            training: Whether `backward` follows.

        Raises:
            ValueError, TypeError: As for calling the layer.
        """
        if not training:
            return self(x)
        array = self._input(x)
        executor = self._training_executor(array)
        executor.read(array)
        executor.forward()
        executor.waits = True
        return self._result(executor)

    def backward(self, dy: Any) -> np.ndarray | None:
        """Compute the gradients of the weights and return the gradient of the input.

        Args:
            dy: The gradient of the output of the last `forward(training=True)`.

        Returns:
            The gradient of the input; None for ids.

        Raises:
            ValueError: If there was no `forward(training=True)` since the last `backward`, or the shape does not fit.
            TypeError: If `dy` does not hold real numbers.
        """
        return self._backpropagate(self._waiting_executor(), dy)

    @property
    def kernel_name(self) -> str | None:
        """The kernel name of the last `forward(training=True)`; None for a layer without a choice of kernels."""
        return None if self._training is None else self._training.kernel_name

    def _forget(self) -> None:
        """Drop the executors, because the weights have moved or belong to another layer."""
        self._training: E | None = None
        """The executor of the last training pass. It is reused for inputs of the same shape."""

    def _input(self, x: Any) -> Array:
        """Check the input and convert it to a contiguous array of the backend. Builds the layer if necessary."""
        name = f"the input of layer {self.name!r}"
        if self.input_dtype != self.dtype:
            # Kernels take ids for addresses, in `backward` too: what is checked must not be what the caller can change.
            x = np.array(checks.array(x, name))
        array = self.check_input(x, name)
        self.compute_output_shape(array.shape)
        if not self.built:
            self.build(self.open_shape(array.shape))
        return self.backend.asarray(array, self.input_dtype)

    def _not_called_for_training(self, x: Any) -> ValueError:
        if has_symbols(x):
            return ValueError(
                f"layer {self.name!r} in a model trains, and drops, while fit runs, and not in predict: leave out "
                "training=True"
            )
        return ValueError(f"layer {self.name!r} infers when it is called: to train, use forward(x, training=True)")

    def _infer(self, executor: E) -> Any:
        """Run an executor that is used once, and return its output."""
        executor.forward()
        return self._result(executor, copied=False)

    def _result(self, executor: E, copied: bool = True) -> Any:
        """The output on the host. It shares no memory with the input and, if copied, none with the executor."""
        y = self.backend.to_host(executor.y)
        shared = isinstance(executor.x, np.ndarray) and np.may_share_memory(y, executor.x)
        return np.array(y) if copied or shared else y

    def _training_executor(self, x: Array) -> E:
        """The executor for inputs of this shape: the last one if its shape is the same, else a new one."""
        executor = self._training
        if executor is None or executor.x.shape != x.shape:
            dx = self.backend.empty(x.shape, self.dtype) if self.input_dtype == self.dtype else None
            self._training = executor = self.new_executor(x, dx, None, training=True)
        executor.waits = False
        return executor

    def _waiting_executor(self) -> E:
        """The executor of the last `forward(training=True)`; ValueError if `backward` has run since."""
        if self._training is None or not self._training.waits:
            raise ValueError(f"layer {self.name!r}: backward needs a forward(x, training=True) of its own before it")
        return self._training

    def _backpropagate(self, executor: E, dy: Any) -> Any:
        self._take_gradients(executor, dy)
        executor.waits = False
        executor.backward()
        return self._input_gradient(executor)

    def _input_gradient(self, executor: E) -> np.ndarray | None:
        """A copy of the gradient of x on the host; None if the executor has no dx."""
        return None if executor.dx is None else np.array(self.backend.to_host(executor.dx))

    def _take_gradients(self, executor: E, dy: Any) -> None:
        """Copy the gradient of the output into the executor."""
        self.backend.copy(executor.dy, self._output_gradient(dy, "dy", executor.y.shape))

    def _output_gradient(self, values: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
        gradient = checks.numbers(values, name, self.dtype)
        if gradient.shape != tuple(shape):
            raise ValueError(f"{name} must have the output's shape {tuple(shape)}, not {gradient.shape}")
        return gradient


def _one_or_all(symbols: tuple[Symbol, ...]) -> Symbol | list[Symbol]:
    return symbols[0] if len(symbols) == 1 else list(symbols)


def all_layers(members: Iterable[Layer]) -> Iterator[Layer]:
    """Layers, each followed by the layers that it wraps."""
    for layer in members:
        yield layer
        yield from all_layers(layer.wrapped)
