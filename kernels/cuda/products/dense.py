"""The Dense layer: y = x K + b and its gradients."""

import functools

from numlstm.kernels.cuda.products.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.runtime.launch import runs

__all__ = ["dense_backward", "dense_forward", "make_dense_step"]


@runs(*multiply.kernels_used)
def dense_forward(weights, x, y):
    """y = x K + b."""
    multiply(x, weights.kernel, y, bias=weights.bias)


def make_dense_step(weights, x, y):
    """y = x K + b."""
    return functools.partial(dense_forward, weights, x, y)


@runs(*multiply_transposed.kernels_used, *sum_rows.kernels_used, *multiply.kernels_used)
def dense_backward(weights, x, dy, gradients):
    """dK = xᵀ dy, db = Σ dy, dx = dy Kᵀ."""
    multiply_transposed(x, dy, gradients.kernel)
    if gradients.bias is not None:
        sum_rows(dy, gradients.bias)
    if gradients.x is not None:
        multiply(dy, weights.kernel.T, gradients.x)
