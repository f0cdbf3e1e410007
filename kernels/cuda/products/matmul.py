"""Products of matrices, and sums of numbers.

A block computes a tile of C from tiles of A and B in shared memory. The tile is made of squares, as the threads are,
and a thread computes its number of each square. Each number is one chain of fused multiply-adds in the order of k,
whatever the sizes and the tile, so the bits of a row depend on that row alone. (cuBLAS chooses its order by the sizes.)

A large tile loads less for each multiply-add; small ones occupy more multiprocessors. `tiling` chooses.
"""

from typing import NamedTuple

from numba import cuda
from numba.cuda.types import float64, int64, uint32

from numlstm.kernels.cuda.runtime.device import SIMULATED, multiprocessors
from numlstm.kernels.cuda.runtime.launch import (
    THREADS,
    Kernel,
    blocks_for,
    device_function,
    kernel,
    runs,
    template,
)
from numlstm.kernels.cuda.runtime.memory import empty
from numlstm.kernels.cuda.runtime.ptx import load4, shared_array

_SIDE = 2 if SIMULATED else 16  # The side of the square of threads.
_UNROLLED = 4 if SIMULATED else 16  # Steps of k that a thread multiplies without asking whether there are more.
_BROUGHT = 4 * _UNROLLED // _SIDE  # The numbers of a tile that a thread loads: fewer places have more steps of k.
_GAP = 4  # Numbers between places in shared memory: the eight places that threads read at once lie in different banks.
_COST = {4: 26, 2: 8.5, 1: 3.8}
"""The instructions of a warp for a step of k, by the squares along a side of the tile.

Counted in float32, by executing the compiled PTX for sm_90 with 256 to 1,024 steps, not on a GPU.
"""
LARGEST = max(_COST)


