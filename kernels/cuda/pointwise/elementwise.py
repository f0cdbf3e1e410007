"""Element-wise sums, products, extremes and copies."""

from numba import cuda

from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel, runs
from numlstm.kernels.cuda.runtime.memory import copy, fill

__all__ = [
    "add", "add_each", "clear", "copy_each", "count_equal", "either", "merge", "multiply_each", "repeat", "scale_each",
    "select", "share_equal", "sum_repeated",
]  # fmt: skip

_MULTIPLY, _MAXIMUM, _MINIMUM = range(3)
_MERGES = {"multiply": _MULTIPLY, "maximum": _MAXIMUM, "minimum": _MINIMUM}


@kernel("real* real* int int int int int int int")
def _add(target, source, size, rows, columns, to_0, to_1, of_0, of_1):
    """Add arrays with three axes, of which the last has unit strides. Each thread takes one number."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        i, row, column = k // (rows * columns), k // columns % rows, k % columns
        target[i * to_0 + row * to_1 + column] += source[i * of_0 + row * of_1 + column]


@kernel("real* float real* int int int int int int int")
def _scale_each(x, scale, y, size, rows, columns, of_0, of_1, to_0, to_1):
    """Arrays as for `_add`."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        i, row, column = k // (rows * columns), k // columns % rows, k % columns
        number = x[i * of_0 + row * of_1 + column]
        y[i * to_0 + row * to_1 + column] = number * type(number)(scale)


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


@kernel("real* real* bool* bool* int int int int")
def _merge(y, x, counted, mask, masked, function, columns, size):
    """masked: 1 if there is `counted`, plus 2 if there is a mask."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        row = k // columns
        if masked < 2 or mask[row] != 0:
            a, b = y[k], x[k]
            if masked % 2 == 1 and counted[row] == 0:
                y[k] = b
            elif function == _MULTIPLY:
                y[k] = a * b
            else:
                # NaN stays NaN: no comparison with it is true.
                better = b > a if function == _MAXIMUM else b < a
                y[k] = b if better or b != b else a


@kernel("real* real* bool* int real* int int int")
def _count_equal(x, y, mask, masked, count, add, columns, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        number = y[k]
        equal = x[k] == number and (masked == 0 or mask[k // columns] != 0)
        before = count[k] if add else type(number)(0)
        count[k] = before + type(number)(1) if equal else before


@kernel("real* real* real* real* bool* int real* int int")
def _share_equal(dy, count, x, y, mask, masked, dx, columns, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        if x[k] == y[k] and (masked == 0 or mask[k // columns] != 0):
            dx[k] = dy[k] / count[k]
        else:
            dx[k] = 0


@kernel("bool* bool* bool* int int int int int int int int")
def _either(a, b, y, size, columns, a_row, a_step, b_row, b_step, y_row, y_step):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        row, column = k // columns, k % columns
        value = a[row * a_row + column * a_step] | b[row * b_row + column * b_step]
        y[row * y_row + column * y_step] = value


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


@runs(_scale_each)
def scale_each(x, scale, y):
    """y = scale x."""
    _scale_each.launch(y.dtype, blocks_for(y.size), x, scale, y, y.size, *_geometry(x, y))


@runs(_add_each)
def add_each(a, b, scale, y):
    """y = scale (a + b)."""
    _add_each.launch(y.dtype, blocks_for(y.size), a, b, scale, y, y.size)


@runs()
def copy_each(x, y):
    """y = x."""
    copy(y, x)


@runs()
def clear(y):
    """y = 0."""
    fill(y, 0)


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


@runs(_merge)
def merge(y, x, counted, mask, function):
    """y_r = f(y_r, x_r), x_r or y_r."""
    masked = int(counted is not None) + 2 * int(mask is not None)
    masks = [y if each is None else each for each in (counted, mask)]  # A missing mask is not read.
    _merge.launch(y.dtype, blocks_for(y.size), y, x, *masks, masked, _MERGES[function], y.shape[1], y.size)


@runs(_count_equal)
def count_equal(x, y, mask, count, add):
    """count += 1 where x = y."""
    masked, mask = int(mask is not None), y if mask is None else mask
    _count_equal.launch(y.dtype, blocks_for(y.size), x, y, mask, masked, count, int(add), y.shape[1], y.size)


@runs(_share_equal)
def share_equal(dy, count, x, y, mask, dx):
    """dx = dy / count where x = y, else 0."""
    masked, mask = int(mask is not None), y if mask is None else mask
    _share_equal.launch(y.dtype, blocks_for(y.size), dy, count, x, y, mask, masked, dx, y.shape[1], y.size)


@runs(_either)
def either(a, b, y):
    """y = a or b."""
    strides = [
        0 if size == 1 else stride
        for array in (a, b, y)
        for size, stride in zip(array.shape, array.strides, strict=True)
    ]
    _either.launch("float64", blocks_for(y.size), a, b, y, y.size, y.shape[1], *strides)
