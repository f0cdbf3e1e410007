"""The transfer of batches to the backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

import numpy as np

from numlstm.kernels import Array, Backend
from numlstm.training.samples import Rows

__all__ = ["StagedArray", "StagingBuffer"]

_ALIGNMENT = 64  # Bytes.


class StagingBuffer:
    """Several arrays in one host buffer, which is copied to the backend at once.

    Args:
        backend: The backend that receives the arrays.
        parts: Shapes and dtypes of the arrays.
    """

    def __init__(self, backend: Backend, parts: Sequence[tuple[tuple[int, ...], str]]) -> None:
        self._backend = backend
        words = [-(-prod(shape) * np.dtype(dtype).itemsize // _ALIGNMENT) * (_ALIGNMENT // 8) for shape, dtype in parts]
        self._ends = list(accumulate(words))
        self._host = np.zeros(sum(words), "float64")
        self._array = backend.asarray(self._host, "float64")
        self.arrays = [
            StagedArray(
                *(
                    whole[end - size : end].view(dtype)[: prod(shape)].reshape(shape)
                    for whole in (self._host, self._array)
                )
            )
            for (shape, dtype), size, end in zip(parts, words, self._ends, strict=True)
        ]

    def send(self, count: int) -> None:
        """Copy the first `count` arrays to the backend. On the CPU there is nothing to copy."""
        if self._array is not self._host:
            end = self._ends[count - 1]
            self._backend.copy(self._array[:end], self._host[:end])


@dataclass(eq=False, repr=False)
class StagedArray:
    """An array on the host and its copy on the backend. On the CPU both are the same memory."""

    host: np.ndarray
    array: Array

    def fill(self, source: np.ndarray, rows: Rows, steps: slice | None) -> None:
        """Copy the selected rows (and steps) in. An array without a time axis is repeated for every step."""
        if source.ndim < self.host.ndim:
            self.host[...] = source[rows].reshape(-1, *(1,) * (self.host.ndim - 1))
        elif steps is not None:
            self.host[...] = source[:, steps][rows]
        elif isinstance(rows, slice) or source.dtype != self.host.dtype or not source.flags.c_contiguous:
            self.host[...] = source[rows]
        else:
            # With mode="raise" NumPy copies `out`. "clip" avoids the copy, and the rows are in range.
            np.take(source, rows, axis=0, out=self.host, mode="clip")
