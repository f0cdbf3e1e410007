"""Element-wise sums, products and copies in NumPy: memory limits their speed, not the code."""

import numpy as np

from numlstm.kernels.cpu.runtime.launch import runs
from numlstm.kernels.replay import call

__all__ = ["add", "add_each", "multiply_each", "repeat", "select", "sum_repeated"]


@runs()
def add(target, source):
    """target += source."""
    call(np.add, target, source, target)


@runs()
def add_each(a, b, scale, y):
    """y = scale (a + b)."""
    call(np.add, a, b, y)
    if scale != 1:
        call(np.multiply, y, y.dtype.type(scale), y)


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
