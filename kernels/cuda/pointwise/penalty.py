"""Penalties on parameters."""

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.products.matmul import partial_sums, sum_all
from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel, runs

__all__ = ["regularize"]


@kernel("real* real* int float* float float int")
def _regularize(parameter, gradient, wanted, partial, l1, l2, size):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        w = parameter[k]
        real = type(w)
        total += l1 * float64(abs(w)) + l2 * (float64(w) * float64(w))
        if wanted:
            # All comparisons with NaN are false, and NaN must stay NaN.
            sign = real(1) if w > real(0) else real(-1) if w < real(0) else w
            gradient[k] += real(l1) * sign + real(2.0 * l2) * w
    partial[cuda.grid(1)] = total


@runs(_regularize, *sum_all.kernels_used)
def regularize(parameter, gradient, scale, l1, l2, loss):
    """loss += scale (l₁ Σ|w| + l₂ Σ w²), and gradient += l₁ sign w + 2 l₂ w."""
    size, partial = parameter.size, partial_sums(parameter.size)
    wanted, gradient = gradient is not None, parameter if gradient is None else gradient
    _regularize.launch(parameter.dtype, blocks_for(size), parameter, gradient, int(wanted), partial, l1, l2, size)
    sum_all(partial, loss, scale)
