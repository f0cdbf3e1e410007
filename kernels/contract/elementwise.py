"""Element-wise sums, products, extremes and copies: the work of layers without weights."""

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

    def scale_each(self, x: Array, scale: float, y: Array) -> None:
        """y = scale x.

        x, y: views of one shape, with up to three axes; y is overwritten and may be x
        """

    def add_each(self, a: Array, b: Array, scale: float, y: Array) -> None:
        """y = scale (a + b).

        a, b: of one shape
        y: of that shape, overwritten; may be a or b
        """

    def copy_each(self, x: Array, y: Array) -> None:
        """y = x, for two arrays of one shape."""

    def clear(self, y: Array) -> None:
        """y = 0."""

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

    def merge(self, y: Array, x: Array, counted: Array | None, mask: Array | None, function: str) -> None:
        """y_r = f(y_r, x_r) where both rows count, x_r where only x_r counts, else y_r. NaN stays NaN.

        y: [R, N], changed in place
        x: [R, N]
        counted: [R] bool, True where y_r counts; None: everywhere
        mask: [R] bool, True where x_r counts; None: everywhere
        function: f, one of "multiply", "maximum" and "minimum"
        """

    def count_equal(self, x: Array, y: Array, mask: Array | None, count: Array, add: bool) -> None:
        """count += 1 where x = y, in the rows that count.

        x, y: [R, N]
        mask: [R] bool, or None, as for `merge`
        count: [R, N] numbers of the dtype, changed in place
        add: False: count begins with zeros
        """

    def share_equal(self, dy: Array, count: Array, x: Array, y: Array, mask: Array | None, dx: Array) -> None:
        """dx = dy / count where `count_equal` has counted x, else 0: equal extremes share the gradient.

        x, y, mask, count: as for `count_equal`
        dy: [R, N]
        dx: [R, N], overwritten
        """

    def either(self, a: Array, b: Array, y: Array) -> None:
        """y = a or b.

        a, b: [R, C] bool, views with any strides, so one column may stand for all
        y: [R, C] bool view, overwritten; may be a or b
        """
