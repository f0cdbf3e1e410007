"""Dropout by counter-based random numbers, which are computed again wherever they are needed."""

from numba import cuda

from numlstm.kernels.cuda.runtime.launch import blocks_for, device_function, kernel, runs

__all__ = ["dropout"]

_WORD = 0xFFFFFFFF


@device_function
def philox(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10: four words from a counter of four and a key of two. All are below 2³², in 64 bits."""
    for _ in range(10):
        # A product may wrap around to a negative number, but its 64 bits are right.
        first, second = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0 = (second >> 32 & _WORD) ^ c1 ^ k0
        c2 = (first >> 32 & _WORD) ^ c3 ^ k1
        c1, c3 = second & _WORD, first & _WORD
        k0, k1 = k0 + 0x9E3779B9 & _WORD, k1 + 0xBB67AE85 & _WORD
    return c0, c1, c2, c3


@kernel("real* real* int float int int int int int int int")
def _dropout(x, y, threshold, scale, k0, k1, stream, step, rows, shared, columns):
    """Each thread takes four neighbours of m, at one place of the shared axis."""
    blocks = (rows * columns + 3) // 4
    for k in range(cuda.grid(1), blocks * shared, cuda.gridsize(1)):
        block, s = k % blocks, k // blocks
        words = philox(block & _WORD, block >> 32, stream, step, k0, k1)
        for lane in range(4):
            element = 4 * block + lane
            if element < rows * columns:
                row, column = element // columns, element % columns
                at = (row * shared + s) * columns + column
                if words[lane] < threshold:
                    y[at] = 0
                else:
                    number = x[at]
                    y[at] = number * type(number)(scale)


@runs(_dropout)
def dropout(x, y, rate, seed, stream, step):
    """y = x ⊙ m, m = 0 or 1 / (1 - rate)."""
    rows, shared, columns = x.shape
    threshold, scale = round(rate * 2**32), 1 / (1 - rate)
    _dropout.launch(
        x.dtype, blocks_for(-(-rows * columns // 4) * shared), x, y, threshold, scale, seed & _WORD, seed >> 32,
        stream, step, rows, shared, columns,
    )  # fmt: skip
