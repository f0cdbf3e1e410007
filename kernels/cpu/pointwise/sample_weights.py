"""Masks as weights of a loss's rows."""

import numpy as np

from numlstm.kernels.cpu.runtime.launch import kernel, runs
from numlstm.kernels.replay import call

__all__ = ["mask_class", "mask_weights"]


@kernel("bool1C real1C real1C")
def _mask_weights(mask, weights, out):
    count = 0
    for row in range(mask.size):
        count += mask[row]
    scale = mask.size / max(1, count)
    for row in range(mask.size):
        weight = np.float64(weights[row]) if weights.size else 1.0
        out[row] = weight * scale if mask[row] else 0.0


def _mask_class(target, mask, ignored, out):
    np.not_equal(target, ignored, out=out)
    if mask is not None:
        np.logical_and(mask, out, out=out)


@runs()
def mask_class(target, mask, ignored, out):
    """out = mask ∧ (target ≠ ignored)."""
    call(_mask_class, target, mask, ignored, out)


@runs(_mask_weights)
def mask_weights(mask, weights, out):
    """out = w ⊙ mask R / max(1, Σ mask)."""
    _mask_weights[out.dtype](mask, np.empty(0, out.dtype) if weights is None else weights, out)
