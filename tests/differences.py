"""Gradients by central differences, which know nothing of how gradients are computed."""

from __future__ import annotations

import numpy as np

STEP = 1e-5


def numerical_gradient(function, array):
    """Central differences of a scalar function of an array, which is moved in place and put back."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + STEP
        above = function()
        array[index] = kept - STEP
        below = function()
        array[index] = kept
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def assert_gradient(analytic, function, array, what):
    numerical = numerical_gradient(function, array)
    error = np.abs(analytic - numerical).max() / max(np.abs(numerical).max(), 1e-3)
    assert error < 1e-6, f"{what}: relative error {error:.3g}"
