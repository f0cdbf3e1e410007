"""Products of many pairs of matrices."""

from numlstm.kernels.cuda.products import cublas
from numlstm.kernels.cuda.products.matmul import multiply_items
from numlstm.kernels.cuda.runtime.launch import runs

__all__ = ["batch_multiply"]


@runs(*multiply_items.kernels_used)
def batch_multiply(a, b, c, gradient):
    """C_b = A_b B_b, where a gradient may come from cuBLAS."""
    if not (gradient and cublas.multiply_items(a, b, c)):
        multiply_items(a, b, c)
