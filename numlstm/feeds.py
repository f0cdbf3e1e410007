"""Where batches come from: arrays, memory maps, sequences of batches, generators; checked before a kernel sees them.

Arrays are checked whole, before the first batch; data that come in batches, batch by batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from numlstm import checks, seeds
from numlstm.batches import Rows, Samples

if TYPE_CHECKING:
    from numlstm.losses import Loss
    from numlstm.model import Sequential

__all__ = ["ArrayFeed", "Feed", "Intake", "StreamFeed", "gives_batches", "open_feed"]


_AT_ONCE = 1 << 20
_USUAL = 32


def gives_batches(x: Any) -> bool:
    """Whether data give batches one after the other, as generators and Keras' sequences do, rather than samples."""
    if isinstance(x, np.ndarray | list | tuple | Mapping | str) or hasattr(x, "__array__"):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__getitem__") or isinstance(x, Iterable)


class Intake:
    """What a model takes: makes arrays ready for its batches, and builds it if it has not been yet.

    Args:
        model: It.
        loss: What the targets are for; None where there are none.
        class_weight: See `Sequential.fit`.
        kind: What stands before x, y and sample_weight in messages: "the validation " or nothing.

    Raises:
        ValueError, TypeError: From here and from all methods, if something does not fit the model.
    """

    def __init__(self, model: Sequential, loss: Loss | None, class_weight: Any = None, kind: str = "") -> None:
        if not model.layers:
            raise ValueError("the model has no layers: add one first")
        self._model, self._loss = model, loss
        self._class_weight = None if class_weight is None else _class_weight(class_weight)
        self._x, self._y, self._weights = (f"{kind}{name}" for name in ("x", "y", "sample_weight"))

    @property
    def weighs_classes(self) -> bool:
        """Whether samples are weighted by their classes."""
        return self._class_weight is not None

    def samples(self, x: Any, y: Any, weights: Any) -> Samples:
        """Arrays, checked whole."""
        inputs = self._inputs(x)
        if self._loss is None:
            return Samples(inputs)
        if not len(inputs):
            raise ValueError(f"{self._x} has no samples")
        outputs = cast(tuple[int, ...], self._model.compute_output_shape(inputs.shape))
        if y is None:
            raise ValueError(f"{self._y} must be given, as {self._x} is an array")
        targets = self._loss.check(checks.array(y, self._y), outputs, self._y)
        dtype = self._loss.target_dtype(self._model.dtype)
        if not _stays(targets, dtype):
            with np.errstate(over="ignore"):
                targets = np.ascontiguousarray(targets, dtype)
        if weights is not None:
            if self._class_weight is not None:
                raise ValueError("class_weight and sample_weight cannot be given together: multiply the latter")
            weights = self._sample_weights(weights, outputs)
        elif self._class_weight is not None:
            weights = self._weights_of(targets, outputs)
        return Samples(inputs, targets, weights)

    def batch(self, batch: Any) -> Samples:
        """One of the batches that data give."""
        if self._loss is None:
            # Targets may be there too, as for training; an input alone need not be in a tuple or a list.
            x = batch[0] if isinstance(batch, tuple | list) and batch else batch
            return self.samples(x, None, None)
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            raise ValueError(f"a batch must be (x, y) or (x, y, sample_weight), not {_brief(batch)}")
        return self.samples(batch[0], batch[1], batch[2] if len(batch) == 3 else None)

    def _inputs(self, x: Any) -> np.ndarray:
        check, dtype = self._model.check_input, self._model.input_dtype
        if _stays(x, dtype):
            # Ids are looked at one by one, as many at a time as need little room; of numbers the first tell the kind.
            count = max(1, _AT_ONCE // max(1, x[:1].size))
            for start in range(0, len(x) if dtype == "int64" else 1, count):
                check(x[start : start + count], self._x)
            array = x
        else:
            array = np.ascontiguousarray(check(x, self._x))
        shape = array.shape
        if not self._model.built:
            self._model.build_for(shape)
        expected = self._model.input_shape
        if len(expected) != len(shape) or any(e not in (None, a) for e, a in zip(expected, shape, strict=True)):
            sizes = "".join(", any" if size is None else f", {size}" for size in expected[1:])
            raise ValueError(f"{self._x} must have shape (samples{sizes}), not {shape}")
        return array

    def _sample_weights(self, weights: Any, outputs: tuple[int, ...]) -> np.ndarray:
        array = checks.numbers(weights, self._weights, self._model.dtype)
        if array.shape not in (outputs[:1], outputs[:-1]):
            shapes = " or ".join(str(shape) for shape in dict.fromkeys((outputs[:1], outputs[:-1])))
            raise ValueError(f"{self._weights} must have shape {shapes}, not {array.shape}")
        return np.ascontiguousarray(array)

    def _weights_of(self, targets: np.ndarray, outputs: tuple[int, ...]) -> np.ndarray:
        """A weight for each row, by its class: the label, the largest of several targets, or the rounded target."""
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
        table = np.array([self._class_weight.get(int(label), 1.0) for label in labels], self._model.dtype)
        return table[places.reshape(classes.shape)]


class Feed:
    """The batches of epoch after epoch.

    Args:
        steps: How many batches make an epoch; None: all that there are.
    """

    def __init__(self, steps: int | None) -> None:
        self._steps = steps
        self._passing: Iterator[tuple[Samples, Rows]] = iter(())
        self.exhausted = False
        """Whether it ran out of data for good."""

    def shape(self) -> tuple[int, ...]:
        """The shape of the first batch of inputs."""
        raise NotImplementedError

    def _count(self) -> int | None:
        """How many batches there are; None where only their end will tell."""
        raise NotImplementedError

    def _pass(self) -> Iterator[tuple[Samples, Rows]]:
        """All batches, once."""
        raise NotImplementedError

    @property
    def steps(self) -> int | None:
        """How many batches make an epoch; None where only its end will tell."""
        return self._count() if self._steps is None else self._steps

    def restart(self) -> None:
        """Let the next epoch begin with the first batch, where there is a way back to it."""
        self._passing = iter(())

    def epoch(self, again: bool = True) -> Iterator[tuple[Samples, Rows]]:
        """The batches of an epoch, each as samples and which of them.

        Args:
            again: Whether another pass follows where one is too short; else the epoch is too.
        """
        step = 0
        while self._steps is None or step < self._steps:
            batch = next(self._passing, None)
            if batch is None:
                if step and self._steps is None:
                    return
                if again or not step:
                    self._passing = self._pass()
                    batch = next(self._passing, None)
            if batch is None:
                self.exhausted = True
                wanted = "" if self._steps is None else f" of {self._steps}"
                warnings.warn(f"the data ended after {step}{wanted} steps", stacklevel=4)
                return
            yield batch
            step += 1


class ArrayFeed(Feed):
    """Batches of arrays.

    Args:
        intake: What checks them.
        x, y, weights: (samples, ...) each; None where there are none.
        batch_size: Samples per batch, 32 if None; the last one may be smaller.
        shuffle: Whether each pass has an order of its own.
        steps: See `Feed`.
    """

    def __init__(
        self,
        intake: Intake,
        x: Any,
        y: Any,
        weights: Any,
        batch_size: int | None,
        shuffle: bool,
        steps: int | None,
    ) -> None:
        super().__init__(steps)
        self._batch_size, self._shuffle, self._weighs_classes = batch_size or _USUAL, shuffle, intake.weighs_classes
        self._samples = intake.samples(x, y, weights)
        self._first, self._end = 0, len(self._samples.x)

    def hold_out(self, fraction: float, batch_size: int | None, steps: int | None) -> ArrayFeed:
        """Leave the last samples, without the weights of their classes, to another feed, which this returns."""
        at = int(self._end * (1.0 - fraction))
        if at in (0, self._end):
            raise ValueError(
                f"validation_split={fraction} of {self._end} samples must leave some for training and some not"
            )
        held = copy(self)
        held._batch_size, held._steps, held._shuffle = batch_size or _USUAL, steps, False
        held._first = self._end = at
        if self._weighs_classes:
            held._samples = replace(self._samples, weights=None)
        return held

    def __len__(self) -> int:
        """The number of samples."""
        return self._end - self._first

    def shape(self) -> tuple[int, ...]:
        """See `Feed.shape`."""
        return (min(self._batch_size, len(self)), *self._samples.x.shape[1:])

    def _count(self) -> int:
        return -(-len(self) // self._batch_size)

    def _pass(self) -> Iterator[tuple[Samples, Rows]]:
        order = seeds.generator().permutation(len(self)) if self._shuffle else None
        for begin in range(self._first, self._end, self._batch_size):
            end = min(begin + self._batch_size, self._end)
            yield self._samples, slice(begin, end) if order is None else order[begin:end]


class StreamFeed(Feed):
    """The batches that an object gives.

    Args:
        intake: What checks them.
        data: A generator; something to iterate over; or, as Keras' `PyDataset`, with a length and an item for each
            batch, and `on_epoch_begin` and `on_epoch_end` if it likes.
        shuffle: Whether each pass takes the items in an order of its own, where they have numbers.
        steps: See `Feed`.
    """

    def __init__(self, intake: Intake, data: Any, shuffle: bool, steps: int | None) -> None:
        super().__init__(steps)
        self._intake, self._data, self._shuffle = intake, data, shuffle
        self.once = hasattr(data, "__next__")
        """Whether there is but one pass."""

    def shape(self) -> tuple[int, ...]:
        """See `Feed.shape`."""
        self._passing = self._pass()
        first = next(self._passing, None)
        if first is None:
            raise ValueError(f"{_brief(self._data)} gives no batches")
        self._passing = chain([first], self._passing)
        return first[0].x.shape

    def epoch(self, again: bool = True) -> Iterator[tuple[Samples, Rows]]:
        """See `Feed.epoch`."""
        self._tell("on_epoch_begin")
        yield from super().epoch(again)
        self._tell("on_epoch_end")

    def _tell(self, hook: str) -> None:
        if hasattr(self._data, hook):
            getattr(self._data, hook)()

    def _count(self) -> int | None:
        return len(self._data) if hasattr(self._data, "__len__") else None

    def _pass(self) -> Iterator[tuple[Samples, Rows]]:
        if hasattr(self._data, "__getitem__") and hasattr(self._data, "__len__"):
            count = len(self._data)
            numbers = seeds.generator().permutation(count).tolist() if self._shuffle else range(count)
            batches = (self._data[number] for number in numbers)
        else:
            batches = iter(self._data)
        for batch in batches:
            samples = self._intake.batch(batch)
            yield samples, slice(0, len(samples.x))


def open_feed(
    intake: Intake,
    x: Any,
    y: Any = None,
    weights: Any = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    steps: int | None = None,
) -> Feed:
    """The feed of these data. Arguments and errors as for the feeds and the intake."""
    if not gives_batches(x):
        return ArrayFeed(intake, x, y, weights, batch_size, shuffle, steps)
    for name, value in (("y", y), ("sample_weight", weights), ("batch_size", batch_size)):
        if value is not None:
            raise ValueError(f"{name} must be None where x gives batches, as a {type(x).__name__} does: they have it")
    return StreamFeed(intake, x, shuffle, steps)


def _class_weight(weights: Any) -> dict[int, float]:
    if not isinstance(weights, Mapping):
        raise TypeError(f"class_weight must be a dict from class to weight, not {weights!r}")
    for label, weight in weights.items():
        checks.integer(label, "each class in class_weight", least=0)
        if not isinstance(weight, int | float | np.number) or not np.isfinite(weight):
            raise ValueError(f"class_weight of class {label} must be a finite number, not {weight!r}")
    return {int(label): float(weight) for label, weight in weights.items()}


def _stays(array: Any, dtype: str) -> bool:
    """Whether an array is left as it is, and cast batch by batch: it lies in a file, or would grow."""
    if not isinstance(array, np.ndarray) or not array.ndim:
        return False
    return _lies_in_a_file(array) or (array.dtype.kind in "biuf" and array.dtype.itemsize < np.dtype(dtype).itemsize)


def _lies_in_a_file(array: Any) -> bool:
    """Whether it is a memory map or a view of one, and may be larger than memory."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def _brief(thing: Any) -> str:
    """What kind of thing it is, for a message."""
    return f"a {type(thing).__name__}" + (f" of {len(thing)}" if hasattr(thing, "__len__") else "")
