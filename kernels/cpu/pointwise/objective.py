"""The parts of an objective beside its loss: masked rows, and penalties on parameters."""

import numpy as np

from numlstm.kernels.cpu.runtime.launch import kernel, runs
from numlstm.kernels.tape import call


@kernel("bool1C real1C real1C")
def _mask_weights(mask, weights, out):
    count = 0
    for row in range(mask.size):
        count += mask[row]
    scale = mask.size / max(1, count)
    for row in range(mask.size):
        weight = np.float64(weights[row]) if weights.size else 1.0
        out[row] = weight * scale if mask[row] else 0.0


@kernel("real1R real1C float float float float1C")
def _regularize(parameter, gradient, scale, l1, l2, loss):
    absolute, square = 0.0, 0.0
    for k in range(parameter.size):
        w = np.float64(parameter[k])
        absolute += abs(w)
        square += w * w
    loss[0] += scale * (l1 * absolute + l2 * square)
    for k in range(gradient.size):
        w = np.float64(parameter[k])
        # All comparisons with NaN are false, and NaN must stay NaN.
        sign = 1.0 if w > 0.0 else -1.0 if w < 0.0 else w
        gradient[k] += l1 * sign + 2.0 * l2 * w


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


@runs(_regularize)
def regularize(parameter, gradient, scale, l1, l2, loss):
    """loss += scale (l₁ Σ|w| + l₂ Σ w²), and gradient += l₁ sign w + 2 l₂ w."""
    gradient = np.empty(0, parameter.dtype) if gradient is None else gradient
    _regularize[parameter.dtype](parameter, gradient, scale, l1, l2, loss)
