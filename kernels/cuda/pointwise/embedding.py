"""Rows of a table selected by ids, and the masks that Embedding and Masking compute."""

import math

from numba import cuda

from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel, runs
from numlstm.kernels.cuda.runtime.memory import empty, fill, filled

__all__ = ["embedding_backward", "embedding_forward", "id_mask", "value_mask"]


@kernel("real* int* real* int int int")
def _embedding_forward(table, ids, y, y_row, columns, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        row, column = k // columns, k % columns
        y[row * y_row + column] = table[ids[row] * columns + column]


@kernel("int* int* int* int")
def _find_next(ids, before, after, rows):
    """Find where each row's id occurs next (or the number of rows), and where it occurs before (or -1, as given)."""
    for row in range(cuda.grid(1), rows, cuda.gridsize(1)):
        number, other = ids[row], row + 1
        # Eight at a time, whose loads do not wait for each other: a thread may pass as many ids as there are rows.
        found = False
        while other + 8 <= rows and not found:
            for k in range(8):
                found |= ids[other + k] == number
            if not found:
                other += 8
        while other < rows and ids[other] != number:
            other += 1
        after[row] = other
        if other < rows:
            before[other] = row


@kernel("real* int int* int* int* real* int int int")
def _sum_runs(dy, dy_row, before, after, following, sums, height, rows, columns):
    """Write each run's sum at its first row, and the first row of the id's next run. Each thread takes one column."""
    for k in range(cuda.grid(1), rows * columns, cuda.gridsize(1)):
        row, column = k // columns, k % columns
        begin = row // height * height
        if before[row] < begin:
            total, other = dy[row * dy_row + column], after[row]
            while other < min(rows, begin + height):
                total += dy[other * dy_row + column]
                other = after[other]
            sums[k] = total
            if column == 0:
                following[row] = other


@kernel("int* int* int* real* real* int int")
def _sum_ids(ids, before, following, sums, gradient, rows, columns):
    """Write the sum of each id's runs to the gradient. Each thread takes one column."""
    for k in range(cuda.grid(1), rows * columns, cuda.gridsize(1)):
        row, column = k // columns, k % columns
        if before[row] < 0:
            total, other = sums[k], following[row]
            while other < rows:
                total += sums[other * columns + column]
                other = following[other]
            gradient[ids[row] * columns + column] = total


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


@runs(_find_next, _sum_runs, _sum_ids)
def embedding_backward(ids, dy, gradient):
    """dE_v = Σ dy_r over all r with id_r = v.

    The rows are divided into parts, about as many parts as each has rows. The rows of one id in one part are a run. One
    thread sums a run, in the order of the rows, and another thread sums the runs of an id. So an id in half of all
    rows, as padding may be, keeps no thread busy for long.
    """
    rows, columns = dy.shape
    fill(gradient, 0)
    if not dy.size:
        return
    height = math.isqrt(rows - 1) + 1
    before, after, following = filled((rows,), "int64", 255), empty((rows,), "int64"), empty((rows,), "int64")
    sums = empty((rows, columns), dy.dtype)
    dtype, blocks = dy.dtype, blocks_for(dy.size)
    _find_next.launch(dtype, blocks_for(rows), ids, before, after, rows)
    _sum_runs.launch(dtype, blocks, dy, dy.strides[0], before, after, following, sums, height, rows, columns)
    _sum_ids.launch(dtype, blocks, ids, before, following, sums, gradient, rows, columns)


@runs(_id_mask)
def id_mask(ids, mask):
    """id ≠ 0."""
    _id_mask.launch("float32", blocks_for(ids.size), ids, mask, ids.size)


@runs(_value_mask)
def value_mask(x, value, mask):
    """Any x ≠ value in a row."""
    rows, features = x.shape
    _value_mask.launch(x.dtype, blocks_for(rows), x, x.strides[0], value, mask, rows, features)
