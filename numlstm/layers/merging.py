"""Layers that merge several arrays into one, element by element: Add, Subtract, Multiply and others; Concatenate."""

from __future__ import annotations

from typing import Any

from numlstm import checks
from numlstm.layers.layer import Shape
from numlstm.layers.merging_executors import (
    ConcatenateExecutor,
    ExtremeExecutor,
    MergeExecutor,
    MultiplyExecutor,
    SubtractExecutor,
    SumExecutor,
    repeated,
)
from numlstm.layers.several import Arrays, Masks, Several, Shapes
from numlstm.messages import quoted
from numlstm.override import override

__all__ = ["Add", "Average", "Concatenate", "Maximum", "Merge", "Minimum", "Multiply", "Subtract"]


class Merge(Several[MergeExecutor]):
    """The base of layers that merge arrays element by element.

    The arrays have one shape. An axis of size 1, except the batch, is repeated to the size of the others, and an array
    of fewer axes gets axes of size 1 after the batch, as in Keras. If all inputs have a mask, a step of the output
    counts where it counts in one of them.

    Args:
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(self, dtype: Any = None, name: str | None = None, **others: Any) -> None:
        super().__init__(name, dtype, others)

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        """The common shape of the inputs."""
        self._check_shapes(input_shape)
        if len({shape[0] for shape in input_shape if shape and shape[0] is not None}) > 1 or () in input_shape:
            raise self._unfit(input_shape)
        rank = max(map(len, input_shape))
        full = [(*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]) for shape in input_shape]
        merged: list[int | None] = []
        for sizes in zip(*full, strict=True):
            # Axes of size 1 go with any size; of other sizes, there may be one.
            known = {size for size in sizes if size not in (None, 1)}
            if len(known) > 1:
                raise self._unfit(input_shape)
            merged.append(None if None in sizes else next(iter(known), 1))
        merged[0] = next((shape[0] for shape in input_shape if shape[0] is not None), None)
        for shape in full:
            if repeated(shape, tuple(merged)) is None:
                raise ValueError(
                    f"layer {self.name!r} repeats axes of size 1 if they are adjacent: it cannot repeat "
                    f"{tuple(shape)} to {tuple(merged)}"
                )
        return tuple(merged)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {"dtype": self.dtype, "name": self.name}

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return [*self._kernels, "scale_each", "either", "repeat", *["sum_repeated"] * with_dx]

    _kernels: tuple[str, ...] = ("add",)
    """The contract's functions that this merge calls, beside those of all merges."""

    def _unfit(self, input_shape: Shapes) -> ValueError:
        shapes = ", ".join(str(tuple(shape)) for shape in input_shape)
        return ValueError(f"layer {self.name!r} takes arrays of one shape, but their shapes are {quoted(shapes)}")


class Add(Merge):
    """y = Σ x_i. Arguments as for `Merge`."""

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> MergeExecutor:
        return SumExecutor(self, x, dx, mask, training, 1.0)


class Average(Merge):
    """y = Σ x_i / n. Arguments as for `Merge`."""

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> MergeExecutor:
        return SumExecutor(self, x, dx, mask, training, 1 / len(x))


class Subtract(Merge):
    """y = x_0 - x_1, for two inputs. Arguments as for `Merge`."""

    @override
    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        self._check_shapes(input_shape)
        if len(input_shape) != 2:
            raise ValueError(f"layer {self.name!r} takes two arrays, but {len(input_shape)} were given")
        return super().compute_output_shape(input_shape)

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> MergeExecutor:
        return SubtractExecutor(self, x, dx, mask, training)


class Multiply(Merge):
    """y = Π x_i. Steps that an input's mask leaves out count as 1 in it. Arguments as for `Merge`.

    A step that all masks leave out is 0.
    """

    _kernels = ("merge", "select")

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> MergeExecutor:
        return MultiplyExecutor(self, x, dx, mask, training)


class Maximum(Merge):
    """y = max x_i, over the inputs whose masks do not leave the step out. Arguments as for `Merge`.

    Inputs that are equal share the gradient equally. A step that all masks leave out is x_0, and has no gradient.
    """

    _kernels = ("merge", "count_equal", "share_equal")

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> MergeExecutor:
        return ExtremeExecutor(self, x, dx, mask, training, "maximum")


class Minimum(Merge):
    """y = min x_i, as `Maximum` is their maximum. Arguments as for `Merge`."""

    _kernels = ("merge", "count_equal", "share_equal")

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> MergeExecutor:
        return ExtremeExecutor(self, x, dx, mask, training, "minimum")


class Concatenate(Several[ConcatenateExecutor]):
    """Joins arrays along an axis. All other sizes must be equal.

    The mask of the output: along the time axis the masks are joined, where an input without one counts everywhere.
    Along another axis a step counts where it counts in one of the inputs.

    Args:
        axis: The axis. It is not 0, the batch.
        dtype: "float32" or "float64".
        name: Unique in a model. None: an automatic name.
        others: Keras arguments that are not supported.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    def __init__(self, axis: int = -1, dtype: Any = None, name: str | None = None, **others: Any) -> None:
        self.axis = checks.integer(axis, "axis", least=-(2**31))
        if not self.axis:
            raise ValueError("axis must not be 0: the batch stays as it is")
        super().__init__(name, dtype, others)

    def axis_of(self, rank: int) -> int:
        """The axis of arrays of this rank, counted from 0; ValueError if it is not one after the batch."""
        axis = self.axis + rank if self.axis < 0 else self.axis
        if not 0 < axis < rank:
            raise ValueError(f"layer {self.name!r} joins along axis {self.axis}, but its inputs have {rank} axes")
        return axis

    def compute_output_shape(self, input_shape: Shapes) -> Shape:
        """The shape of the first input, with the sum of the sizes along the axis."""
        self._check_shapes(input_shape)
        axis = self.axis_of(len(input_shape[0]))
        merged = list(input_shape[0])
        for shape in input_shape[1:]:
            fits = len(shape) == len(merged)
            for place, size in enumerate(shape if fits else ()):
                if place == axis:
                    continue
                fits = fits and (None in (size, merged[place]) or size == merged[place])
                merged[place] = size if merged[place] is None else merged[place]
            if not fits:
                shapes = ", ".join(str(tuple(each)) for each in input_shape)
                raise ValueError(
                    f"layer {self.name!r} takes arrays that differ along axis {self.axis} only, but their shapes are "
                    f"{quoted(shapes)}"
                )
        sizes = [shape[axis] for shape in input_shape]
        merged[axis] = None if None in sizes else sum(sizes)
        return tuple(merged)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this layer."""
        return {"axis": self.axis, "dtype": self.dtype, "name": self.name}

    @override
    def kernels_used(self, with_dx: bool) -> list[str]:
        return ["scale_each", "either"]

    @override
    def new_executor(self, x: Arrays, dx: Masks, mask: Masks, training: bool, **options: Any) -> ConcatenateExecutor:
        return ConcatenateExecutor(self, x, dx, mask, training)
