"""Products of matrices, and sums of numbers.

A block computes a tile of C from tiles of A and B in shared memory. A thread computes `_EACH` by `_EACH` numbers of the
tile. Each number is one chain of fused multiply-adds in the order of k, whatever the sizes, so the bits of a row depend
on that row alone. (cuBLAS chooses its order by the sizes.)
"""

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.runtime.device import SIMULATED
from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, device_function, kernel, runs, template
from numlstm.kernels.cuda.runtime.memory import empty
from numlstm.kernels.cuda.runtime.ptx import load4, shared_array

_EACH = 4  # The numbers that `load4` loads.
_SIDE = 2 if SIMULATED else 16
_TILE = _EACH * _SIDE
_DEPTH = 4 if SIMULATED else 16  # Steps of k in shared memory at a time.
_PITCH = _TILE + 4  # Row stride of a tile in shared memory: a column lies in different banks.
_BROUGHT = _TILE * _DEPTH // _SIDE**2  # The numbers of a tile that a thread loads.


@device_function
def _fetch(values, matrix, base, across, along, origin, extent, first, last, thread):
    """Read a thread's numbers of a tile: `_TILE` places from `origin` on, and `_DEPTH` steps of k from `first` on.

    base: the index of the matrix' first number
    across, along: strides from place to place, and from step to step
    """
    for i in range(_BROUGHT):
        k, place = _place_of(i * _SIDE * _SIDE + thread, along)
        values[i] = type(values[i])(0)
        if first + k < last and origin + place < extent:
            values[i] = matrix[base + (origin + place) * across + (first + k) * along]


@device_function
def _put(tile, values, along, thread):
    """Write a thread's numbers of a tile to shared memory."""
    for i in range(_BROUGHT):
        k, place = _place_of(i * _SIDE * _SIDE + thread, along)
        tile[k * _PITCH + place] = values[i]