@device_function
def _locate(at, ends, places, base, across, along, origin, extent, last, size, steps):
    """Find a thread's numbers of the tiles along an axis of C: `size` places from `origin` on, and `steps` steps of k.

    at: the index of each in the matrix, if the tile began with step 0
    ends: the first step of a tile from which on each is beyond the matrix
    places: the index of each in shared memory
    base: the index of the matrix' first number
    across, along: strides from place to place, and from step to step
    """
    for i in range(_BROUGHT):
        number = int64(uint32(i * _SIDE * _SIDE + cuda.threadIdx.x))  # Not negative, which makes division a shift.
        # Neighbouring threads read neighbours in memory for either layout.
        k, place = (number % steps, number // steps) if along == 1 else (number // size, number % size)
        at[i] = base + (origin + place) * across + k * along
        ends[i] = last - k if origin + place < extent else 0
        places[i] = place * (steps + _GAP) + k


@device_function
def _fetch(values, matrix, at, ends, first, along):
    """Read a thread's numbers of the tile that begins with step `first`."""
    for i in range(_BROUGHT):
        values[i] = matrix[at[i] + first * along] if first < ends[i] else type(values[i])(0)


@device_function
def _put(tile, values, places):
    """Write a thread's numbers of a tile to shared memory."""
    for i in range(_BROUGHT):
        tile[places[i]] = values[i]


@template("real* int int real* int int real* int real* int int int int int int int int")
def _multiply(real, squares, batched):
    """C = A B for one tile. If k is divided into parts, each part has a C of its own.

    While the threads multiply the tiles in shared memory, they load the next ones into registers.

    squares: along a side of the tile
    batched: whether there is a product for each item of a batch, instead of a part of k. The last three parameters are
        the strides from item to item; otherwise they are not read
    """
    size = squares * _SIDE
    held_steps = 4 * _UNROLLED // squares
    pitch = held_steps + _GAP
    held = size * pitch

    @device_function
    def add_steps(sums, a_tile, b_tile, a_at, b_at):
        """Add four steps of k to a thread's sums."""
        left, right = cuda.local.array((squares, 4), real), cuda.local.array((squares, 4), real)
        for i in range(squares):
            left[i, 0], left[i, 1], left[i, 2], left[i, 3] = load4(a_tile, a_at + i * _SIDE * pitch)
            right[i, 0], right[i, 1], right[i, 2], right[i, 3] = load4(b_tile, b_at + i * _SIDE * pitch)
        for k in range(4):
            for i in range(squares):
                for j in range(squares):
                    sums[i, j] += left[i, k] * right[j, k]

    @device_function
    def begin_sums(sums, bias, c, c_at, c_row, row, column, rows, columns, start):
        for i in range(squares):
            for j in range(squares):
                sums[i, j] = real(0)
                if row + i * _SIDE < rows and column + j * _SIDE < columns:
                    if start == 1:
                        sums[i, j] = bias[column + j * _SIDE]
                    elif start == 2:
                        sums[i, j] = c[c_at + i * _SIDE * c_row + j * _SIDE]

    def multiply(
        a, a_row, a_step, b, b_step, b_column, c, c_row, bias, start, rows, columns, depth, share, a_item, b_item,
        c_item,
    ):  # fmt: skip
        a_tile = shared_array(held, real, 16)
        b_tile = shared_array(held, real, 16)
        sums = cuda.local.array((squares, squares), real)
        a_next, b_next = cuda.local.array(_BROUGHT, real), cuda.local.array(_BROUGHT, real)
        a_at, b_at = cuda.local.array(_BROUGHT, int64), cuda.local.array(_BROUGHT, int64)
        a_ends, b_ends = cuda.local.array(_BROUGHT, int64), cuda.local.array(_BROUGHT, int64)
        a_places, b_places = cuda.local.array(_BROUGHT, uint32), cuda.local.array(_BROUGHT, uint32)
        row_tiles = (rows + size - 1) // size
        item = cuda.blockIdx.x // row_tiles
        part = 0 if batched else item
        a_base = item * a_item if batched else 0
        b_base = item * b_item if batched else 0
        c_base = item * c_item if batched else part * rows * c_row
        first_row, first_column = cuda.blockIdx.x % row_tiles * size, cuda.blockIdx.y * size
        my_row, my_column = cuda.threadIdx.x // _SIDE, cuda.threadIdx.x % _SIDE
        row, column = first_row + my_row, first_column + my_column
        c_at = c_base + row * c_row + column
        begin_sums(sums, bias, c, c_at, c_row, row, column, rows, columns, start)
        first, last = part * share, min(depth, (part + 1) * share)
        _locate(a_at, a_ends, a_places, a_base, a_row, a_step, first_row, rows, last, size, held_steps)
        _locate(b_at, b_ends, b_places, b_base, b_column, b_step, first_column, columns, last, size, held_steps)
        _fetch(a_next, a, a_at, a_ends, first, a_step)
        _fetch(b_next, b, b_at, b_ends, first, b_step)
        while first < last:
            _put(a_tile, a_next, a_places)
            _put(b_tile, b_next, b_places)
            cuda.syncthreads()
            steps = min(held_steps, last - first)
            first += held_steps
            _fetch(a_next, a, a_at, a_ends, first, a_step)
            _fetch(b_next, b, b_at, b_ends, first, b_step)
            k = 0
            while k < steps:
                for at in range(k, k + _UNROLLED, 4):
                    add_steps(sums, a_tile, b_tile, my_row * pitch + at, my_column * pitch + at)
                k += _UNROLLED
            cuda.syncthreads()
        for i in range(squares):
            for j in range(squares):
                if row + i * _SIDE < rows and column + j * _SIDE < columns:
                    c[c_at + i * _SIDE * c_row + j * _SIDE] = sums[i, j]

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


class Tiling(NamedTuple):
    """How products are divided: their kernel, the grid of its blocks, and the rows and columns of a tile."""

    kernel: Kernel
    grid: tuple[int, int]
    size: int


def tiling(rows, columns, products=1, batched=False, gpu=None):
    """Divide so many products of one shape: by the shape and the GPU alone.

    The tiles are the largest ones, if their blocks occupy all multiprocessors. Otherwise they are those with which the
    busiest multiprocessor has the fewest instructions.

    batched: see `_multiply`
    gpu: a `GPU` that need not be here; None: this machine's
    """
    available = multiprocessors() if gpu is None else gpu.multiprocessors

    def blocks(squares):
        return tiles(rows, squares) * tiles(columns, squares) * products

    squares = LARGEST
    if blocks(squares) < available:
        squares = min(_COST, key=lambda squares: -(-blocks(squares) // available) * _COST[squares])
    grid = (tiles(rows, squares) * products, tiles(columns, squares))
    return Tiling(_multiply[squares, batched], grid, squares * _SIDE)


def tiles(size, squares=LARGEST):
    """The number of tiles along an axis, by the squares along a side of a tile."""
    return -(-size // (squares * _SIDE))


@runs(*(_multiply[squares, False] for squares in _COST))
def multiply_parts(a, b, c, c_row, parts, bias=None, start=0):
    """One product for each part of k, one below the other.

    c: [parts * M, N], rows `c_row` apart
    start: the start of each sum: 0 zero, 1 the bias, 2 the contents of C
    """
    (rows, depth), columns = a.shape, b.shape[1]
    if rows and columns:
        product, grid, _ = tiling(rows, columns, parts)
        share = -(-depth // parts)
        bias = a if bias is None else bias  # A missing bias is not read.
        product.launch(
            c.dtype, grid, a, *a.strides, b, *b.strides, c, c_row, bias, start, rows, columns, depth, share, 0, 0, 0
        )


@runs(*(_multiply[squares, True] for squares in _COST))
def multiply_items(a, b, c):
    """C_b = A_b B_b. Parameters as for `batch_multiply`, but for the last one."""
    (items, rows, depth), columns = a.shape, b.shape[2]
    (a_item, *a_strides), (b_item, *b_strides), (c_item, c_row, _) = a.strides, b.strides, c.strides
    product, grid, _ = tiling(rows, columns, items, batched=True)
    product.launch(
        c.dtype, grid, a, *a_strides, b, *b_strides, c, c_row, a, 0, rows, columns, depth, depth, a_item, b_item,
        c_item,
    )  # fmt: skip


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
