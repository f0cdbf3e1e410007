"""Checks of a user's data before any kernel reads them.

Arrays are checked as a whole before the first batch. Sources of batches are checked batch by batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from numlstm import checks
from numlstm.chain import Chain
from numlstm.losses import Loss
from numlstm.losses.loss import first_where
from numlstm.messages import a, listed, quoted
from numlstm.network import Network
from numlstm.training.samples import Samples

__all__ = ["InputChecker", "brief", "length_of", "named", "parts_of"]

Shapes = tuple[tuple[int, ...], ...]

_AT_ONCE = 1 << 20


class InputChecker:
    """Checks arrays and converts them for a network's batches. Builds a chain if necessary.

    Several inputs or outputs are given as a list or a tuple in their order, or as a dict by their names.

    Args:
        network: The network that the data are checked against.
        losses: The loss that reads the targets of each output; None where there is none; empty for prediction.
        class_weight: As for `Model.fit`.
        label: Prefix of x, y and sample_weight in error messages, such as "the validation ".
        warns_of_nan: Whether to warn once of NaN in x or y, which training would spread to all weights. Memory maps are
            not searched.

    Raises:
        ValueError, TypeError: Here and in all methods, if an argument does not fit the network.
    """

    def __init__(
        self,
        network: Network,
        losses: Sequence[Loss | None],
        class_weight: Any = None,
        label: str = "",
        warns_of_nan: bool = False,
    ) -> None:
        if not network.layers:
            raise ValueError("the model has no layers: add one first")
        if class_weight is not None and len(losses) > 1:
            raise ValueError("class_weight is for a model with one output: give sample_weight for each output instead")
        if class_weight is not None and losses and losses[0] is not None and losses[0].row_axes > 1:
            raise ValueError(
                "class_weight weighs a target by its class, but ctc has several labels: give sample_weight"
            )
        self._network, self._losses = network, losses
        self._class_weight = None if class_weight is None else _class_weight(class_weight)
        self._label, self._warns_of_nan = label, warns_of_nan
        self._x, self._y, self._weights = (f"{label}{name}" for name in ("x", "y", "sample_weight"))

    @property
    def weighs_classes(self) -> bool:
        """Whether samples are weighted by their classes."""
        return self._class_weight is not None

    def samples(self, x: Any, y: Any, weights: Any) -> Samples:
        """Check arrays."""
        inputs = self._inputs(x)
        if not self._losses:
            return Samples(inputs, label=self._label)
        if not len(inputs[0]):
            raise ValueError(f"{self._x} has no samples")
        if y is None:
            raise ValueError(f"{self._y} must be given, as {self._x} is an array")
        if weights is not None and self._class_weight is not None:
            raise ValueError("class_weight and sample_weight cannot be given together: multiply the latter")
        network = self._network
        names = network.output_names
        shapes = cast(Shapes, network.compute_output_shapes(tuple(part.shape for part in inputs)))
        if len(names) == 1:
            rank, count = len(shapes[0]), shapes[0][:1]
            y = _only(y, lambda shape: len(shape) in (rank, rank - 1) and shape[:1] == count)
        each = parts_of(y, names, self._y, [loss is None for loss in self._losses])
        targets = tuple(
            None if loss is None else self._targets(part, loss, shape, named(self._y, names, index))
            for index, (part, loss, shape) in enumerate(zip(each, self._losses, shapes, strict=True))
        )
        self._warn_of_nan(inputs, network.input_names, self._x)
        # Targets of weight 0 and of masked steps are not read, and may be NaN.
        if weights is None and not any(layer.masks for layer in network.layers):
            self._warn_of_nan(targets, names, self._y)
        if self._class_weight is not None and targets[0] is not None:
            return Samples(inputs, targets, (self._weights_of(targets[0], shapes[0]),), self._label)
        return Samples(inputs, targets, self._each_weights(weights, shapes), self._label)

    def batch(self, batch: Any) -> Samples:
        """Check one batch from a source of batches."""
        if not self._losses:
            # Prediction ignores targets. Inputs without targets need no tuple or list around them.
            x = batch[0] if isinstance(batch, tuple | list) and batch else batch
            return self.samples(x, None, None)
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise ValueError(f"a batch must be (x, y) or (x, y, sample_weight), not {brief(batch)}")
        return self.samples(batch[0], batch[1], batch[2] if len(batch) == 3 else None)

    def _inputs(self, x: Any) -> tuple[np.ndarray, ...]:
        network = self._network
        names = network.input_names if network.built else ["x"]
        if len(names) == 1:
            x = _only(x, self._takes)
        inputs = []
        for index, part in enumerate(parts_of(x, names, self._x)):
            name = named(self._x, names, index)
            array = self._input(part, index, name)
            if isinstance(network, Chain) and not network.built:
                network.build_for(array.shape)
            expected, shape = network.input_shapes[index], array.shape
            if len(expected) != len(shape) or any(e not in (None, a) for e, a in zip(expected, shape, strict=True)):
                sizes = "".join(", any" if size is None else f", {size}" for size in expected[1:])
                hint = _hint(name, expected, shape)
                raise ValueError(f"{name} must have shape (samples{sizes}), not {shape}{hint}")
            inputs.append(array)
        counts = [len(array) for array in inputs]
        for index, count in enumerate(counts):
            if count != counts[0]:
                first, other = (named(self._x, names, number) for number in (0, index))
                raise ValueError(f"{first} has {counts[0]} samples, but {other} has {count}: give all inputs as many")
        return tuple(inputs)

    def _takes(self, shape: tuple[int, ...]) -> bool:
        """Whether the only input takes an array of this shape, as far as is known before the network is built."""
        try:
            self._network.compute_output_shapes((shape,))
        except ValueError:
            return False
        return not self._network.built or len(shape) == len(self._network.input_shapes[0])

    def _check_count(self, array: np.ndarray, name: str, samples: int) -> None:
        if array.ndim and len(array) != samples:
            raise ValueError(f"{self._x} has {samples} samples, but {name} has {len(array)}")

    def _warn_of_nan(self, arrays: Sequence[np.ndarray | None], names: Sequence[str], what: str) -> None:
        """Warn once of the first array with NaN in it."""
        for index, array in enumerate(arrays if self._warns_of_nan else ()):
            if array is None or array.dtype.kind != "f" or _lies_in_a_file(array):
                continue
            with np.errstate(all="ignore"):
                if not np.isnan(np.add.reduce(array, axis=None)):  # A sum is NaN if a number is: nothing is allocated.
                    continue
            found = first_where(array, np.isnan)
            if found is not None:
                self._warns_of_nan = False
                warnings.warn(
                    f"{named(what, names, index)} holds NaN, first in sample {found[0]}: training makes all weights "
                    "NaN; fill it, or leave such samples out",
                    stacklevel=6,
                )
                return

    def _input(self, x: Any, index: int, name: str) -> np.ndarray:
        network = self._network
        dtype = network.input_dtype(index)
        if not _stays(x, dtype):
            return np.ascontiguousarray(network.check_input(index, x, name))
        # All ids are checked, in blocks of little memory. For numbers the first block is enough to check the dtype.
        count = max(1, _AT_ONCE // max(1, x[:1].size))
        for start in range(0, len(x) if dtype == "int64" else 1, count):
            network.check_input(index, x[start : start + count], name)
        array: np.ndarray = x
        return array

    def _targets(self, y: Any, loss: Loss, shape: tuple[int, ...], name: str) -> np.ndarray:
        targets = checks.array(y, name)
        self._check_count(targets, name, shape[0])
        targets = loss.check(targets, shape, name)
        dtype = loss.target_dtype(self._network.dtype)
        if not _stays(targets, dtype):
            with np.errstate(over="ignore"):
                targets = np.ascontiguousarray(targets, dtype)
        return targets

    def _each_weights(self, weights: Any, shapes: Shapes) -> tuple[np.ndarray | None, ...]:
        """The sample weights of each output. A single array holds for all of them."""
        if weights is None:
            return (None,) * len(shapes)
        rows = [
            shape[: -1 if loss is None else -loss.row_axes] for loss, shape in zip(self._losses, shapes, strict=True)
        ]
        names = self._network.output_names
        if len(names) > 1 and not isinstance(weights, Mapping | list | tuple):
            weights = [weights] * len(names)
        missing = [True] * len(names)
        return tuple(
            None if part is None else self._sample_weights(part, shape, named(self._weights, names, index))
            for index, (part, shape) in enumerate(
                zip(parts_of(weights, names, self._weights, missing), rows, strict=True)
            )
        )

    def _sample_weights(self, weights: Any, rows: tuple[int, ...], name: str) -> np.ndarray:
        array = checks.numbers(weights, name, self._network.dtype)
        self._check_count(array, name, rows[0])
        if array.shape not in (rows[:1], rows):
            shapes = " or ".join(str(shape) for shape in dict.fromkeys((rows[:1], rows)))
            raise ValueError(f"{name} must have shape {shapes}, not {array.shape}")
        return np.ascontiguousarray(array)

    def _weights_of(self, targets: np.ndarray, outputs: tuple[int, ...]) -> np.ndarray:
        """Each row's class weight. The class is the label, the argmax of several targets, or the rounded target."""
        assert self._class_weight is not None
        if targets.ndim < len(outputs):
            classes, count = targets, outputs[-1]
        elif targets.shape[-1] > 1:
            classes, count = targets.argmax(axis=-1), targets.shape[-1]
        else:
            classes, count = np.rint(targets[..., 0]).astype("int64"), None
        if count is not None and (foreign := [label for label in self._class_weight if not 0 <= label < count]):
            raise ValueError(f"class_weight has a weight for class {foreign[0]}, but the classes are 0 to {count - 1}")
        labels, places = np.unique(classes, return_inverse=True)
        table = np.array([self._class_weight.get(int(label), 1.0) for label in labels], self._network.dtype)
        return table[places.reshape(classes.shape)]


