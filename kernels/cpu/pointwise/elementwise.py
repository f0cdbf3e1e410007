"""Element-wise sums, products and copies in NumPy: memory limits their speed, not the code."""

import numpy as np

from numlstm.kernels.cpu.runtime.launch import runs

__all__ = ["add_each", "multiply_each", "repeat", "select", "sum_repeated"]


@runs()
def add_each(a, b, scale, y):
    """y = scale (a + b)."""
    np.add(a, b, out=y)
    if scale != 1:
        np.multiply(y, y.dtype.type(scale), out=y)


@runs()
def multiply_each(a, b, y):
    """y = a ⊙ b."""
    np.multiply(a, b, out=y)


@runs()
def select(x, mask, y):
    """y_r = x_r where the mask is True, else zeros."""
    np.copyto(y, x)
    np.copyto(y, 0, where=~mask[:, None])


@runs()
def repeat(x, y):
    """y_rs = x_r."""
    np.copyto(y, x[:, None])


@runs()
def sum_repeated(dy, dx):
    """dx_r = Σ_s dy_rs."""
    np.sum(dy, axis=1, out=dx)
