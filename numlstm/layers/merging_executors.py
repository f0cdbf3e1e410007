"""The executors of the layers that merge arrays."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import Protocol

import numpy as np

from numlstm.kernels import Array
from numlstm.layers.executor import Bound
from numlstm.layers.layer import Shape
from numlstm.layers.several import Arrays, Masks, SeveralExecutor, Shapes
from numlstm.override import override

__all__ = [
    "ConcatenateExecutor", "ExtremeExecutor", "MergeExecutor", "MultiplyExecutor", "SubtractExecutor", "SumExecutor",
    "repeated",
]  # fmt: skip


class Merging(Bound, Protocol):
    """The attributes of a built layer that its executor reads."""

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        """The shape of the output."""


class Concatenating(Merging, Protocol):
    """The same for a layer that joins arrays."""

    def axis_of(self, rank: int) -> int:
        """The axis, counted from 0."""


def repeated(shape: Shape, full: Shape) -> tuple[int, int] | None:
    """The range of axes that are repeated to give the full shape: (first, last + 1). None: they are not adjacent."""
    axes = [axis for axis, (size, whole) in enumerate(zip(shape, full, strict=True)) if size == 1 and whole != 1]
    if not axes:
        return 1, 1
    return (axes[0], axes[-1] + 1) if axes[-1] - axes[0] < len(axes) else None


class MergeExecutor(SeveralExecutor):
    """A merge on one batch: y = f(f(x_0, x_1), x_2) and so on. Inputs of other shapes are repeated to that of y first.

    x: any shapes that go together
    y, dy: their common shape
    """

    counts = False
    """Whether f knows the masks of its arguments."""

    def __init__(self, layer: Merging, x: Arrays, dx: Masks, mask: Masks, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        shape = tuple(int(size or 0) for size in layer.compute_output_shape(tuple(each.shape for each in x)))
        self.y = self.backend.empty(shape, layer.dtype)
        if self.has_backward:
            self.dy = self.backend.empty(shape, layer.dtype)
        # Masks have one number for each row.
        leading = 2 if len(shape) > 2 else 1
        self._rows = prod(shape[:leading]), prod(shape[leading:])
        self._spans = [_span(each.shape, shape) for each in x]
        self._wide: list[Array] = [
            None if span is None else self.backend.empty(shape, layer.dtype) for span in self._spans
        ]
        self._wide_masks = [
            None if each is None or each.shape == shape[:2] else self.backend.empty(shape[:2], "bool") for each in mask
        ]
        masked = all(each is not None for each in mask)
        counts = masked or (self.counts and mask[0] is not None)
        self._counted = self.backend.empty(shape[:2], "bool") if counts else None
        self.mask = self._counted if masked else None
        wanted = any(span is not None and each is not None for span, each in zip(self._spans, dx, strict=True))
        self._wide_dx: Array = self.backend.empty(shape, layer.dtype) if wanted else None

    @property
    @override
    def recordable(self) -> bool:
        return True

    def forward(self) -> None:
        """Write y and its mask."""
        for x, wide, span in zip(self.x, self._wide, self._spans, strict=True):
            if span is not None:
                r, s, n = span
                self.backend.repeat(x.reshape(r, n), wide.reshape(r, s, n))
        for mask, wide in zip(self._masks, self._wide_masks, strict=True):
            if wide is not None:
                self.backend.either(mask, mask, wide)
        y, counted = self.y.reshape(self._rows), self._counted
        self.backend.scale_each(self._row_input(0), 1.0, y)
        if counted is not None:
            counted = counted.reshape(self._rows[0], 1)
            self._count(counted, 0)
        for number in range(1, len(self.x)):
            self._combine(y, number, None if counted is None else counted.reshape(self._rows[0]))
            # What is merged with an input without a mask counts everywhere.
            counted = None if self._masks[number] is None else counted
            if counted is not None:
                self._count(counted, number)
        self._finish(y)

    def backward(self) -> None:
        """Write each dx that is not None."""
        self._prepare_gradients()
        for number, (dx, span) in enumerate(zip(self.dx, self._spans, strict=True)):
            if dx is not None:
                target = dx if span is None else self._wide_dx
                self._write_gradient(number, target.reshape(self._rows))
                if span is not None:
                    r, s, n = span
                    self.backend.sum_repeated(target.reshape(r, s, n), dx.reshape(r, n))

    def _combine(self, y: Array, number: int, counted: Array | None) -> None:
        """y = f(y, x) for one of the inputs, [R, N]; counted: [R] bool, the rows of y that count; None: all."""
        raise NotImplementedError

    def _finish(self, y: Array) -> None:
        """Called by `forward` at the end, with y [R, N]."""

    def _prepare_gradients(self) -> None:
        """Called by `backward` before all `_write_gradient`."""

    def _write_gradient(self, number: int, dx: Array) -> None:
        """Write the gradient of one input, [R, N] of y's size."""
        raise NotImplementedError

    def _row_input(self, number: int) -> Array:
        """An input as [R, N], of y's size."""
        wide = self._wide[number]
        return (self.x[number] if wide is None else wide).reshape(self._rows)

    def _row_mask(self, number: int) -> Array | None:
        """An input's mask as [R]; None: all rows count."""
        wide = self._wide_masks[number]
        mask = self._masks[number] if wide is None else wide
        return None if mask is None else mask.reshape(self._rows[0])

    def _count(self, counted: Array, number: int) -> None:
        """Add the rows that count in an input to those that count, [R, 1]. The first input begins."""
        mask = self._row_mask(number)
        assert mask is not None
        mask = mask.reshape(counted.shape)
        self.backend.either(counted if number else mask, mask, counted)


