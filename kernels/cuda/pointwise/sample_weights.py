"""Masks as weights of a loss's rows."""

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.products.matmul import partial_sums, sum_all
from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel, runs
from numlstm.kernels.cuda.runtime.memory import zeros

__all__ = ["mask_class", "mask_weights"]


@kernel("int* bool* int int bool* int")
def _mask_class(target, mask, masked, ignored, out, rows):
    for row in range(cuda.grid(1), rows, cuda.gridsize(1)):
        out[row] = target[row] != ignored and (not masked or mask[row] != 0)


@kernel("bool* float* int")
def _count(mask, partial, rows):
    count = 0
    for row in range(cuda.grid(1), rows, cuda.gridsize(1)):
        count += 1 if mask[row] else 0
    partial[cuda.grid(1)] = count


@kernel("bool* float* real* int real* int")
def _mask_weights(mask, count, weights, weighted, out, rows):
    for row in range(cuda.grid(1), rows, cuda.gridsize(1)):
        weight = float64(weights[row]) if weighted else float64(1)
        out[row] = weight * (float64(rows) / max(float64(1), count[0])) if mask[row] else float64(0)


@runs(_mask_class)
def mask_class(target, mask, ignored, out):
    """out = mask ∧ (target ≠ ignored)."""
    masked, mask = mask is not None, out if mask is None else mask
    _mask_class.launch("float32", blocks_for(out.size), target, mask, int(masked), ignored, out, out.size)


@runs(_count, *sum_all.kernels_used, _mask_weights)
def mask_weights(mask, weights, out):
    """out = w ⊙ mask R / max(1, Σ mask)."""
    dtype, rows = out.dtype, out.size
    partial, count = partial_sums(rows), zeros((1,), "float64")
    _count.launch(dtype, blocks_for(rows), mask, partial, rows)
    sum_all(partial, count, 1.0)
    weighted, weights = weights is not None, out if weights is None else weights
    _mask_weights.launch(dtype, blocks_for(rows), mask, count, weights, int(weighted), out, rows)
