"""Layers that consist of other layers, whose variables they hold under those layers' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from numlstm.layers.layer import Layer, Shape
from numlstm.parameters import Parameters
from numlstm.regularizers import Regularizer

__all__ = ["Wrapper"]


class Wrapper(Layer):
    """The base of layers around other layers.

    Args:
        wrapped: The layers, which belong to this one from now on.
        name: Unique in a model; None for an automatic one.
        input_shape: The shape of one sample.
        dtype: None, or that of the layers.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError: If one belongs to a model or another layer, two have one name, or `dtype` is not theirs.
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
            raise ValueError(f"the layers of {self.name!r} must have different names, not {names[0]!r} twice")
        self.wrapped = wrapped
        for layer in wrapped:
            layer.owner = self

    @staticmethod
    def make_wrapped(entry: Mapping[str, Any], make: Callable[[Any], Layer] | None) -> Layer:
        """A layer from its entry in the arguments; see `Layer.from_config`."""
        if make is not None:
            return make(entry)
        from numlstm import layers  # Wrappers are among them.

        kind = getattr(layers, str(entry["class_name"]), None)
        if not isinstance(kind, type) or not issubclass(kind, Layer):
            raise ValueError(f"class_name must be that of a layer, not {entry['class_name']!r}")
        return kind.from_config(entry["config"])

    def wrapped_shape(self, input_shape: Shape) -> Shape:
        """The shape of what goes into the layers; ValueError if this one cannot take the input."""
        raise NotImplementedError

    def variable_shapes(self, input_shape: Shape) -> dict[str, tuple[int, ...]]:
        """Those of the layers."""
        shape = self.wrapped_shape(input_shape)
        return {
            f"{layer.name}/{name}": size
            for layer in self.wrapped
            for name, size in layer.variable_shapes(shape).items()
        }

    @property
    def kernel_path(self) -> str | None:
        """See `Layer.kernel_path`."""
        return ", ".join(dict.fromkeys(layer.kernel_path for layer in self.wrapped if layer.kernel_path)) or None

    @property
    def regularized(self) -> list[tuple[str, Regularizer]]:
        """See `Layer.regularized`."""
        return [(f"{layer.name}/{name}", how) for layer in self.wrapped for name, how in layer.regularized]

    def initial_values(self, shapes: dict[str, tuple[int, ...]]) -> list[np.ndarray]:
        """See `Layer.initial_values`."""
        values = []
        for layer in self.wrapped:
            prefix = f"{layer.name}/"
            own = {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
            values += layer.initial_values(own)
        return values

    def _bind(self, parameters: Parameters) -> None:
        for layer in self.wrapped:
            layer.rebind(parameters.part(f"{layer.name}/"))
