"""Rows of a table selected by ids, and the masks that Embedding and Masking compute."""

import math

from numba import cuda
from numba.cuda.types import int64

from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, device_function, kernel, runs
from numlstm.kernels.cuda.runtime.memory import empty, fill
from numlstm.kernels.cuda.runtime.ptx import shared_array

__all__ = ["embedding_backward", "embedding_forward", "id_mask", "value_mask"]

_PART = 2 * THREADS
"""Keys that a block sorts in its shared memory."""
_LAST = 2**63 - 1
"""A key behind those of all rows."""


@kernel("real* int* real* int int int")
def _embedding_forward(table, ids, y, y_row, columns, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        row, column = k // columns, k % columns
        y[row * y_row + column] = table[ids[row] * columns + column]


@kernel("int* int* int int")
def _make_keys(ids, keys, rows, size):
    """Write a key for each row, which orders the rows by their ids and then by their numbers; the rest comes last."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        keys[k] = ids[k] * rows + k if k < rows else _LAST


@device_function
def _exchange(keys, k, stride, ascending):
    """Order two keys that lie `stride` apart."""
    a, b = keys[k], keys[k + stride]
    if (a > b) == ascending:
        keys[k], keys[k + stride] = b, a


@kernel("int* int int")
def _merge_parts(keys, first, last):
    """Take the steps of the bitonic sort (Batcher 1968) that stay within a block's keys, which are `_PART`.

    first, last: the lengths of the sequences that are merged: from 2 on, or a longer one whose larger steps are done
    """
    part = shared_array(_PART, int64, 16)
    thread, begin = cuda.threadIdx.x, cuda.blockIdx.x * _PART
    for k in range(thread, _PART, THREADS):
        part[k] = keys[begin + k]
    length = first
    while length <= last:
        stride = min(length, _PART) // 2
        while stride > 0:
            cuda.syncthreads()
            k = 2 * thread - (thread & (stride - 1))
            _exchange(part, k, stride, (begin + k) & length == 0)
            stride //= 2
        length *= 2
    cuda.syncthreads()
    for k in range(thread, _PART, THREADS):
        keys[begin + k] = part[k]


@kernel("int* int int int")
def _merge(keys, length, stride, pairs):
    """Take one step of the bitonic sort, whose keys lie farther apart than a block's."""
    for pair in range(cuda.grid(1), pairs, cuda.gridsize(1)):
        k = 2 * pair - (pair & (stride - 1))
        _exchange(keys, k, stride, k & length == 0)


@kernel("int* int* int* int")
def _split_keys(keys, ids, order, rows):
    """Write the id and the number of each row in the order of the keys."""
    for k in range(cuda.grid(1), rows, cuda.gridsize(1)):
        ids[k], order[k] = keys[k] // rows, keys[k] % rows


@kernel("real* int int* int* real* int int int")
def _sum_runs(dy, dy_row, ids, order, sums, height, rows, columns):
    """Write each run's sum at its first row. Each thread takes one column."""
    for k in range(cuda.grid(1), rows * columns, cuda.gridsize(1)):
        at, column = k // columns, k % columns
        number, end = ids[at], min(rows, (at // height + 1) * height)
        if at % height == 0 or ids[at - 1] != number:
            total, other = dy[order[at] * dy_row + column], at + 1
            while other < end and ids[other] == number:
                total += dy[order[other] * dy_row + column]
                other += 1
            sums[k] = total


@kernel("int* real* real* int int int")
def _sum_ids(ids, sums, gradient, height, rows, columns):
    """Write the sum of each id's runs to the gradient. Each thread takes one column."""
    for k in range(cuda.grid(1), rows * columns, cuda.gridsize(1)):
        at, column = k // columns, k % columns
        number = ids[at]
        if at == 0 or ids[at - 1] != number:
            total, other = sums[k], (at // height + 1) * height
            while other < rows and ids[other] == number:
                total += sums[other * columns + column]
                other += height
            gradient[number * columns + column] = total


@kernel("int* bool* int")
def _id_mask(ids, mask, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        mask[k] = ids[k] != 0


@kernel("real* int float bool* int int")
def _value_mask(x, x_row, value, mask, rows, features):
    for row in range(cuda.grid(1), rows, cuda.gridsize(1)):
        differs = 0
        for feature in range(features):
            number = x[row * x_row + feature]
            if number != type(number)(value):
                differs = 1
        mask[row] = differs


@runs(_embedding_forward)
def embedding_forward(table, ids, y):
    """y_r = E_{id_r}."""
    _embedding_forward.launch(y.dtype, blocks_for(y.size), table, ids, y, y.strides[0], y.shape[1], y.size)


@runs(_make_keys, _merge_parts, _merge, _split_keys, _sum_runs, _sum_ids)
def embedding_backward(ids, dy, gradient):
    """dE_v = Σ dy_r over all r with id_r = v.

    The rows are sorted by their ids, and divided into parts, about as many parts as each has rows. The rows of one id
    in one part are a run. One thread sums a run, in the order of the rows, and another thread sums the runs of an id.
    So an id in half of all rows, as padding may be, keeps no thread busy for long.
    """
    rows, columns = dy.shape
    fill(gradient, 0)
    if not dy.size:
        return
    height = math.isqrt(rows - 1) + 1
    keys = _sorted_keys(ids, rows)
    found, order, sums = empty((rows,), "int64"), empty((rows,), "int64"), empty((rows, columns), dy.dtype)
    dtype, blocks = dy.dtype, blocks_for(dy.size)
    _split_keys.launch(dtype, blocks_for(rows), keys, found, order, rows)
    _sum_runs.launch(dtype, blocks, dy, dy.strides[0], found, order, sums, height, rows, columns)
    _sum_ids.launch(dtype, blocks, found, sums, gradient, height, rows, columns)


def _sorted_keys(ids, rows):
    """The keys of all rows in their order, and others after them."""
    size = max(_PART, 1 << (rows - 1).bit_length())
    keys = empty((size,), "int64")
    _make_keys.launch("float32", blocks_for(size), ids, keys, rows, size)
    _merge_parts.launch("float32", size // _PART, keys, 2, _PART)
    length = 2 * _PART
    while length <= size:
        stride = length // 2
        while stride >= _PART:
            _merge.launch("float32", blocks_for(size // 2), keys, length, stride, size // 2)
            stride //= 2
        _merge_parts.launch("float32", size // _PART, keys, length, length)
        length *= 2
    return keys


@runs(_id_mask)
def id_mask(ids, mask):
    """id ≠ 0."""
    _id_mask.launch("float32", blocks_for(ids.size), ids, mask, ids.size)


@runs(_value_mask)
def value_mask(x, value, mask):
    """Any x ≠ value in a row."""
    rows, features = x.shape
    _value_mask.launch(x.dtype, blocks_for(rows), x, x.strides[0], value, mask, rows, features)
