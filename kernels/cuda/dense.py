"""The Dense layer: y = x K + b and its gradients."""

from numlstm.kernels.cuda.matmul import multiply, multiply_gradient, sum_rows


def dense_forward(weights, x, y):
    """y = x K + b."""
    multiply(x, weights.kernel, y, bias=weights.bias)


def dense_backward(weights, x, dy, gradients):
    """dK = xᵀ dy, db = Σ dy, dx = dy Kᵀ."""
    multiply_gradient(x.T, dy, gradients.kernel)
    if gradients.bias is not None:
        sum_rows(dy, gradients.bias)
    if gradients.x is not None:
        multiply_gradient(dy, weights.kernel.T, gradients.x)