def parts_of(given: Any, names: Sequence[str], what: str, optional: Sequence[bool] = ()) -> list[Any]:
    """What is given for each name: the whole for one name, else a list, a tuple or a dict of as many.

    Args:
        given: The data.
        names: The names of the inputs or outputs.
        what: Name of the data in error messages.
        optional: Which names a dict may leave out.
    """
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        missing = [name for index, name in enumerate(names) if name not in given and not (optional and optional[index])]
        if unknown or missing:
            wrong = {"lacks": missing, "has the unknown": unknown}
            faults = " and ".join(f"{fault} {listed(which)}" for fault, which in wrong.items() if which)
            raise ValueError(f"{what} must be a dict with {listed(names)}, the names in the model, but {faults}")
        return [given.get(name) for name in names]
    if len(names) == 1:
        return [given]
    if not isinstance(given, list | tuple) or len(given) != len(names):
        raise ValueError(
            f"{what} must be a list of {len(names)} arrays, or a dict with {listed(names)}, not {brief(given)}"
        )
    return list(given)


def _only(values: Any, takes: Callable[[tuple[int, ...]], bool]) -> Any:
    """The array in a list of one array, as Keras takes them for a single input or output; else the values."""
    if isinstance(values, list | tuple) and len(values) == 1 and takes(tuple(getattr(values[0], "shape", ()))):
        return values[0]
    return values


