"""Masking: mask the steps whose features all equal one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.executor import View
from numlstm.layers.layer import Layer, Shape
from numlstm.override import override

__all__ = ["Masking"]


class Masking(Layer):
    """Masks the steps whose features all equal `mask_value`, and sets them to zero.

    Args:
        mask_value: The value of padded steps. NaN masks nothing, because NaN equals no value.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        input_shape: (T, F), the shape of one sample. T may be None.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(
        self,
        mask_value: float = 0.0,
        dtype: Any = None,
        name: str | None = None,
        input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        self.mask_value = checks.number(mask_value, "mask_value")
        super().__init__(name, dtype, input_shape, others)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, T, F), unchanged."""
        if len(input_shape) != 3:
            raise ValueError(f"layer {self.name!r} takes (batch, time, features), not shape {tuple(input_shape)}")
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {"mask_value": self.mask_value, "dtype": self.dtype, "name": self.name}

    @property
    @override
    def masks(self) -> bool:
        return True

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return ["value_mask", "select"]

    @override
    def new_executor(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> MaskingExecutor:
        return MaskingExecutor(self, x, dx, training)


class MaskingExecutor(View):
    """Masking on one batch. If `mask_value` is 0, masked steps are zero already, and y is x itself.

    x, y, dy: [B, T, F]
    """

    def __init__(self, layer: Masking, x: Array, dx: Array | None, training: bool) -> None:
        mask = layer.backend.empty(x.shape[:2], "bool")
        super().__init__(layer, x, dx, mask, training, x.shape)
        self._rows = (x.shape[0] * x.shape[1], x.shape[2])
        self._mask, self._mask_value = mask.reshape(self._rows[0]), layer.mask_value
        if layer.mask_value:
            self.y = self.backend.empty(x.shape, layer.dtype)

    def read(self, x: Array) -> None:
        """Replace the input array by `x`."""
        self.x = x
        if not self._mask_value:
            self.y = x

    def forward(self) -> None:
        """Write the mask, and y if it is not x."""
        if self.x.size:
            x = self.x.reshape(self._rows)
            self.backend.value_mask(x, self._mask_value, self._mask)
            if self._mask_value:
                self.backend.select(x, self._mask, self.y.reshape(self._rows))

    def backward(self) -> None:
        """Set dx at masked steps to zero. Elsewhere dx is dy, in the same memory."""
        if self.dx is not None and self.dx.size:
            dx = self.dx.reshape(self._rows)
            self.backend.select(dx, self._mask, dx)
