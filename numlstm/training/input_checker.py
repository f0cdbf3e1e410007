"""Checks of a user's data before any kernel reads them.

Arrays are checked as a whole before the first batch. Sources of batches are checked batch by batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from numlstm import checks
from numlstm.losses import Loss
from numlstm.losses.loss import first_where
from numlstm.messages import a, quoted
from numlstm.network import Network
from numlstm.training.samples import Samples

__all__ = ["InputChecker", "brief", "length_of"]

_AT_ONCE = 1 << 20


class InputChecker:
    """Checks arrays and converts them for a network's batches. Builds the network if necessary.

    Args:
        network: The network that the data are checked against.
        loss: The loss that reads the targets; None if there are no targets.
        class_weight: As for `Model.fit`.
        label: Prefix of x, y and sample_weight in error messages, such as "the validation ".
        warns_of_nan: Whether to warn once of NaN in x or y, which training would spread to all weights. Memory maps are
            not searched.

    Raises:
        ValueError, TypeError: Here and in all methods, if an argument does not fit the network.
    """

    def __init__(
        self, network: Network, loss: Loss | None, class_weight: Any = None, label: str = "", warns_of_nan: bool = False
    ) -> None:
        if not network.layers:
            raise ValueError("the model has no layers: add one first")
        self._network, self._loss = network, loss
        self._class_weight = None if class_weight is None else _class_weight(class_weight)
        self._label, self._warns_of_nan = label, warns_of_nan
        self._x, self._y, self._weights = (f"{label}{name}" for name in ("x", "y", "sample_weight"))

    @property
    def weighs_classes(self) -> bool:
        """Whether samples are weighted by their classes."""
        return self._class_weight is not None

    def samples(self, x: Any, y: Any, weights: Any) -> Samples:
        """Check arrays."""
        inputs = self._inputs(_only(x, self._takes))
        if self._loss is None:
            return Samples(inputs, label=self._label)
        if not len(inputs):
            raise ValueError(f"{self._x} has no samples")
        outputs = cast(tuple[int, ...], self._network.compute_output_shape(inputs.shape))
        if y is None:
            raise ValueError(f"{self._y} must be given, as {self._x} is an array")
        y = _only(y, lambda shape: len(shape) in (len(outputs), len(outputs) - 1) and shape[:1] == outputs[:1])
        targets = checks.array(y, self._y)
        self._check_count(targets, self._y, len(inputs))
        targets = self._loss.check(targets, outputs, self._y)
        dtype = self._loss.target_dtype(self._network.dtype)
        if not _stays(targets, dtype):
            with np.errstate(over="ignore"):
                targets = np.ascontiguousarray(targets, dtype)
        if weights is not None:
            if self._class_weight is not None:
                raise ValueError("class_weight and sample_weight cannot be given together: multiply the latter")
            weights = self._sample_weights(weights, outputs)
        elif self._class_weight is not None:
            weights = self._weights_of(targets, outputs)
        self._warn_of_nan(inputs, self._x)
        # Targets of weight 0 and of masked steps are not read, and may be NaN.
        if weights is None and not any(layer.masks for layer in self._network.layers):
            self._warn_of_nan(targets, self._y)
        return Samples(inputs, targets, weights, self._label)

    def batch(self, batch: Any) -> Samples:
        """Check one batch from a source of batches."""
        if self._loss is None:
            # Prediction ignores targets. Inputs without targets need no tuple or list around them.
            x = batch[0] if isinstance(batch, tuple | list) and batch else batch
            return self.samples(x, None, None)
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise ValueError(f"a batch must be (x, y) or (x, y, sample_weight), not {brief(batch)}")
        return self.samples(batch[0], batch[1], batch[2] if len(batch) == 3 else None)

    def _takes(self, shape: tuple[int, ...]) -> bool:
        """Whether the network takes an array of this shape, as far as is known before it is built."""
        try:
            self._network.compute_output_shape(shape)
        except ValueError:
            return False
        return not self._network.built or len(shape) == len(self._network.input_shape)

    def _inputs(self, x: Any) -> np.ndarray:
        check, dtype = self._network.check_input, self._network.input_dtype
        if _stays(x, dtype):
            # All ids are checked, in blocks of little memory. For numbers the first block is enough to check the dtype.
            count = max(1, _AT_ONCE // max(1, x[:1].size))
            for start in range(0, len(x) if dtype == "int64" else 1, count):
                check(x[start : start + count], self._x)
            array = x
        else:
            array = np.ascontiguousarray(check(x, self._x))
        shape = array.shape
        if not self._network.built:
            self._network.build_for(shape)
        expected = self._network.input_shape
        if len(expected) != len(shape) or any(e not in (None, a) for e, a in zip(expected, shape, strict=True)):
            sizes = "".join(", any" if size is None else f", {size}" for size in expected[1:])
            hint = ""
            if len(expected) == len(shape) + 1:
                one = all(e in (None, a) for e, a in zip(expected[1:], shape, strict=True))
                hint = f": one sample is {self._x}[None]" if one else ""
                if expected[-1] == 1:
                    hint = f": give steps of one feature an axis for it, as by {self._x}[..., None]"
            raise ValueError(f"{self._x} must have shape (samples{sizes}), not {shape}{hint}")
        return array

    def _warn_of_nan(self, array: np.ndarray, name: str) -> None:
        if not self._warns_of_nan or array.dtype.kind != "f" or _lies_in_a_file(array):
            return
        with np.errstate(all="ignore"):
            if not np.isnan(np.add.reduce(array, axis=None)):  # A sum is NaN if a number is: no array is allocated.
                return
        found = first_where(array, np.isnan)
        if found is not None:
            self._warns_of_nan = False
            warnings.warn(
                f"{name} holds NaN, first in sample {found[0]}: training makes all weights NaN; fill it, or leave such "
                "samples out",
                stacklevel=6,
            )

    def _check_count(self, array: np.ndarray, name: str, samples: int) -> None:
        if array.ndim and len(array) != samples:
            raise ValueError(f"{self._x} has {samples} samples, but {name} has {len(array)}")

    def _sample_weights(self, weights: Any, outputs: tuple[int, ...]) -> np.ndarray:
        array = checks.numbers(weights, self._weights, self._network.dtype)
        self._check_count(array, self._weights, outputs[0])
        if array.shape not in (outputs[:1], outputs[:-1]):
            shapes = " or ".join(str(shape) for shape in dict.fromkeys((outputs[:1], outputs[:-1])))
            raise ValueError(f"{self._weights} must have shape {shapes}, not {array.shape}")
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


def _only(values: Any, takes: Callable[[tuple[int, ...]], bool]) -> Any:
    """The array in a list of one array, as Keras takes them for a single input or output; else the values."""
    if isinstance(values, list | tuple) and len(values) == 1 and takes(tuple(getattr(values[0], "shape", ()))):
        return values[0]
    return values


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
    return a(type(thing).__name__) + ("" if length is None else f" of {length}")


def length_of(thing: Any) -> int | None:
    """The length of a thing; None if it has none. Some things, such as PyTorch's loaders, know it only when asked."""
    try:
        return len(thing)
    except TypeError:
        return None
