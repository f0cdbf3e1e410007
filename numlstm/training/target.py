"""The targets of one output in a batch: the loss, its gradient, and the metrics."""

from __future__ import annotations

from math import prod

import numpy as np

from numlstm.kernels import Array, Backend
from numlstm.losses import Loss
from numlstm.losses.loss import ClassSampler
from numlstm.training.running_metrics import RunningMetrics
from numlstm.training.samples import Rows
from numlstm.training.staging import StagedArray

__all__ = ["Target"]


class Target:
    """The loss of one output in the batches of one shape. A row is a sample, or one step of a sample; see the loss.

    Args:
        backend: The backend of the arrays.
        loss: The loss.
        index: The number of the output.
        weight: The factor of this loss in the whole loss.
        y: The output.
        dy: Receives the gradient of the whole loss.
        mask: [B, T] bool, True where a step counts; None: all steps count.
        targets: Of the loss' target shape and dtype.
        weights: The weights of the rows.
        position: The number of `targets` among the arrays that are sent to the backend. That of `weights` follows.
        sampler: Samples the classes of `y`; None: it has all classes.

    Attributes:
        rows: The number of rows R.
        weighted: Whether `weights` has the weights of the rows. If not, they are ones.
        steps: Rows per sample, counted over the whole sequence even if only a piece is loaded.
    """

    def __init__(
        self,
        backend: Backend,
        loss: Loss,
        index: int,
        weight: float,
        y: Array,
        dy: Array,
        mask: Array | None,
        targets: StagedArray,
        weights: StagedArray,
        position: int,
        sampler: ClassSampler | None = None,
    ) -> None:
        self._backend, self._loss, self._index, self._weight = backend, loss, index, weight
        self._y, self._targets, self._weights, self._sampler = y, targets, weights, sampler
        shape = tuple(y.shape)
        if mask is not None and len(shape) > 3:
            raise ValueError(
                f"some steps are masked, but the model's outputs of shape {shape} have axes within a step, which a "
                "loss cannot leave out: end with TimeDistributed(Flatten())"
            )
        axes = loss.row_axes
        self.rows, self.weighted = prod(shape[:-axes]), False
        self.steps = self._whole = prod(shape[1:-axes]) or 1  # Sequences without steps have no rows.
        self.position = position
        flat = (self.rows, *shape[-axes:])
        self._flat_y, self._flat_dy = y.reshape(flat), dy.reshape(flat)
        self._flat_target = targets.array.reshape(self.rows, *targets.host.shape[len(shape) - axes :])
        self._kernel_target = loss.kernel_target(self._flat_target, mask)
        self._mask = mask if axes == 1 else None
        self._flat_mask = None if self._mask is None else self._mask.reshape(self.rows)
        self._counts: Array = None

    def load(self, y: np.ndarray, weights: np.ndarray | None, rows: Rows, steps: slice | None) -> None:
        """Copy targets and weights into the buffers; with `steps`, only these time steps. None: ones as weights."""
        self._targets.fill(y, rows, steps)
        self.steps, self.weighted = self._whole, weights is not None
        if weights is not None:
            self._weights.fill(weights, rows, steps)
        if steps is not None:
            self.steps = self._whole // (steps.stop - steps.start) * y.shape[1]

    def add_loss(self, metrics: RunningMetrics) -> None:
        """Add the loss to the sums, and write dy."""
        weights = self._weights.array.reshape(self.rows) if self.weighted else None
        mask = self._loss.mask(self._backend, self._flat_target, self._flat_mask)
        if mask is not None:
            if self._counts is None:
                self._counts = self._backend.empty((self.rows,), str(self._y.dtype))
            self._backend.mask_weights(mask, weights, self._counts)
            weights = self._counts
        total = metrics.total(self.steps, self._index)
        if self._sampler is not None:
            self._sampler.run(self._flat_y, weights, total, self._flat_dy)
        else:
            self._loss.run(self._backend, self._flat_y, self._kernel_target, weights, total, self._flat_dy)
        if self._weight != 1.0:
            # w dy as w/2 (dy + dy), which rounds once.
            self._backend.add_each(self._flat_dy, self._flat_dy, self._weight / 2, self._flat_dy)

    def update(self, metrics: RunningMetrics) -> None:
        """Update the metrics with the loaded samples."""
        y = self._backend.to_host(self._y)
        mask = None if self._mask is None else self._backend.to_host(self._mask).astype(y.dtype)
        weights = self._weights.host if self.weighted else None
        metrics.update(self._index, self._targets.host, np.asarray(y), mask, weights)
