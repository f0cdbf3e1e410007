"""Penalties on parameters."""

import numpy as np

from numlstm.kernels.cpu.runtime.launch import kernel, runs

__all__ = ["regularize"]


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


@runs(_regularize)
def regularize(parameter, gradient, scale, l1, l2, loss):
    """loss += scale (l₁ Σ|w| + l₂ Σ w²), and gradient += l₁ sign w + 2 l₂ w."""
    gradient = np.empty(0, parameter.dtype) if gradient is None else gradient
    _regularize[parameter.dtype](parameter, gradient, scale, l1, l2, loss)
