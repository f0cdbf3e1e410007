"""The sources of batches: arrays, memory maps, sequences of batches, generators."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from itertools import chain
from typing import Any

import numpy as np

from numlstm import checks, seeds
from numlstm.messages import a
from numlstm.override import override
from numlstm.training.input_checker import InputChecker, brief, length_of
from numlstm.training.samples import Rows, Samples

__all__ = ["ArrayFeed", "Feed", "StreamFeed", "gives_batches", "open_feed"]

_USUAL = 32


def gives_batches(x: Any) -> bool:
    """Whether x is a source of batches, such as a generator or a Keras `PyDataset`, and not an array of samples."""
    if isinstance(x, np.ndarray | list | tuple | Mapping | str) or hasattr(x, "__array__"):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__getitem__") or isinstance(x, Iterable)


class Feed:
    """The base of feeds: the batches of one epoch after another.

    Args:
        steps: Batches per epoch; None: all batches.
    """

    def __init__(self, steps: int | None) -> None:
        self._steps = steps
        self._batches: Iterator[tuple[Samples, Rows]] = iter(())
        self.exhausted = False
        """Whether no epoch can follow, because no more data come."""
        self._taken = 0
        self._before: dict[str, Any] = {}
        """The batches that were taken of the present pass, and the state of the random generator before it."""

    once = False
    """Whether the data allow only one pass, as generators do."""

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the inputs in the first batch."""
        raise NotImplementedError

    def _count(self) -> int | None:
        """The number of batches in one pass over the data; None if it is not known in advance."""
        raise NotImplementedError

    def _sweep(self, taken: int = 0) -> Iterator[tuple[Samples, Rows]]:
        """One pass over the data, without its first `taken` batches."""
        raise NotImplementedError

    @property
    def can_return(self) -> bool:
        """Whether `set_state` can go back into a pass that has begun."""
        return True

    def facts(self) -> dict[str, Any]:
        """What must be the same where `state` is restored."""
        return {"steps": self._steps}

    def state(self) -> dict[str, Any]:
        """The position in the data, as plain data."""
        return {"facts": self.facts(), "taken": self._taken, "before": self._before}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `state`. It sets the common random generator to draw the order of the pass again."""
        self._taken, self._before = checks.integer(state["taken"], "the position", least=0), state["before"]
        if self._before and self.can_return:
            seeds.set_state(self._before)
            # The pass draws its order with its first batch.
            self._batches = self._begun(self._sweep(self._taken))

    def _begun(self, batches: Iterator[tuple[Samples, Rows]]) -> Iterator[tuple[Samples, Rows]]:
        """The same batches, of which the first one is taken at once."""
        first = next(batches, None)
        return iter(()) if first is None else chain([first], batches)

    def _begin_pass(self) -> None:
        self._before, self._taken = seeds.state(), 0
        self._batches = self._sweep()

    @property
    def steps(self) -> int | None:
        """Batches per epoch; None if the number is not known in advance."""
        return self._count() if self._steps is None else self._steps

    def restart(self) -> None:
        """Start a new pass with the next epoch. A generator goes on where it is."""
        self._batches = iter(())

    def epoch(self, begun: int = 0) -> Iterator[tuple[Samples, Rows]]:
        """The batches of an epoch, each as samples and the selected rows. With the data's pass ends the epoch, too.

        Args:
            begun: The number of batches of the epoch that are done already.
        """
        step = begun
        while self._steps is None or step < self._steps:
            batch = next(self._batches, None)
            if batch is None and not step:  # The epoch before ended with the pass.
                self._begin_pass()
                batch = next(self._batches, None)
            if batch is None:
                self.exhausted = self.once or not step
                if self._steps is not None or not step:
                    wanted = "" if self._steps is None else f" of {self._steps}"
                    warnings.warn(f"the data ended after {step}{wanted} steps", stacklevel=4)
                return
            self._taken += 1
            yield batch
            step += 1


class ArrayFeed(Feed):
    """Cuts arrays into batches.

    Args:
        checker: Checks the arrays.
        x, y, weights: (samples, ...) each; y and weights may be None.
        batch_size: Samples per batch; None: 32. The last batch may be smaller.
        shuffle: Whether to shuffle the samples before each pass.
        steps: As for `Feed`.
    """

    def __init__(
        self,
        checker: InputChecker,
        x: Any,
        y: Any,
        weights: Any,
        batch_size: int | None,
        shuffle: bool,
        steps: int | None,
    ) -> None:
        super().__init__(steps)
        self._batch_size, self._shuffle, self._weighs_classes = batch_size or _USUAL, shuffle, checker.weighs_classes
        self._samples = checker.samples(x, y, weights)
        self._first, self._end = 0, len(self._samples)

    def hold_out(self, fraction: float, batch_size: int | None, steps: int | None) -> ArrayFeed:
        """Move the last samples to a new feed and return it. Class weights do not apply to the new feed."""
        at = int(self._end * (1.0 - fraction))
        if at in (0, self._end):
            raise ValueError(
                f"validation_split={fraction} of {self._end} samples must leave some for training and some not"
            )
        held = copy(self)
        held._batch_size, held._steps, held._shuffle = batch_size or _USUAL, steps, False
        held._first = self._end = at
        if self._weighs_classes:
            held._samples = self._samples.without_weights()
        return held

    def __len__(self) -> int:
        """The number of samples."""
        return self._end - self._first

    @override
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        count = min(self._batch_size, len(self))
        return tuple((count, *shape[1:]) for shape in self._samples.shapes)

    def _count(self) -> int:
        return -(-len(self) // self._batch_size)

    @override
    def facts(self) -> dict[str, Any]:
        return super().facts() | {"samples": len(self), "batch_size": self._batch_size, "shuffle": self._shuffle}

    def _sweep(self, taken: int = 0) -> Iterator[tuple[Samples, Rows]]:
        order = seeds.generator().permutation(len(self)) if self._shuffle else None
        for begin in range(self._first + taken * self._batch_size, self._end, self._batch_size):
            end = min(begin + self._batch_size, self._end)
            yield self._samples, slice(begin, end) if order is None else order[begin:end]


class StreamFeed(Feed):
    """Takes batches from an object.

    Args:
        checker: Checks the batches.
        data: A generator or another iterable; or, like Keras' `PyDataset`, an object with `__len__` and `__getitem__`,
            and optionally `on_epoch_begin` and `on_epoch_end`.
        shuffle: Whether to shuffle the items of an object with `__len__` and `__getitem__` before each pass.
        steps: As for `Feed`.
    """

    def __init__(self, checker: InputChecker, data: Any, shuffle: bool, steps: int | None) -> None:
        super().__init__(steps)
        self._checker, self._data, self._shuffle = checker, data, shuffle
        self.once = hasattr(data, "__next__")

    @override
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        self._begin_pass()
        first = next(self._batches, None)
        if first is None:
            raise ValueError(f"{brief(self._data)} gives no batches")
        self._batches = chain([first], self._batches)
        return first[0].shapes

    @override
    def epoch(self, begun: int = 0) -> Iterator[tuple[Samples, Rows]]:
        self._tell("on_epoch_begin")
        yield from super().epoch(begun)
        self._tell("on_epoch_end")

    def _tell(self, hook: str) -> None:
        if hasattr(self._data, hook):
            getattr(self._data, hook)()

    def _count(self) -> int | None:
        return length_of(self._data)

    @property
    def can_return(self) -> bool:
        """Whether the data are numbered batches. What only iterates goes on where it is."""
        return hasattr(self._data, "__getitem__") and length_of(self._data) is not None

    @override
    def facts(self) -> dict[str, Any]:
        numbered = {"batches": len(self._data), "shuffle": self._shuffle} if self.can_return else {}
        return super().facts() | numbered

    def _sweep(self, taken: int = 0) -> Iterator[tuple[Samples, Rows]]:
        if self.can_return:
            count = len(self._data)
            numbers = seeds.generator().permutation(count).tolist() if self._shuffle else range(count)
            batches = (self._data[number] for number in numbers[taken:])
        else:
            batches = iter(self._data)
        for batch in batches:
            samples = self._checker.batch(batch)
            yield samples, slice(0, len(samples))


def open_feed(
    checker: InputChecker,
    x: Any,
    y: Any = None,
    weights: Any = None,
    batch_size: int | None = None,
    shuffle: bool = False,
    steps: int | None = None,
) -> Feed:
    """Make the feed for these data. Arguments and errors as for `ArrayFeed`, `StreamFeed` and `InputChecker`."""
    if not gives_batches(x):
        return ArrayFeed(checker, x, y, weights, batch_size, shuffle, steps)
    for name, value in (("y", y), ("sample_weight", weights), ("batch_size", batch_size)):
        if value is not None:
            raise ValueError(f"{name} must be None where x gives batches, as {a(type(x).__name__)} does: they have it")
    return StreamFeed(checker, x, shuffle, steps)
