"""Element-wise sums, products and copies."""

from numba import cuda

from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel, runs

__all__ = ["add", "add_each", "multiply_each", "repeat", "select", "sum_repeated"]


@kernel("real* real* int int int int int int int")
def _add(target, source, size, rows, columns, to_0, to_1, of_0, of_1):
    """Add arrays with three axes, of which the last has unit strides. Each thread takes one number."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        i, row, column = k // (rows * columns), k // columns % rows, k % columns
        target[i * to_0 + row * to_1 + column] += source[i * of_0 + row * of_1 + column]


@kernel("real* real* float real* int")
def _add_each(a, b, scale, y, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        total = a[k] + b[k]
        y[k] = total * type(total)(scale)


@kernel("real* real* real* int")
def _multiply_each(a, b, y, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        y[k] = a[k] * b[k]


@kernel("real* bool* real* int int")
def _select(x, mask, y, features, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        if mask[k // features] != 0:
            y[k] = x[k]
        else:
            y[k] = 0


@kernel("real* real* int int int")
def _repeat(x, y, shared, columns, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        y[k] = x[k // (shared * columns) * columns + k % columns]


@kernel("real* real* int int int")
def _sum_repeated(dy, dx, shared, columns, size):
    """Each thread takes one number of dx."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        at = k // columns * shared * columns + k % columns
        total = dy[at]
        for s in range(1, shared):
            total += dy[at + s * columns]
        dx[k] = total


@runs(_add)
def add(target, source):
    """target += source."""
    _add.launch(target.dtype, blocks_for(target.size), target, source, target.size, *_geometry(target, source))


def _geometry(*views):
    """The last two of three axes' sizes, and the strides of each view's first two axes."""
    if all(view.contiguous() for view in views):
        return (1, views[0].size, *(0, 0) * len(views))
    missing = (1,) * (3 - views[0].ndim)
    strides = [stride for view in views for stride in ((0,) * len(missing) + view.strides)[:2]]
    return (*(missing + views[0].shape)[1:], *strides)


@runs(_add_each)
def add_each(a, b, scale, y):
    """y = scale (a + b)."""
    _add_each.launch(y.dtype, blocks_for(y.size), a, b, scale, y, y.size)


@runs(_multiply_each)
def multiply_each(a, b, y):
    """y = a ⊙ b."""
    _multiply_each.launch(y.dtype, blocks_for(y.size), a, b, y, y.size)


@runs(_select)
def select(x, mask, y):
    """y_r = x_r where the mask is True, else zeros."""
    _select.launch(y.dtype, blocks_for(y.size), x, mask, y, y.shape[1], y.size)


@runs(_repeat)
def repeat(x, y):
    """y_rs = x_r."""
    _repeat.launch(y.dtype, blocks_for(y.size), x, y, *y.shape[1:], y.size)


@runs(_sum_repeated)
def sum_repeated(dy, dx):
    """dx_r = Σ_s dy_rs."""
    _sum_repeated.launch(dx.dtype, blocks_for(dx.size), dy, dx, *dy.shape[1:], dx.size)
