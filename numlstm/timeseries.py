"""Batches of windows of a series, as Keras' `timeseries_dataset_from_array` makes them."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

import numpy as np

from numlstm import checks, seeds
from numlstm.messages import quoted

__all__ = ["TimeseriesDataset", "timeseries_dataset_from_array"]


class TimeseriesDataset:
    """Batches (x, y) of windows, or x without targets. It can be read again and again. `len` is the number of batches.

    Args:
        data: (steps, ...)
        targets: (steps, ...), the target of the window that begins at each step; None: no targets.
        windows: (windows, steps of a window), the indices of the steps.
        batch_size: Windows per batch; None: the windows one by one, without an axis of batches.
        generator: Draws a new order for each pass; None: in order.
    """

    def __init__(
        self,
        data: np.ndarray,
        targets: np.ndarray | None,
        windows: np.ndarray,
        batch_size: int | None,
        generator: np.random.Generator | None,
    ) -> None:
        self._data, self._targets, self._windows = data, targets, windows
        self._batch_size, self._generator = batch_size, generator

    def __len__(self) -> int:
        return -(-len(self._windows) // (self._batch_size or 1))

    def __iter__(self) -> Iterator[Any]:
        count, size = len(self._windows), self._batch_size or 1
        order = np.arange(count) if self._generator is None else self._generator.permutation(count)
        for begin in range(0, count, size):
            rows = order[begin] if self._batch_size is None else order[begin : begin + size]
            windows = self._windows[rows]
            x = self._data[windows]
            yield x if self._targets is None else (x, self._targets[windows[..., 0]])


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> TimeseriesDataset:
    """Cut a series into windows, in batches for `fit`, `evaluate` and `predict`.

    Args:
        data: (steps, ...), the series.
        targets: `targets[i]` is the target of the window that begins at step i; None: no targets.
        sequence_length: Steps of a window.
        sequence_stride: Steps from one window to the next.
        sampling_rate: Steps from one step of a window to the next.
        batch_size: Windows per batch; None: the windows one by one.
        shuffle: Whether to draw a new order of the windows for each pass.
        seed: Seed of the order, an integer from 0. None: the generator that `numlstm.set_seed` seeds.
        start_index: Steps before it are not used.
        end_index: This step and later ones are not used.
        format: Ignored: the batches are NumPy arrays.

    Raises:
        ValueError: If a number is out of range, or no window fits into the data.
        TypeError: If a number is not an integer, or `data` or `targets` are no array.
    """
    series = checks.array(data, "data")
    length = len(series) if series.ndim else 0
    steps = checks.integer(sequence_length, "sequence_length")
    stride = checks.integer(sequence_stride, "sequence_stride", most=max(1, length - 1))
    rate = checks.integer(sampling_rate, "sampling_rate", most=max(1, length - 1))
    begin = 0 if start_index is None else checks.integer(start_index, "start_index", least=0, most=length - 1)
    end = length
    if end_index is not None:
        end = checks.integer(end_index, "end_index", least=begin + 1, most=length - 1)
    size = checks.optional_integer(batch_size, "batch_size")
    count = end - begin - (steps - 1) * rate
    goals = None
    if targets is not None:
        goals = checks.array(targets, "targets")[begin:]
        count = min(count, len(goals))
    if count < 1:
        raise ValueError(
            f"no window fits: it takes {(steps - 1) * rate + 1} steps and a target, but there are {end - begin} steps"
            + ("" if goals is None else f" and {len(goals)} targets")
        )
    starts = np.arange(0, count, stride)
    generator = None
    if checks.boolean(shuffle, "shuffle"):
        given = None if seed is None else checks.integer(seed, "seed", least=0, most=inf)
        generator = seeds.generator() if given is None else np.random.default_rng(given)
    if format not in ("tf", "grain"):
        raise ValueError(f"format must be 'tf' or 'grain', as in Keras, not {quoted(format)}")
    windows = starts[:, np.newaxis] + rate * np.arange(steps)
    return TimeseriesDataset(series[begin:end], goals, windows, size, generator)