class SumExecutor(MergeExecutor):
    """y = scale Σ x_i."""

    def __init__(self, layer: Merging, x: Arrays, dx: Masks, mask: Masks, training: bool, scale: float) -> None:
        super().__init__(layer, x, dx, mask, training)
        self._scale = scale

    def _combine(self, y: Array, number: int, counted: Array | None) -> None:
        self.backend.add(y, self._row_input(number))

    def _finish(self, y: Array) -> None:
        if self._scale != 1:
            self.backend.scale_each(y, self._scale, y)

    def _write_gradient(self, number: int, dx: Array) -> None:
        self.backend.scale_each(self.dy.reshape(self._rows), self._scale, dx)


class SubtractExecutor(MergeExecutor):
    """y = x_0 - x_1."""

    def _combine(self, y: Array, number: int, counted: Array | None) -> None:
        self.backend.scale_each(self._row_input(1), -1.0, y)
        self.backend.add(y, self._row_input(0))

    def _write_gradient(self, number: int, dx: Array) -> None:
        self.backend.scale_each(self.dy.reshape(self._rows), -1.0 if number else 1.0, dx)


class MultiplyExecutor(MergeExecutor):
    """y = Π x_i over the inputs that count in a row; 0 in a row that counts in none."""

    counts = True

    def _combine(self, y: Array, number: int, counted: Array | None) -> None:
        self.backend.merge(y, self._row_input(number), counted, self._row_mask(number), "multiply")

    def _finish(self, y: Array) -> None:
        if self.mask is not None:
            self.backend.select(y, self.mask.reshape(self._rows[0]), y)

    def _write_gradient(self, number: int, dx: Array) -> None:
        self.backend.scale_each(self.dy.reshape(self._rows), 1.0, dx)
        for other in range(len(self.x)):
            if other != number:
                self.backend.merge(dx, self._row_input(other), None, self._row_mask(other), "multiply")
        mask = self._row_mask(number)
        if mask is not None:
            self.backend.select(dx, mask, dx)


