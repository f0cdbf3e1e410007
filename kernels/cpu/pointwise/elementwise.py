"""Element-wise sums, products, extremes and copies in NumPy: memory limits their speed, not the code."""

import numpy as np

from numlstm.kernels.cpu.runtime.launch import runs
from numlstm.kernels.replay import call

__all__ = [
    "add", "add_each", "clear", "copy_each", "count_equal", "either", "merge", "multiply_each", "repeat", "scale_each",
    "select", "share_equal", "sum_repeated",
]  # fmt: skip

_MERGES = {"multiply": np.multiply, "maximum": np.maximum, "minimum": np.minimum}


@runs()
def add(target, source):
    """target += source."""
    call(np.add, target, source, target)


@runs()
def scale_each(x, scale, y):
    """y = scale x."""
    call(np.multiply, x, y.dtype.type(scale), y)


@runs()
def add_each(a, b, scale, y):
    """y = scale (a + b)."""
    call(np.add, a, b, y)
    if scale != 1:
        call(np.multiply, y, y.dtype.type(scale), y)


@runs()
def copy_each(x, y):
    """y = x."""
    call(np.copyto, y, x)


@runs()
def clear(y):
    """y = 0."""
    call(y.fill, 0)


@runs()
def multiply_each(a, b, y):
    """y = a ⊙ b."""
    call(np.multiply, a, b, y)


@runs()
def select(x, mask, y):
    """y_r = x_r where the mask is True, else zeros."""
    call(_select, x, mask, y)


def _select(x, mask, y):
    np.copyto(y, x)
    np.copyto(y, 0, where=~mask[:, None])


@runs()
def repeat(x, y):
    """y_rs = x_r."""
    call(np.copyto, y, x[:, None])


@runs()
def sum_repeated(dy, dx):
    """dx_r = Σ_s dy_rs."""
    call(np.add.reduce, dy, 1, None, dx)


@runs()
def merge(y, x, counted, mask, function):
    """y_r = f(y_r, x_r), x_r or y_r."""
    call(_merge, y, x, counted, mask, _MERGES[function])


def _merge(y, x, counted, mask, function):
    if counted is None and mask is None:
        function(y, x, out=y)
        return
    x_counts = True if mask is None else mask[:, None]
    y_counts = True if counted is None else counted[:, None]
    function(y, x, out=y, where=x_counts & y_counts)
    if counted is not None:
        np.copyto(y, x, where=x_counts & ~y_counts)


@runs()
def count_equal(x, y, mask, count, add):
    """count += 1 where x = y."""
    call(_count_equal, x, y, mask, count, add)


def _count_equal(x, y, mask, count, add):
    np.add(count if add else 0, _equal(x, y, mask), out=count, casting="unsafe")


@runs()
def share_equal(dy, count, x, y, mask, dx):
    """dx = dy / count where x = y, else 0."""
    call(_share_equal, dy, count, x, y, mask, dx)


def _share_equal(dy, count, x, y, mask, dx):
    equal = _equal(x, y, mask)
    dx[...] = 0
    np.divide(dy, count, out=dx, where=equal)


def _equal(x, y, mask):
    return x == y if mask is None else (x == y) & mask[:, None]


@runs()
def either(a, b, y):
    """y = a or b."""
    call(np.logical_or, a, b, y)