@device_function
def _place_of(at, along):
    """(step of k, place) of a number in a tile. Neighbouring threads read neighbours in memory for either layout."""
    return (at % _DEPTH, at // _DEPTH) if along == 1 else (at // _TILE, at % _TILE)


@template("real* int int real* int int real* int real* int int int int int int int int")
def _multiply(real, batched):
    """C = A B for one tile. If k is divided into parts, each part has a C of its own.

    While the threads multiply the tiles in shared memory, they load the next ones into registers.

    batched: whether there is a product for each item of a batch, instead of a part of k. The last three parameters are
        the strides from item to item; otherwise they are not read
    """
    held = _PITCH * _DEPTH

    def multiply(
        a, a_row, a_step, b, b_step, b_column, c, c_row, bias, start, rows, columns, depth, share, a_item, b_item,
        c_item,
    ):  # fmt: skip
        a_tile = shared_array(held, real, 16)
        b_tile = shared_array(held, real, 16)
        sums = cuda.local.array((_EACH, _EACH), real)
        a_next = cuda.local.array(_BROUGHT, real)
        b_next = cuda.local.array(_BROUGHT, real)
        thread = cuda.threadIdx.x
        row_tiles = (rows + _TILE - 1) // _TILE
        item = cuda.blockIdx.x // row_tiles
        part = 0 if batched else item
        a_base = item * a_item if batched else 0
        b_base = item * b_item if batched else 0
        c_base = item * c_item if batched else part * rows * c_row
        row = cuda.blockIdx.x % row_tiles * _TILE
        column = cuda.blockIdx.y * _TILE
        mine_row, mine_column = thread // _SIDE * _EACH, thread % _SIDE * _EACH
        for i in range(_EACH):
            for j in range(_EACH):
                sums[i, j] = real(0)
                r, n = row + mine_row + i, column + mine_column + j
                if r < rows and n < columns:
                    if start == 1:
                        sums[i, j] = bias[n]
                    elif start == 2:
                        sums[i, j] = c[c_base + r * c_row + n]
        last = min(depth, (part + 1) * share)
        _fetch(a_next, a, a_base, a_row, a_step, row, rows, part * share, last, thread)
        _fetch(b_next, b, b_base, b_column, b_step, column, columns, part * share, last, thread)
        for first in range(part * share, last, _DEPTH):
            _put(a_tile, a_next, a_step, thread)
            _put(b_tile, b_next, b_step, thread)
            cuda.syncthreads()
            _fetch(a_next, a, a_base, a_row, a_step, row, rows, first + _DEPTH, last, thread)
            _fetch(b_next, b, b_base, b_column, b_step, column, columns, first + _DEPTH, last, thread)
            for k in range(0, held, 4 * _PITCH):
                for at in range(k, k + 4 * _PITCH, _PITCH):
                    left, right = load4(a_tile, at + mine_row), load4(b_tile, at + mine_column)
                    for i in range(_EACH):
                        for j in range(_EACH):
                            sums[i, j] += left[i] * right[j]
            cuda.syncthreads()
        for i in range(_EACH):
            for j in range(_EACH):
                r, n = row + mine_row + i, column + mine_column + j
                if r < rows and n < columns:
                    c[c_base + r * c_row + n] = sums[i, j]

    return multiply, _SIDE * _SIDE, 0


@kernel("float* int float* float")
def _sum_all(values, size, total, scale):
    """Sum in one block: each thread sums a share, and a tree sums the shares."""
    sums = shared_array(THREADS, float64, 16)
    thread = cuda.threadIdx.x
    value = 0.0
    for k in range(thread, size, THREADS):
        value += values[k]
    sums[thread] = value
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if thread < half:
            sums[thread] += sums[thread + half]
        cuda.syncthreads()
        half //= 2
    if thread == 0:
        total[0] += scale * sums[0]


@runs(_multiply[(False,)])
def multiply_parts(a, b, c, c_row, parts, bias=None, start=0):
    """One product for each part of k, one below the other.

    c: [parts * M, N], rows `c_row` apart
    start: the start of each sum: 0 zero, 1 the bias, 2 the contents of C
    """
    (rows, depth), columns = a.shape, b.shape[1]
    if rows and columns:
        grid = (tiles(rows) * parts, tiles(columns))
        share = -(-depth // parts)
        bias = a if bias is None else bias  # A missing bias is not read.
        _multiply[(False,)].launch(
            c.dtype, grid, a, *a.strides, b, *b.strides, c, c_row, bias, start, rows, columns, depth, share, 0, 0, 0
        )


@runs(_multiply[(True,)])
def multiply_items(a, b, c):
    """C_b = A_b B_b. Parameters as for `batch_multiply`, but for the last one."""
    (items, rows, depth), columns = a.shape, b.shape[2]
    (a_item, *a_strides), (b_item, *b_strides), (c_item, c_row, _) = a.strides, b.strides, c.strides
    grid = (tiles(rows) * items, tiles(columns))
    _multiply[(True,)].launch(
        c.dtype, grid, a, *a_strides, b, *b_strides, c, c_row, a, 0, rows, columns, depth, depth, a_item, b_item,
        c_item,
    )  # fmt: skip


def tiles(size):
    """The number of tiles along an axis."""
    return -(-size // _TILE)


def partial_sums(elements):
    """Allocate one sum for each thread of an element-wise kernel over this many elements: [P] float64."""
    return empty((blocks_for(elements) * THREADS,), "float64")


@runs(*multiply_parts.kernels_used)
def multiply(a, b, c, bias=None, add=False):
    """C = A B, plus a bias for each column, or plus the contents of C.

    a: [M, K] view with any strides
    b: [K, N] view with any strides
    c: [M, N] view, overwritten or added to
    bias: [N], or None
    """
    multiply_parts(a, b, c, c.strides[0], 1, bias, 1 if bias is not None else 2 if add else 0)


@runs(_sum_all)
def sum_all(values, total, scale):
    """total += scale Σ values, in double precision and in a fixed order.

    values: [N] float64
    total: [1] float64
    """
    _sum_all.launch("float64", 1, values, values.size, total, scale)
