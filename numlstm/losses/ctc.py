"""The loss of sequences whose labels have no known steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array, Backend, CTCTargets
from numlstm.losses.loss import Loss, OpenShape, Shape, first_where
from numlstm.override import override

__all__ = ["CTC"]


class CTC(Loss):
    """-log P(labels), summed over all alignments of labels and steps: connectionist temporal classification.

    The model has one output for each of V classes at every step: logits, of shape (B, T, V). A target has the labels of
    its sequence in order, (B, L): integers from 0 to V - 1 without the blank. Shorter rows are padded at the end with
    -1 or the blank. Steps that the model's mask leaves out are no part of their sequence.

    The loss is the mean over the sequences, and is not divided by the number of labels. Labels of which r equal their
    neighbour before need at least L + r steps. If a sequence has fewer, its loss is infinite, and its gradient 0: the
    weights stay finite, while the loss in the history, `History.not_finite` and `TerminateOnNaN` tell of it.

    Source: Graves et al. 2006, Connectionist Temporal Classification.

    Args:
        reduction: As for `Loss`.
        name: As for `Loss`; None: "ctc".
        dtype: As for `Loss`.
        blank: The class that is no label.
        zero_infinity: Whether an infinite loss counts as 0, as in PyTorch.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    name = kernel = "ctc"
    from_logits = True
    row_axes = 2

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: None = None,
        blank: int = 0,
        zero_infinity: bool = False,
    ) -> None:
        self.blank = checks.integer(blank, "blank", least=0)
        self.zero_infinity = checks.boolean(zero_infinity, "zero_infinity")
        super().__init__(reduction, name, dtype)

    def target_dtype(self, dtype: str) -> str:
        """The dtype of labels: "int64"."""
        return "int64"

    def target_shape(self, y_shape: Shape) -> OpenShape:
        """(B, None), for any number of labels; ValueError if the outputs are no sequences, or have no such blank."""
        if len(y_shape) != 3:
            raise ValueError(
                f"ctc needs outputs of shape (B, T, V), not {y_shape}: let the layers return sequences, and end with a "
                "Dense layer"
            )
        if y_shape[-1] < 2:
            raise ValueError(f"ctc needs an output for the blank and one for each label, not {y_shape[-1]}")
        if self.blank >= y_shape[-1]:
            raise ValueError(f"the blank {self.blank} of ctc is none of the {y_shape[-1]} outputs, which count from 0")
        return y_shape[0], None

    def check(self, targets: np.ndarray, y_shape: Shape, name: str = "y") -> np.ndarray:
        """Check labels as `Loss.check` does. ValueError also for an invalid label, and for a label after a blank."""
        self.target_shape(y_shape)
        if targets.dtype.kind not in "fiub":
            raise TypeError(f"{name} holds {targets.dtype} values, expected labels: integers")
        if targets.ndim != 2 or len(targets) != y_shape[0]:
            raise ValueError(
                f"{name} must have shape ({y_shape[0]}, labels), not {targets.shape}: a row of labels for each "
                "sequence, padded at the end with -1"
            )
        classes = y_shape[-1]
        wrong = _first_where(targets, lambda t: ~((t >= -1) & (t < classes) & (t == np.floor(t))))
        if wrong is not None:
            raise ValueError(
                f"{name} holds the label {targets[wrong]} at {wrong}, expected integers from 0 to {classes - 1}, and "
                "-1 after the last label"
            )
        late = _first_where(targets, self._after_padding)
        if late is not None:
            raise ValueError(
                f"{name} holds the label {targets[late]} at {late} after a blank, {self.blank} or -1: the blank is no "
                'label, and rows are padded at the end, as by pad_sequences(..., padding="post")'
            )
        return targets

    def _after_padding(self, labels: np.ndarray) -> np.ndarray:
        padding = (labels == self.blank) | (labels == -1)
        return np.logical_or.accumulate(padding, axis=1) & ~padding

    @override
    def kernel_target(self, target: Array, mask: Array | None) -> CTCTargets:
        return CTCTargets(target, mask, self.blank, self.zero_infinity)

    @override
    def run(self, backend: Backend, y: Array, target: Array, weights: Array | None, total: Array, dy: Array) -> None:
        backend.ctc(y, target, weights, total, dy)

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this loss."""
        return super().get_config() | {"blank": self.blank, "zero_infinity": self.zero_infinity}


def _first_where(labels: np.ndarray, test: Callable[[np.ndarray], np.ndarray]) -> tuple[int, ...] | None:
    return first_where(labels, test) if labels.size else None
