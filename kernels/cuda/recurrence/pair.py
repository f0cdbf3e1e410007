"""Both directions of a bidirectional LSTM: one after the other in our one stream."""

from dataclasses import replace

from numlstm.kernels.cuda.recurrence.passes import lstm_backward, lstm_forward, lstm_plan


def lstm_forward_pair(cell, weights, inputs, traces, y):
    """z = x W + h' U + b, then the gates: c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c."""
    for each in zip(weights, inputs, traces, y, strict=True):
        lstm_forward(cell, *each)


def lstm_plan_pair(cell, shape, training, general=False):
    """What `lstm_forward_pair` would run, from the shape alone."""
    plan = lstm_plan(cell, shape, training, general)
    return replace(plan, reason=f"one direction after the other: {plan.reason}", nbytes=2 * plan.nbytes)


def lstm_backward_pair(cell, weights, inputs, traces, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG, dx = dG Wᵀ."""
    for each in zip(weights, inputs, traces, dy, gradients, strict=True):
        lstm_backward(cell, *each)