def _hint(name: str, expected: Sequence[int | None], shape: tuple[int, ...]) -> str:
    """What to do if an axis is missing."""
    if len(expected) != len(shape) + 1:
        return ""
    if expected[-1] == 1:
        return f": give steps of one feature an axis for it, as by {name}[..., None]"
    fits = all(e in (None, size) for e, size in zip(expected[1:], shape, strict=True))
    return f": one sample is {name}[None]" if fits else ""


def named(what: str, names: Sequence[str], index: int) -> str:
    """The name of one of several data in error messages."""
    return what if len(names) == 1 else f"{what}[{names[index]!r}]"


def _class_weight(weights: Any) -> dict[int, float]:
    if not isinstance(weights, Mapping):
        raise TypeError(f"class_weight must be a dict from class to weight, not {quoted(weights)}")
    for label, weight in weights.items():
        checks.integer(label, "each class in class_weight", least=0)
        if not isinstance(weight, int | float | np.number) or not np.isfinite(weight):
            raise ValueError(f"class_weight of class {label} must be a finite number, not {quoted(weight)}")
    return {int(label): float(weight) for label, weight in weights.items()}


def _stays(array: Any, dtype: str) -> bool:
    """Whether to cast an array batch by batch instead of now: it is a memory map, or the cast would enlarge it."""
    if not isinstance(array, np.ndarray) or not array.ndim:
        return False
    return _lies_in_a_file(array) or (array.dtype.kind in "biuf" and array.dtype.itemsize < np.dtype(dtype).itemsize)


def _lies_in_a_file(array: Any) -> bool:
    """Whether an array is a memory map or a view of a memory map, and may be larger than memory."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def brief(thing: Any) -> str:
    """The type and length of a thing, for error messages."""
    length = length_of(thing)
    if isinstance(thing, np.ndarray):
        return "an array" if length is None else f"an array of {length} samples"
    return a(type(thing).__name__) + ("" if length is None else f" of {length}")


def length_of(thing: Any) -> int | None:
    """The length of a thing; None if it has none. Some things, such as PyTorch's loaders, know it only when asked."""
    try:
        return len(thing)
    except TypeError:
        return None
