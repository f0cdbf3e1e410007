"""Sliding windows over a series."""

from __future__ import annotations

import numpy as np

__all__ = ["sliding_windows"]


def sliding_windows(values: np.ndarray, window: int, horizon: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Make every window of a series, with the following values of the first column as targets.

    Args:
        values: [N, C].
        window: W, number of input steps.
        horizon: H, number of target steps after the window.

    Returns:
        Inputs [M, W, C] and targets [M, H], read-only views, with M = N - W - H + 1: inputs[i] ends at step
        i + W - 1, and targets[i] begins at step i + W.

    Raises:
        ValueError: window or horizon is below 1, or N is too small for a single window.
    """
    if window < 1 or horizon < 1:
        raise ValueError(f"window and horizon must be at least 1, not {window} and {horizon}")
    if len(values) < window + horizon:
        raise ValueError(
            f"a window of {window} and a horizon of {horizon} need at least {window + horizon} steps, not {len(values)}"
        )
    view = np.lib.stride_tricks.sliding_window_view
    inputs = view(values[:-horizon], window, axis=0).transpose(0, 2, 1)
    targets = view(values[window:, 0], horizon)
    return inputs, targets
