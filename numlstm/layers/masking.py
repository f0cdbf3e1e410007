"""Masking: steps that hold one value only are no steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numlstm import checks
from numlstm.kernels import Array
from numlstm.layers.layer import Layer, Shape
from numlstm.layers.passes import View

__all__ = ["Masking"]


class Masking(Layer):
    """Masks the steps whose features all equal `mask_value`, and sets them to zero.

    Args:
        mask_value: What a padded step holds. A NaN equals nothing, and masks nothing.
        dtype: "float32" or "float64".
        name: Unique in a model; None for an automatic one.
        input_shape: (T, F), the shape of one sample; T may be None.
        others: Arguments of Keras that are not supported.

    Raises:
        ValueError, TypeError: If an argument is none of the above.
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
        """The arguments that make this layer again."""
        return {"mask_value": self.mask_value, "dtype": self.dtype, "name": self.name}

    @property
    def masks(self) -> bool:
        """See `Layer.masks`."""
        return True

    def functions(self, with_dx: bool) -> list[str]:
        """See `Layer.functions`."""
        return ["value_mask", "select"]

    def new_pass(self, x: Array, dx: Array | None, mask: Array | None, training: bool) -> MaskingPass:
        """See `Layer.new_pass`."""
        return MaskingPass(self, x, dx, training)


class MaskingPass(View):
    """The mask of one batch. Zeros that are masked need not be written: then y is x itself.

    x, y, dy: [B, T, F]
    """

    def __init__(self, layer: Masking, x: Array, dx: Array | None, training: bool) -> None:
        mask = layer.backend.empty(x.shape[:2], "bool")
        super().__init__(layer, x, dx, mask, training, x.shape)
        self._rows = (x.shape[0] * x.shape[1], x.shape[2])
        self._mask = mask.reshape(self._rows[0])
        if layer.mask_value:
            self.y = self.backend.empty(x.shape, layer.dtype)

    def read(self, x: Array) -> None:
        """Let `x` be the input from now on."""
        self.x = x
        if not self.layer.mask_value:
            self.y = x

    def forward(self) -> None:
        """Write the mask, and y where it is not x."""
        if self.x.size:
            x = self.x.reshape(self._rows)
            self.backend.value_mask(x, self.layer.mask_value, self._mask)
            if self.layer.mask_value:
                self.backend.select(x, self._mask, self.y.reshape(self._rows))

    def backward(self) -> None:
        """dx = dy, zero at masked steps."""
        if self.dx is not None and self.dx.size:
            dx = self.dx.reshape(self._rows)
            self.backend.select(dx, self._mask, dx)