class ExtremeExecutor(MergeExecutor):
    """y = max x_i or min x_i over the inputs that count in a row; x_0 in a row that counts in none.

    function: "maximum" or "minimum"
    """

    counts = True

    def __init__(self, layer: Merging, x: Arrays, dx: Masks, mask: Masks, training: bool, function: str) -> None:
        super().__init__(layer, x, dx, mask, training)
        self._function = function
        self._equal = self.backend.empty(self._rows, layer.dtype) if self.has_backward else None

    def _combine(self, y: Array, number: int, counted: Array | None) -> None:
        self.backend.merge(y, self._row_input(number), counted, self._row_mask(number), self._function)

    def _prepare_gradients(self) -> None:
        equal, y = self._equal, self.y.reshape(self._rows)
        for number in range(len(self.x)):
            self.backend.count_equal(self._row_input(number), y, self._row_mask(number), equal, number > 0)

    def _write_gradient(self, number: int, dx: Array) -> None:
        arrays = self.dy.reshape(self._rows), self._equal, self._row_input(number), self.y.reshape(self._rows)
        self.backend.share_equal(*arrays, self._row_mask(number), dx)


class ConcatenateExecutor(SeveralExecutor):
    """Arrays joined along an axis on one batch.

    x: arrays that differ along the axis only
    y, dy: the sum of their sizes along it
    """

    def __init__(self, layer: Concatenating, x: Arrays, dx: Masks, mask: Masks, training: bool) -> None:
        super().__init__(layer, x, dx, mask, training)
        shape = tuple(int(size or 0) for size in layer.compute_output_shape(tuple(each.shape for each in x)))
        self.y = self.backend.empty(shape, layer.dtype)
        if self.has_backward:
            self.dy = self.backend.empty(shape, layer.dtype)
        axis = layer.axis_of(len(shape))
        # An array is rows of what lies in it from the axis on.
        self._rows = prod(shape[:axis])
        self._ranges = _ranges([prod(each.shape[axis:]) for each in x])
        self._steps = _ranges([each.shape[axis] for each in x]) if axis == 1 and len(shape) > 2 else None
        given = [each is not None for each in mask]
        if any(given) if self._steps is not None else all(given):
            self.mask = self.backend.empty(shape[:2], "bool")
            # Inputs without a mask count everywhere, in all batches.
            self.backend.copy(self.mask, np.ones(shape[:2], bool))

    @property
    @override
    def recordable(self) -> bool:
        return True

    def forward(self) -> None:
        """Write y and its mask."""
        y = self.y.reshape(self._rows, self._ranges[-1][1])
        for x, (first, last) in zip(self.x, self._ranges, strict=True):
            self.backend.scale_each(x.reshape(self._rows, last - first), 1.0, y[:, first:last])
        if self.mask is None:
            return
        for number, mask in enumerate(self._masks):
            if self._steps is None:
                self.backend.either(self.mask if number else mask, mask, self.mask)
            elif mask is not None:
                first, last = self._steps[number]
                self.backend.either(mask, mask, self.mask[:, first:last])

    def backward(self) -> None:
        """Copy each part of dy to the dx that is not None."""
        dy = self.dy.reshape(self._rows, self._ranges[-1][1])
        for dx, (first, last) in zip(self.dx, self._ranges, strict=True):
            if dx is not None:
                self.backend.scale_each(dy[:, first:last], 1.0, dx.reshape(self._rows, last - first))


def _ranges(sizes: list[int]) -> list[tuple[int, int]]:
    """(first, last + 1) of parts that lie one after the other."""
    ends = list(accumulate(sizes))
    return list(zip([0, *ends], ends, strict=False))


def _span(shape: tuple[int, ...], full: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(R, S, N) for an input that is repeated S times; None if it has the full shape."""
    padded = (*shape[:1], *(1,) * (len(full) - len(shape)), *shape[1:])
    span = repeated(padded, full)
    assert span is not None
    first, last = span
    return (prod(full[:first]), prod(full[first:last]), prod(full[last:])) if first < last else None
