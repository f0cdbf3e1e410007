"""The Dense layer before a softmax of sampled classes: their columns make a small product."""

from numba import cuda

from numlstm.kernels.cuda.pointwise.embedding import embedding_backward
from numlstm.kernels.cuda.products.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel, runs
from numlstm.kernels.cuda.runtime.memory import empty

__all__ = ["sampled_dense_backward", "sampled_dense_forward"]


@kernel("real* int* real* int int int")
def _gather(matrix, classes, columns, features, samples, symbols):
    """Copy the columns of the classes. A vector is a matrix with one row."""
    for k in range(cuda.grid(1), features * samples, cuda.gridsize(1)):
        columns[k] = matrix[k // samples * symbols + classes[k % samples]]


@kernel("real* int real* real* int int* real* int int int int")
def _label_logits(x, x_row, matrix, bias, biased, labels, y, features, symbols, columns, rows):
    """Write x K_t + b_t of each row to its last number."""
    for row in range(cuda.grid(1), rows, cuda.gridsize(1)):
        label = labels[row]
        total = bias[label] if biased else type(bias[label])(0)
        for feature in range(features):
            total += x[row * x_row + feature] * matrix[feature * symbols + label]
        y[row * columns + columns - 1] = total


@kernel("real* int real* real* int int int")
def _label_gradients(x, x_row, dy, out, features, columns, rows):
    """Write dy_t x and dy_t of each row, the gradients of its own class's column and bias."""
    width = features + 1
    for k in range(cuda.grid(1), rows * width, cuda.gridsize(1)):
        row, feature = k // width, k % width
        slope = dy[row * columns + columns - 1]
        out[k] = slope * x[row * x_row + feature] if feature < features else slope


@kernel("real* real* int int int int")
def _transpose(of_labels, gradient, first, features, width, size):
    """Write the features from `first` on of the classes' gradients, [N, width], as rows of the gradient."""
    symbols = size // features
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        gradient[k] = of_labels[k % symbols * width + first + k // symbols]


@kernel("real* int* real* int int int")
def _add_columns(part, classes, gradient, features, samples, symbols):
    """Add the part of the sampled classes, which differ, so that no two threads write to the same number."""
    for k in range(cuda.grid(1), features * samples, cuda.gridsize(1)):
        gradient[k // samples * symbols + classes[k % samples]] += part[k]


@kernel("real* real* int* real* int int int int int")
def _add_label_columns(dy, matrix, labels, dx, dx_row, features, symbols, columns, size):
    """Add dy_t K_t to dx of each row."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        row, feature = k // features, k % features
        dx[row * dx_row + feature] += dy[row * columns + columns - 1] * matrix[feature * symbols + labels[row]]


def _columns_of(matrix, classes):
    """The columns of the sampled classes, of a matrix [F, N] or a vector [N]."""
    *rows, symbols = matrix.shape
    features, samples = rows[0] if rows else 1, len(classes)
    columns = empty((*rows, samples), matrix.dtype)
    _gather.launch(
        matrix.dtype, blocks_for(features * samples), matrix, classes, columns, features, samples, symbols
    )  # fmt: skip
    return columns


@runs(_gather, *multiply.kernels_used, _label_logits)
def sampled_dense_forward(weights, x, classes, y):
    """y_rs = x_r K_c + b_c, and y_rS = x_r K_t + b_t."""
    (rows, features), (symbols, columns) = x.shape, (weights.kernel.shape[1], y.shape[1])
    biased = weights.bias is not None
    bias = weights.bias if biased else weights.kernel
    chosen = _columns_of(bias, classes.classes) if biased else None
    multiply(x, _columns_of(weights.kernel, classes.classes), y[:, : columns - 1], bias=chosen)
    _label_logits.launch(
        y.dtype, blocks_for(rows), x, x.strides[0], weights.kernel, bias, int(biased), classes.labels, y, features,
        symbols, columns, rows,
    )  # fmt: skip


@runs(
    _label_gradients, *embedding_backward.kernels_used, _transpose, _add_columns, *multiply_transposed.kernels_used,
    *sum_rows.kernels_used, _gather, *multiply.kernels_used, _add_label_columns,
)  # fmt: skip
def sampled_dense_backward(weights, x, classes, dy, gradients):
    """dK = xᵀ dy, db = Σ dy, dx = dy Kᵀ, with the columns of the classes."""
    (rows, features), (symbols, columns), dtype = x.shape, (weights.kernel.shape[1], dy.shape[1]), dy.dtype
    sampled = dy[:, : columns - 1]
    of_rows, of_labels = empty((rows, features + 1), dtype), empty((symbols, features + 1), dtype)
    _label_gradients.launch(
        dtype, blocks_for(of_rows.size), x, x.strides[0], dy, of_rows, features, columns, rows
    )  # fmt: skip
    embedding_backward(classes.labels, of_rows, of_labels)
    part = empty((features, columns - 1), dtype)
    multiply_transposed(x, sampled, part)
    _combine(of_labels, 0, part, classes.classes, gradients.kernel)
    if gradients.bias is not None:
        part = empty((1, columns - 1), dtype)
        sum_rows(sampled, part.reshape(columns - 1))
        _combine(of_labels, features, part, classes.classes, gradients.bias.reshape(1, symbols))
    if gradients.x is not None:
        dx = gradients.x
        multiply(sampled, _columns_of(weights.kernel, classes.classes).T, dx)
        _add_label_columns.launch(
            dtype, blocks_for(dx.size), dy, weights.kernel, classes.labels, dx, dx.strides[0], features, symbols,
            columns, dx.size,
        )  # fmt: skip


def _combine(of_labels, first, part, classes, gradient):
    """Write the gradient from that of the rows' own classes, and the part of the samples."""
    (features, symbols), samples, dtype = gradient.shape, len(classes), gradient.dtype
    _transpose.launch(
        dtype, blocks_for(gradient.size), of_labels, gradient, first, features, of_labels.shape[1], gradient.size
    )  # fmt: skip
    _add_columns.launch(dtype, blocks_for(part.size), part, classes, gradient, features, samples, symbols)
