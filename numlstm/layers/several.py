"""The base of layers that take several arrays, and their use by hand: they are called with a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.executor import Bound, Executor
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.symbol import connect, has_symbols
from numlstm.messages import quoted
from numlstm.override import override

__all__ = ["Arrays", "Masks", "Several", "SeveralExecutor", "Shapes"]

# To mypy they are Any: a layer of one array takes a Shape and an Array at the same places.
Shapes = Any
"""The shapes of several arrays: `tuple[Shape, ...]`."""
Arrays = Any
"""Several arrays: `tuple[Array, ...]`."""
Masks = Any
"""The masks of several arrays, or their gradients: `tuple[Array | None, ...]`."""


class SeveralExecutor(Executor):
    """A layer of several arrays, bound to those of one batch. `Executor` says what they are.

    The same array may stand twice in x. The arrays of dx are always separate, and `backward` overwrites each.

    Args:
        layer: Built.
        x: The inputs.
        dx: Receive the gradients of x; None for one that is not needed.
        mask: [B, T] bool each, the masks of x; None: all steps count.
        training: As for `Executor`.
    """

    x: tuple[Array, ...]
    dx: Masks

    def __init__(self, layer: Bound, x: Arrays, dx: Masks, mask: Masks, training: bool) -> None:
        wanted = any(each is not None for each in dx)
        super().__init__(layer, x, dx if wanted else None, None, training)
        self.dx, self._masks = dx, mask


E = TypeVar("E", bound=SeveralExecutor)
"""The class of a layer's executors."""


