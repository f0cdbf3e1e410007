"""A text as batches whose rows are parallel streams: a row of a batch goes on where that of the batch before ended."""

from __future__ import annotations

import numpy as np

__all__ = ["Pieces", "pieces"]


def pieces(ids: np.ndarray, streams: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut symbols into streams, and these into pieces, in the order of batches of `streams` rows.

    Of the end, fewer than B · T symbols are left out.

    Args:
        ids: [N] symbols, more than B.
        streams: B.
        steps: T; fewer if the streams are shorter.

    Returns:
        The inputs and the targets, which are the symbols after them: [K · B, T] each.
    """
    steps = min(steps, (len(ids) - 1) // streams)
    count = (len(ids) - 1) // (streams * steps)
    used = streams * count * steps
    parts = []
    for first in (0, 1):
        rows = ids[first : first + used].reshape(streams, count, steps)
        parts.append(np.ascontiguousarray(rows.swapaxes(0, 1)).reshape(count * streams, steps))
    return parts[0], parts[1]


class Pieces:
    """One stream as batches of one row: `Model.fit` takes it as validation data. Arguments as for `pieces`."""

    def __init__(self, ids: np.ndarray, steps: int) -> None:
        self._x, self._y = pieces(ids, 1, steps)

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return self._x[number][None], self._y[number][None]
