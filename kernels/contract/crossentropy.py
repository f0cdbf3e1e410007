"""Cross-entropies: losses of probabilities or of logits.

Parameters and results are as for the losses in `loss.py`. Probabilities are clipped to [ε, 1 - ε] with Keras' ε = 10⁻⁷.
The gradient of a clipped probability is 0. Logits are not clipped, and their losses do not overflow.
"""

from __future__ import annotations

from typing import Protocol

from numlstm.kernels.contract.memory import Array
from numlstm.kernels.contract.sampled import SampledClasses

__all__ = ["CrossEntropy"]


class CrossEntropy(Protocol):
    """The cross-entropies."""

    def binary_crossentropy(
        self,
        y: Array,
        target: Array,
        weights: Array | None,
        loss: Array,
        dy: Array,
        from_logits: bool,
        label_smoothing: float,
    ) -> None:
        """-t log p - (1 - t) log(1 - p), the mean over N.

        y: [R, N] contiguous: p, or logits z with p = 1 / (1 + exp(-z))
        target: [R, N] contiguous, from 0 to 1
        from_logits: whether y holds logits
        label_smoothing: s; t is replaced by t (1 - s) + s/2
        Other parameters as for `mse`.
        """

    def categorical_crossentropy(
        self,
        y: Array,
        target: Array,
        weights: Array | None,
        loss: Array,
        dy: Array,
        from_logits: bool,
        label_smoothing: float,
    ) -> None:
        """-Σ t log p, the sum over N.

        y: [R, N] contiguous: probabilities, which are divided by the row's sum to give p, or logits z with p = exp(z) /
            Σ exp(z)
        target: [R, N] contiguous, probabilities
        from_logits: whether y holds logits
        label_smoothing: s; t is replaced by t (1 - s) + s/N
        Other parameters as for `mse`.
        """

    def sparse_categorical_crossentropy(
        self, y: Array, target: Array, weights: Array | None, loss: Array, dy: Array, from_logits: bool
    ) -> None:
        """-log p of the class that the target names.

        y: [R, N] contiguous, as for `categorical_crossentropy`
        target: [R] int64 contiguous, from 0 to N - 1 in every row whose weight is not 0
        from_logits: whether y holds logits
        Other parameters as for `mse`.
        """

    def sampled_softmax(self, y: Array, classes: SampledClasses, weights: Array | None, loss: Array, dy: Array) -> None:
        """-log p of the row's own class, among it and the sampled classes; see `sampled.py`.

        y: [R, S + 1] contiguous, logits as `sampled_dense_forward` writes them. Where a sampled class is the row's own,
            the logit is not read, and its dy is 0
        dy: [R, S + 1] contiguous, overwritten
        Other parameters as for `mse`.
        """