class Several(Layer[E]):
    """The base of layers that take several arrays, in a list.

    `layer([a, b])` infers. `layer.forward([a, b], training=True)` keeps what `layer.backward(dy)` needs, which returns
    a list of gradients.

    Args:
        name: Unique in a model. None: an automatic name.
        dtype: "float32" or "float64"; None: "float32".
        others: Keras arguments that this layer does not support.
    """

    several = True

    def __init__(self, name: str | None, dtype: Any, others: Any) -> None:
        super().__init__(name, dtype, None, others)

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        """The shape of the output for inputs of these shapes; ValueError if the layer cannot take them."""
        raise NotImplementedError

    def output_shapes(self, input_shape: Shapes, **options: Any) -> tuple[Shape, ...]:
        """The shapes of all outputs of a call with these options; ValueError as for `compute_output_shape`."""
        self._check_options(options)
        return (self.compute_output_shape(input_shape),)

    def open_shape(self, shape: Shapes) -> Shapes:
        """The shapes to build for: the length of sequences stays open."""
        self._check_shapes(shape)
        return tuple(super(Several, self).open_shape(each) for each in shape)

    @override
    def build(self, input_shape: Shapes, weights: Sequence[Any] | None = None, backend: Any = None) -> None:
        self._check_shapes(input_shape)
        super().build(input_shape, weights, backend)

    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> E:
        """Bind the layer to the arrays of one batch. Arguments as for `SeveralExecutor`; options: those of the call."""
        raise NotImplementedError

    def __call__(self, x: Any, mask: Any = None, *, training: bool = False, **options: Any) -> Any:
        """Compute the output. Builds the layer if necessary.

        In a graph, x is a list of symbols, and there is no mask: masks come from the layers before.

        Args:
            x: A list of the inputs, batch-major.
            mask: A list of their masks: (B, T) bool, True where a step counts, or None. None: all steps count.
            training: False. Use `forward` for training.
            options: Further arguments of the layer's call.

        Returns:
            The output, or a list of the outputs if there are several.

        Raises:
            ValueError: If the shapes do not fit, or `training` is set.
            TypeError: If an input does not hold real numbers, a mask booleans, or the layer has no such option.
        """
        if training:
            raise self._not_called_for_training(x)
        if has_symbols(x):
            if mask is not None:
                raise ValueError(f"layer {self.name!r} takes no mask in a model: masks come from the layers before")
            self._check_options(options)
            if not isinstance(x, list | tuple):
                raise TypeError(f"layer {self.name!r} takes a list of symbols, as in {self._call}, not one symbol")
            return connect(self, x, options=options)
        executor = self._new_executor(x, mask, options, training=False)
        executor.forward()
        return self._result(executor, copied=False)

    @override
    def forward(self, x: Any, training: bool = False, mask: Any = None, **options: Any) -> Any:
        """Compute the output and, in training, keep what `backward` needs.

        Args:
            x: As for calling the layer. They are not copied: do not change them before `backward` has run.
            training: Whether `backward` follows, and dropout is active.
            mask: As for calling the layer.
            options: As for calling the layer.

        Raises:
            ValueError, TypeError: As for calling the layer.
        """
        if not training:
            return self(x, mask, **options)
        self._training = executor = self._new_executor(x, mask, options, training=True)
        executor.forward()
        executor.waits = True
        return self._result(executor)

    @override
    def backward(self, dy: Any) -> Any:
        """Compute the gradients of the weights and return those of the inputs.

        Args:
            dy: The gradient of the output of the last `forward(training=True)`; a list if there were several outputs.

        Returns:
            A list of the gradients of the inputs.

        Raises:
            ValueError: If there was no `forward(training=True)` since the last `backward`, or a shape does not fit.
            TypeError: If `dy` does not hold real numbers.
        """
        return self._backpropagate(self._waiting_executor(), dy)

    @property
    def _call(self) -> str:
        """How the layer is called, for messages."""
        return f"{type(self).__name__}()([a, b])"

    def _check_shapes(self, input_shape: Any) -> None:
        """Raise ValueError if the shapes are that of one array, as in a Sequential."""
        if not input_shape or not all(isinstance(shape, Sequence) for shape in input_shape):
            raise ValueError(
                f"layer {self.name!r} takes several arrays: call it with a list of them, as in {self._call}, not with "
                f"shape {quoted(input_shape)}"
            )

    def _check_options(self, options: dict[str, Any]) -> None:
        """Raise TypeError if an option is not one of the layer's call, or has a wrong type."""
        for name in options:
            raise TypeError(f"a call of layer {self.name!r} takes no argument {quoted(name)}")

    def _new_executor(self, x: Any, mask: Any, options: dict[str, Any], training: bool) -> E:
        self._check_options(options)
        arrays = self._input(x)
        masks = self._checked_masks(mask, arrays)
        dx = tuple(self.backend.empty(each.shape, self.dtype) if training else None for each in arrays)
        return self.new_executor(arrays, dx, masks, training, **options)

    @override
    def _input(self, x: Any) -> Arrays:
        """Check the inputs and convert them to arrays of the backend. Builds the layer if necessary."""
        if not isinstance(x, list | tuple) or not x:
            raise TypeError(f"layer {self.name!r} takes a list of arrays, as in {self._call}, not {quoted(x)}")
        arrays = [self.check_input(each, f"input {number} of layer {self.name!r}") for number, each in enumerate(x)]
        shapes = tuple(each.shape for each in arrays)
        self.compute_output_shape(shapes)
        if not self.built:
            self.build(self.open_shape(shapes))
        return tuple(self.backend.asarray(each, self.dtype) for each in arrays)

    def _checked_masks(self, mask: Any, x: Arrays) -> Masks:
        """Check masks, one for each input, and convert them to arrays of the backend."""
        given = [None] * len(x) if mask is None else mask
        if not isinstance(given, list | tuple) or len(given) != len(x):
            raise ValueError(f"mask must be a list with a mask or None for each of the {len(x)} inputs")
        masks: list[Array | None] = []
        for number, (each, array) in enumerate(zip(given, x, strict=True)):
            if each is not None:
                if len(array.shape) < 3:
                    raise ValueError(f"mask {number} must be None: input {number} has no time axis")
                each = checks.booleans(each, f"mask {number}", array.shape[:2], "batch, time")
                each = self.backend.asarray(each, "bool")
            masks.append(each)
        return tuple(masks)

    @override
    def _result(self, executor: E, copied: bool = True) -> Any:
        """The outputs on the host. They share no memory with the inputs and, if copied, none with the executor."""
        outputs = [self.backend.to_host(each) for each in executor.outputs]
        outputs = [np.array(each) for each in outputs] if copied else outputs
        return outputs if len(outputs) > 1 else outputs[0]

    @override
    def _take_gradients(self, executor: E, dy: Any) -> None:
        count = len(executor.outputs)
        given = [dy] if count == 1 else dy
        if not isinstance(given, list | tuple) or len(given) != count:
            raise ValueError(f"dy must be a list of the gradients of the {count} outputs")
        for number, (gradient, output, target) in enumerate(
            zip(given, executor.outputs, executor.output_gradients, strict=True)
        ):
            name = "dy" if count == 1 else f"gradient {number} of dy"
            self.backend.copy(target, self._output_gradient(gradient, name, output.shape))

    @override
    def _input_gradient(self, executor: E) -> Any:
        return [np.array(self.backend.to_host(each)) for each in executor.dx]
