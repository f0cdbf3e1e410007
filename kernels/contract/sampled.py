"""The Dense layer before a softmax of sampled classes   (Bengio & Senécal 2008; Jean et al. 2015).

A softmax over N classes costs a product with all N columns of the Dense layer. In training, S sampled classes and the
row's own class t stand for all. All rows share the samples. Class c is among them with probability π_c, by which its
logit is corrected:

    row's loss = -log softmax_t(y_c - log π_c) over t and the sampled c ≠ t

If classes are sampled independently, the loss is least where softmax(y) is their distribution, as for the exact
softmax. Where all classes are sampled, it equals the exact softmax. Other columns of the Dense layer have the gradient
0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from numlstm.kernels.contract.dense import DenseGradients, DenseWeights
from numlstm.kernels.contract.memory import Array

__all__ = ["Sampled", "SampledClasses"]


@dataclass(frozen=True)
class SampledClasses:
    """The classes of one training step.

    labels: [R] int64 contiguous, t of each row, from 0 to N - 1 also in rows of weight 0
    classes: [S] int64 contiguous, the sampled classes, rising, none twice
    log_inclusion: [N] contiguous, log π of all classes
    """

    labels: Array
    classes: Array
    log_inclusion: Array


class Sampled(Protocol):
    """The Dense layer's passes before `sampled_softmax`."""

    def sampled_dense_forward(self, weights: DenseWeights, x: Array, classes: SampledClasses, y: Array) -> None:
        """The logits of the sampled classes, and that of the row's own class: y_rs = x_r K_c + b_c.

        x: [R, F] view
        y: [R, S + 1] contiguous, overwritten. The last column belongs to the row's own class
        """

    def sampled_dense_backward(
        self, weights: DenseWeights, x: Array, classes: SampledClasses, dy: Array, gradients: DenseGradients
    ) -> None:
        """dK, db and dx as in `dense_backward`; zeros in dK and db for classes that no column of dy belongs to.

        x: [R, F] view
        dy: [R, S + 1] contiguous
        """
