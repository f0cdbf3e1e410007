"""Both directions of a bidirectional LSTM: one after the other in our one stream."""

from numlstm.kernels.cuda.lstm import lstm_backward, lstm_forward


def lstm_forward_pair(cell, weights, inputs, traces, y):
    """z = x W + h' U + b, then the gates: c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c."""
    for each in zip(weights, inputs, traces, y, strict=True):
        lstm_forward(cell, *each)


def lstm_backward_pair(cell, weights, inputs, traces, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG, dx = dG Wᵀ."""
    for each in zip(weights, inputs, traces, dy, gradients, strict=True):
        lstm_backward(cell, *each)
