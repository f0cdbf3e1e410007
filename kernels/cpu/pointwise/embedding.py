"""Rows of a table selected by ids, and the masks that Embedding and Masking compute."""

import numpy as np

from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for

__all__ = ["embedding_backward", "embedding_forward", "id_mask", "value_mask"]

_LINE = 16
"""The fewest columns that a thread takes: a cache line, so that no two threads write to the same line."""


@kernel("real2C int1C real2A int int")
def _embedding_forward(table, ids, y, chunk, chunks):
    begin, end = part_of(len(ids), chunk, chunks)
    for row in range(begin, end):
        number = ids[row]
        for column in range(table.shape[1]):
            y[row, column] = table[number, column]


@kernel("int1C real2R real2C int int")
def _embedding_backward(ids, dy, gradient, chunk, chunks):
    """Add the rows in their order, for one chunk of the columns."""
    columns = gradient.shape[1]
    begin, end = part_of((columns + _LINE - 1) // _LINE, chunk, chunks)
    begin, end = begin * _LINE, min(end * _LINE, columns)
    for number in range(len(gradient)):
        for column in range(begin, end):
            gradient[number, column] = 0.0
    for row in range(len(ids)):
        number = ids[row]
        for column in range(begin, end):
            gradient[number, column] += dy[row, column]


@runs(_embedding_forward)
def embedding_forward(table, ids, y):
    """y_r = E_{id_r}."""
    chunks = threads_for(y.size, len(y))
    _embedding_forward.share(y.dtype, chunks, table, ids, y)


@runs(_embedding_backward)
def embedding_backward(ids, dy, gradient):
    """dE_v = Σ dy_r over all r with id_r = v."""
    chunks = threads_for(dy.size + gradient.size, -(-dy.shape[1] // _LINE))
    _embedding_backward.share(dy.dtype, chunks, ids, dy, gradient)


@runs()
def id_mask(ids, mask):
    """id ≠ 0."""
    np.not_equal(ids, 0, out=mask)


@runs()
def value_mask(x, value, mask):
    """Any x ≠ value in a row."""
    np.any(x != x.dtype.type(value), axis=1, out=mask)
