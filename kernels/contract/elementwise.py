"""Element-wise sums, products and copies: the work of layers without weights."""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Elementwise"]


class Elementwise(Protocol):
    """Arithmetic on whole arrays. Arrays are contiguous if they are not called views."""

    def add(self, target: Array, source: Array) -> None:
        """target += source.

        target: a view with up to three axes
        source: a view of the same shape; may be the target
        """

    def add_each(self, a: Array, b: Array, scale: float, y: Array) -> None:
        """y = scale (a + b).

        a, b: of one shape
        y: of that shape, overwritten; may be a or b
        """

    def multiply_each(self, a: Array, b: Array, y: Array) -> None:
        """y = a ⊙ b. Parameters as for `add_each`."""

    def select(self, x: Array, mask: Array, y: Array) -> None:
        """y_r = x_r where the mask is True, else zeros. x_r is not read where the mask is False, and may be NaN there.

        x: [R, F]
        mask: [R] bool
        y: [R, F], overwritten; may be x
        """

    def repeat(self, x: Array, y: Array) -> None:
        """y_rs = x_r for every s.

        x: [R, N]
        y: [R, S, N], overwritten; S is at least one
        """

    def sum_repeated(self, dy: Array, dx: Array) -> None:
        """dx_r = Σ_s dy_rs, the gradient of `repeat`.

        dy: [R, S, N]
        dx: [R, N], overwritten
        """
