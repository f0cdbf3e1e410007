"""Both directions of a bidirectional layer: one after the other in one stream."""

from numlstm.kernels.cuda.recurrence.passes import recurrent_backward, recurrent_forward

__all__ = ["recurrent_backward_pair", "recurrent_forward_pair"]


def recurrent_forward_pair(cell, weights, inputs, traces, y):
    """z = x W + h' U + b, then the cell, from the first step to the last."""
    for each in zip(weights, inputs, traces, y, strict=True):
        recurrent_forward(cell, *each)


def recurrent_backward_pair(cell, weights, inputs, traces, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG, dx = dG Wᵀ."""
    for each in zip(weights, inputs, traces, dy, gradients, strict=True):
        recurrent_backward(cell, *each)
