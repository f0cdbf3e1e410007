"""Layers that wrap other layers. A variable of a wrapped layer is named "layer/variable"."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from numlstm.layers.layer import Layer, Shape
from numlstm.messages import quoted
from numlstm.override import override
from numlstm.parameters import Parameters
from numlstm.regularizers import Regularizer

__all__ = ["Wrapper"]


class Wrapper(Layer):
    """The base of layers that wrap other layers.

    Args:
        wrapped: The wrapped layers, which belong to this layer from now on.
        name: Unique in a model. None: an automatic name.
        input_shape: Shape of one sample.
        dtype: None, or the dtype of the wrapped layers.
        others: Keras arguments that are not supported.

    Raises:
        ValueError: If a wrapped layer is built or in use elsewhere, two have the same name, or the dtypes differ.
    """

    def __init__(
        self,
        wrapped: tuple[Layer, ...],
        name: str | None,
        dtype: Any,
        input_shape: Sequence[int | None] | None,
        others: dict[str, Any],
    ) -> None:
        super().__init__(name, wrapped[0].dtype if dtype is None else dtype, input_shape, others)
        for layer in wrapped:
            if layer.owner is not None or layer.built:
                raise ValueError(f"layer {layer.name!r} is in use already: make a layer for each")
            if layer.dtype != self.dtype:
                raise ValueError(f"layer {layer.name!r} is {layer.dtype}, but {self.name!r} is {self.dtype}")
        names = [layer.name for layer in wrapped]
        if len(set(names)) < len(names):
            raise ValueError(f"the layers of {self.name!r} must have different names, not {quoted(names[0])} twice")
        self.wrapped = wrapped
        for layer in wrapped:
            layer.owner = self
        self.expect_batch(wrapped[0].batch_size if self.batch_size is None else self.batch_size)

    @staticmethod
    def make_wrapped(entry: Mapping[str, Any], make: Callable[[Any], Layer] | None) -> Layer:
        """Make a wrapped layer from its entry in the arguments. `make` as for `Layer.from_config`."""
        if make is not None:
            return make(entry)
        name = str(entry["class_name"])
        # Some layers are imported when they are asked for.
        layer_class = _layer_types(Layer).get(name) or getattr(sys.modules["numlstm.layers"], name, None)
        if not (isinstance(layer_class, type) and issubclass(layer_class, Layer)):
            raise ValueError(f"class_name must be that of a layer, not {quoted(entry['class_name'])}")
        return layer_class.from_config(entry["config"])

    def wrapped_shape(self, input_shape: Shape) -> Shape:
        """The input shape of the wrapped layers; ValueError if this layer cannot take the input."""
        raise NotImplementedError

    @override
    def expect_batch(self, size: int | None) -> None:
        super().expect_batch(size)
        for layer in self.wrapped:
            layer.expect_batch(size)

    def layer_changed(self) -> None:
        """Raise ValueError: an argument of a wrapped layer must not change."""
        raise ValueError(f"the layers of {self.name!r} cannot be changed: make another {type(self).__name__}")

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """The shapes of the wrapped layers' variables."""
        shape = self.wrapped_shape(input_shape)
        return {
            f"{layer.name}/{name}": size
            for layer in self.wrapped
            for name, size in layer.variable_shapes(shape).items()
        }

    @property
    @override
    def regularized(self) -> list[tuple[str, Regularizer]]:
        return [(f"{layer.name}/{name}", how) for layer in self.wrapped for name, how in layer.regularized]

    @override
    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        values = []
        for layer in self.wrapped:
            prefix = f"{layer.name}/"
            own = {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
            values += layer.initial_values(own)
        return values

    def _attach(self, parameters: Parameters) -> None:
        for layer in self.wrapped:
            layer.reattach(parameters.part(f"{layer.name}/"))


def _layer_types(base: type[Layer]) -> dict[str, type[Layer]]:
    """numlstm's layer classes by name. Other classes cannot be made from a configuration."""
    found = {cls.__name__: cls for cls in base.__subclasses__() if cls.__module__.startswith("numlstm.layers.")}
    for cls in base.__subclasses__():
        found |= _layer_types(cls)
    return found
