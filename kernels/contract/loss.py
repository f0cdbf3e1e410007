"""Losses of numbers, and the rules of all losses.

Each function adds Σ_R w · (the row's loss) to `loss`, and writes dy, the gradient of that sum divided by R: Keras' mean
over the batch. A row's loss is the mean over N, unless its function says otherwise. Rows of weight 0 are skipped: their
outputs and targets are not read and may be NaN or invalid labels, and their dy is 0.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array

__all__ = ["Loss"]


class Loss(Protocol):
    """The losses of numbers."""

    def mse(self, y: Array, target: Array, weights: Array | None, loss: Array, dy: Array) -> None:
        """(y - t)².

        y: [R, N] contiguous
        target: [R, N] contiguous
        weights: [R] contiguous, or None for ones
        loss: [1] float64, added to
        dy: [R, N] contiguous, overwritten
        """

    def mae(self, y: Array, target: Array, weights: Array | None, loss: Array, dy: Array) -> None:
        """|y - t|, with gradient 0 at 0. Parameters as for `mse`."""

    def huber(self, y: Array, target: Array, weights: Array | None, loss: Array, dy: Array, delta: float) -> None:
        """e²/2 where |e| <= delta, else delta (|e| - delta/2), with e = y - t. Parameters as for `mse`."""

    def log_cosh(self, y: Array, target: Array, weights: Array | None, loss: Array, dy: Array) -> None:
        """log cosh(y - t): e²/2 for small errors, |e| - log 2 for large ones. Parameters as for `mse`."""

    def quantile(self, y: Array, target: Array, weights: Array | None, loss: Array, dy: Array, levels: Array) -> None:
        """max(q e, (q - 1) e) with e = t - y, the pinball loss, with gradient 0 at 0   (Koenker & Bassett 1978).

        y: [R, Q] contiguous, one column for each quantile
        target: [R, 1] contiguous
        levels: [Q] the levels q of the quantiles, from 0 to 1
        Other parameters as for `mse`; the mean is over Q.
        """

    def gaussian_nll(self, y: Array, target: Array, weights: Array | None, loss: Array, dy: Array) -> None:
        """(log 2π + s + (t - μ)² exp(-s)) / 2, the negative log density of a normal distribution.

        s is the logarithm of the variance and may be any number, so the outputs need no activation. The variance is at
        least 10⁻⁶, PyTorch's bound. Below the bound, value and gradients are those of an s at the bound.

        y: [R, 2N] contiguous: the means μ, then the logarithms s of the variances
        target: [R, N] contiguous
        Other parameters as for `mse`; dy is [R, 2N], the mean over N.
        """
