"""Products of matrices, and sums of numbers.

A block computes a tile of C from tiles of A and B in shared memory. Its threads form a square, the tile is made of such
squares, and a thread computes its number of each square. Each number is one chain of fused multiply-adds in the order
of k, whatever the sizes and the tile, so the bits of a row depend on that row alone. (cuBLAS chooses its order by the
sizes.)

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

_UNROLLED = 4 if SIMULATED else 16  # Steps of k that a thread multiplies without asking whether there are more.
_GAP = 4  # Numbers between places in shared memory: the eight places that threads read at once lie in different banks.


class Tile(NamedTuple):
    """A tile of C.

    side: of the square of threads
    squares: along a side of the tile
    steps: the steps of k in shared memory at a time
    """

    side: int
    squares: int
    steps: int


_COST = {Tile(16, 4, 16): 76, Tile(8, 4, 32): 33, Tile(8, 2, 64): 10}
if SIMULATED:
    _COST = {Tile(2, 2, 4): 4, Tile(2, 1, 4): 1.5}
"""The cycles that a lone block takes for a step of k: to issue its instructions, or to read shared memory if more.

Counted in float32, by executing the compiled PTX for sm_90 with 256 to 1,024 steps, not on a GPU.
"""
LARGEST = next(iter(_COST))


@device_function
def _fetch(values, matrix, at, apart, count):
    """Read a thread's numbers of a tile: `count` numbers `apart` from each other, the rest is 0."""
    for i in range(len(values)):
        values[i] = matrix[at] if i < count else type(values[i])(0)
        at += apart


