"""Losses of numbers, quantiles and normal distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array, Backend
from numlstm.losses.loss import Loss, Shape
from numlstm.messages import quoted
from numlstm.override import override

__all__ = ["GaussianNLL", "Huber", "LogCosh", "MeanAbsoluteError", "MeanSquaredError", "Quantile"]


class MeanSquaredError(Loss):
    """mean (y - t)². Arguments as for `Loss`."""

    name, kernel = "mean_squared_error", "mse"

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        backend.mse(y, target, weights, total, dy)


class MeanAbsoluteError(Loss):
    """mean |y - t|. Arguments as for `Loss`."""

    name, kernel = "mean_absolute_error", "mae"

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        backend.mae(y, target, weights, total, dy)


class Huber(Loss):
    """Quadratic near zero, linear beyond `delta`: e²/2 if |e| <= delta, else delta (|e| - delta/2) (Huber 1964).

    Args:
        delta: Positive.
        reduction: As for `Loss`.
        name: As for `Loss`; None: "huber_loss".
        dtype: As for `Loss`.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    name, kernel = "huber_loss", "huber"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.delta = checks.positive(delta, "delta")

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        backend.huber(y, target, weights, total, dy, self.delta)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this loss."""
        return super().get_config() | {"delta": self.delta}


class LogCosh(Loss):
    """mean log cosh(y - t): quadratic near zero, linear for large errors.

    Arguments as for `Loss`.
    """

    name, kernel = "log_cosh", "log_cosh"

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        backend.log_cosh(y, target, weights, total, dy)


class Quantile(Loss):
    """The pinball loss of several quantiles: mean max(q e, (q - 1) e) with e = t - y (Koenker & Bassett 1978).

    The model has one output per level. Targets have shape (B, …, 1).

    Args:
        levels: The levels q of the quantiles, between 0 and 1.
        reduction: As for `Loss`.
        name: As for `Loss`; None: "quantile".
        dtype: As for `Loss`.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    name = kernel = "quantile"

    def __init__(
        self,
        levels: Sequence[float] = (0.1, 0.5, 0.9),
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
    ) -> None:
        self.levels = [checks.number(level, "each of levels") for level in (levels if np.ndim(levels) else [levels])]
        if not self.levels or not all(0 < level < 1 for level in self.levels):
            raise ValueError(f"levels must be numbers between 0 and 1, at least one, not {quoted(levels)}")
        super().__init__(reduction, name, dtype)
        self._kept: tuple[Backend, str, Array] | None = None

    def target_shape(self, y_shape: Shape) -> Shape:
        """(B, …, 1); ValueError if the number of outputs is not the number of levels."""
        if y_shape[-1] != len(self.levels):
            raise ValueError(f"a quantile loss of {len(self.levels)} levels needs as many outputs, not {y_shape[-1]}")
        return (*y_shape[:-1], 1)

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        dtype = str(y.dtype)
        if self._kept is None or self._kept[:2] != (backend, dtype):
            self._kept = backend, dtype, backend.asarray(self.levels, dtype)
        backend.quantile(y, target, weights, total, dy, self._kept[2])

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this loss."""
        return super().get_config() | {"levels": self.levels}


class GaussianNLL(Loss):
    """The negative log-likelihood of normal distributions: mean (log 2π + s + (t - μ)² exp(-s)) / 2.

    For targets (B, …, N) the model has 2N outputs: the N means μ, then the N log variances s. Both may be any numbers,
    so the outputs need no activation. Variances below 10⁻⁶ count as 10⁻⁶, as in PyTorch. Arguments as for `Loss`.
    """

    name = kernel = "gaussian_nll"

    def target_shape(self, y_shape: Shape) -> Shape:
        """(B, …, N) for outputs (B, …, 2N); ValueError if their number is odd."""
        if y_shape[-1] % 2:
            raise ValueError(f"gaussian_nll needs a mean and a log variance for each target, not {y_shape[-1]} outputs")
        return (*y_shape[:-1], y_shape[-1] // 2)

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        backend.gaussian_nll(y, target, weights, total, dy)