@template("real* int int real* int int real* int real* int int int int int int int int")
def _multiply(real, tile, batched):
    """C = A B for one tile. If k is divided into parts, each part has a C of its own.

    While the threads multiply the tiles in shared memory, they load the next ones into registers.

    batched: whether there is a product for each item of a batch, instead of a part of k. The last three parameters are
        the strides from item to item; otherwise they are not read
    """
    side, squares, held_steps = tile
    size, threads = squares * side, side * side
    pitch = held_steps + _GAP
    held = size * pitch
    brought = size * held_steps // threads

    @device_function
    def put(tile, values, at, apart):
        """Write a thread's numbers of a tile to shared memory."""
        for i in range(brought):
            tile[uint32(at + i * apart)] = values[i]

    @device_function
    def first_number(along):
        """Find a thread's first number of a tile of A or B: (step of k, place), and how far off the next one is.

        Neighbouring threads read neighbours in memory for either layout.
        """
        thread = int64(uint32(cuda.threadIdx.x))  # Not negative, which makes a division a shift.
        if along == 1:
            return thread % held_steps, thread // held_steps, 0, threads // held_steps
        return thread // size, thread % size, threads // size, 0

    @device_function
    def count_of(k, place, k_apart, left, places):
        """Of a thread's numbers of a tile, count those that are in the matrix."""
        if k_apart == 0:
            return (places - place - 1) * held_steps // threads + 1 if k < left else 0
        return (left - k - 1) * size // threads + 1 if place < places else 0

    @device_function
    def add_steps(sums, a_tile, b_tile, a_at, b_at):
        """Add four steps of k to a thread's sums."""
        left, right = cuda.local.array((squares, 4), real), cuda.local.array((squares, 4), real)
        for i in range(squares):
            left[i, 0], left[i, 1], left[i, 2], left[i, 3] = load4(a_tile, a_at + i * side * pitch)
            right[i, 0], right[i, 1], right[i, 2], right[i, 3] = load4(b_tile, b_at + i * side * pitch)
        for k in range(4):
            for i in range(squares):
                for j in range(squares):
                    sums[i, j] += left[i, k] * right[j, k]

    @device_function
    def begin_sums(sums, bias, c, c_at, c_row, row, column, rows, columns, start):
        for i in range(squares):
            for j in range(squares):
                sums[i, j] = real(0)
                if row + i * side < rows and column + j * side < columns:
                    if start == 1:
                        sums[i, j] = bias[column + j * side]
                    elif start == 2:
                        sums[i, j] = c[c_at + i * side * c_row + j * side]

    def multiply(
        a, a_row, a_step, b, b_step, b_column, c, c_row, bias, start, rows, columns, depth, share, a_item, b_item,
        c_item,
    ):  # fmt: skip
        a_tile = shared_array(held, real, 16)
        b_tile = shared_array(held, real, 16)
        sums = cuda.local.array((squares, squares), real)
        a_next, b_next = cuda.local.array(brought, real), cuda.local.array(brought, real)
        row_tiles = (rows + size - 1) // size
        item = cuda.blockIdx.x // row_tiles
        part = 0 if batched else item
        a_base = item * a_item if batched else 0
        b_base = item * b_item if batched else 0
        c_base = item * c_item if batched else part * rows * c_row
        first_row, first_column = cuda.blockIdx.x % row_tiles * size, cuda.blockIdx.y * size
        my_row, my_column = cuda.threadIdx.x // side, cuda.threadIdx.x % side
        row, column = first_row + my_row, first_column + my_column
        c_at = c_base + row * c_row + column
        begin_sums(sums, bias, c, c_at, c_row, row, column, rows, columns, start)
        first, last = part * share, min(depth, (part + 1) * share)
        a_k, a_place, a_ks, a_places = first_number(a_step)
        b_k, b_place, b_ks, b_places = first_number(b_step)
        a_at = a_base + (first_row + a_place) * a_row + (first + a_k) * a_step
        b_at = b_base + (first_column + b_place) * b_column + (first + b_k) * b_step
        a_apart, b_apart = a_places * a_row + a_ks * a_step, b_places * b_column + b_ks * b_step
        a_rows, b_columns = rows - first_row, columns - first_column
        left = last - first
        _fetch(a_next, a, a_at, a_apart, count_of(a_k, a_place, a_ks, left, a_rows))
        _fetch(b_next, b, b_at, b_apart, count_of(b_k, b_place, b_ks, left, b_columns))
        while left > 0:
            put(a_tile, a_next, a_place * pitch + a_k, a_places * pitch + a_ks)
            put(b_tile, b_next, b_place * pitch + b_k, b_places * pitch + b_ks)
            cuda.syncthreads()
            steps = min(held_steps, left)
            left -= held_steps
            a_at += held_steps * a_step
            b_at += held_steps * b_step
            _fetch(a_next, a, a_at, a_apart, count_of(a_k, a_place, a_ks, left, a_rows))
            _fetch(b_next, b, b_at, b_apart, count_of(b_k, b_place, b_ks, left, b_columns))
            k = 0
            while k < steps:
                for at in range(k, k + _UNROLLED, 4):
                    add_steps(sums, a_tile, b_tile, my_row * pitch + at, my_column * pitch + at)
                k += _UNROLLED
            cuda.syncthreads()
        for i in range(squares):
            for j in range(squares):
                if row + i * side < rows and column + j * side < columns:
                    c[c_at + i * side * c_row + j * side] = sums[i, j]

    return multiply, threads, 0


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
    busiest multiprocessor takes the fewest cycles.

    batched: see `_multiply`
    gpu: a `GPU` that need not be here; None: this machine's
    """
    available = multiprocessors() if gpu is None else gpu.multiprocessors

    def blocks(tile):
        return tiles(rows, tile) * tiles(columns, tile) * products

    tile = LARGEST
    if blocks(tile) < available:
        tile = min(_COST, key=lambda tile: -(-blocks(tile) // available) * _COST[tile])
    grid = (tiles(rows, tile) * products, tiles(columns, tile))
    return Tiling(_multiply[tile, batched], grid, tile.side * tile.squares)


def tiles(size, tile=LARGEST):
    """The number of tiles along an axis."""
    return -(-size // (tile.side * tile.squares))


@runs(*(_multiply[tile, False] for tile in _COST))
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


@runs(*(_multiply[tile, True] for tile in _COST))
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
