"""Cross-entropies: each adds its value to `loss` and writes the gradient of its mean to `dy`."""

import math

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.pointwise.loss import add_elements, loss_kernel, weight_of
from numlstm.kernels.cuda.products.matmul import sum_all
from numlstm.kernels.cuda.runtime.launch import THREADS, device_function, kernel, runs
from numlstm.kernels.cuda.runtime.memory import empty
from numlstm.kernels.cuda.runtime.ptx import shared_array

__all__ = [
    "binary_crossentropy", "categorical_crossentropy", "sampled_softmax", "sparse_categorical_crossentropy",
]  # fmt: skip

_EPSILON = 1e-7


# Functions of an element, as in loss.py, with the label smoothing as option: for logits, and for probabilities.


@device_function
def _binary_logits_error(z, target, smoothing, column):
    real = type(z)
    t = target * real(1.0 - smoothing) + real(0.5 * smoothing)
    power = real(math.exp(-abs(z)))
    value = (z if z > real(0) else real(0)) - z * t + real(math.log1p(power))
    return value, (real(1) if z >= real(0) else power) / (real(1) + power) - t


@device_function
def _binary_error(p, target, smoothing, column):
    real = type(p)
    t = target * real(1.0 - smoothing) + real(0.5 * smoothing)
    least, most = real(_EPSILON), real(1.0 - _EPSILON)
    clipped = p < least or p > most
    # Not min and max, so that NaN stays NaN.
    p = least if p < least else most if p > most else p
    value = -t * real(math.log(p)) - (real(1) - t) * real(math.log(real(1) - p))
    return value, real(0) if clipped else (p - t) / (p * (real(1) - p))


_binary_of_logits = loss_kernel(_binary_logits_error)
_binary = loss_kernel(_binary_error)


@device_function
def _meet(held, number, by_size):
    """Return the sum of a block's numbers, or the largest, to every thread. The tree has always the same order.

    held: [THREADS] in shared memory
    """
    thread = cuda.threadIdx.x
    cuda.syncthreads()  # Wait until all threads have read the previous result.
    held[thread] = number
    others = THREADS // 2
    while others:
        cuda.syncthreads()
        if thread < others:
            mine, other = held[thread], held[thread + others]
            if by_size:
                held[thread] = other if other > mine else mine
            else:
                held[thread] = mine + other
        others //= 2
    cuda.syncthreads()
    return held[0]


@device_function
def _total(held, y, begin, end):
    """Σ y of the row."""
    total = type(y[begin - cuda.threadIdx.x])(0)
    for k in range(begin, end, THREADS):
        total += y[k]
    return _meet(held, float64(total), False)


@device_function
def _powers(held, y, dy, begin, end):
    """Return (max y, Σ exp(y - max y)) of the row, and write the powers to dy."""
    real = type(y[begin - cuda.threadIdx.x])
    largest = real(-math.inf)
    for k in range(begin, end, THREADS):
        largest = y[k] if y[k] > largest else largest
    largest = real(_meet(held, float64(largest), True))
    for k in range(begin, end, THREADS):
        dy[k] = math.exp(y[k] - largest)
    return largest, _total(held, dy, begin, end)


@kernel("real* real* real* int float* real* int int int float")
def _categorical(y, target, weights, weighted, partial, dy, columns, rows, from_logits, smoothing):
    held = shared_array(THREADS, float64, 16)
    row, thread = cuda.blockIdx.x, cuda.threadIdx.x
    begin, end = row * columns + thread, (row + 1) * columns
    weight = weight_of(y, weights, weighted, row)
    real = type(weight)
    value, passed = real(0), real(0)
    keep, spread = real(1.0 - smoothing), real(smoothing / columns)
    if weight == real(0):
        for k in range(begin, end, THREADS):
            dy[k] = weight
    elif from_logits:
        largest, total = _powers(held, y, dy, begin, end)
        log_total = real(math.log(real(total)))
        for k in range(begin, end, THREADS):
            t = target[k] * keep + spread
            passed += t
            value += t * (log_total - (y[k] - largest))
        everything = real(_meet(held, float64(passed), False))
        for k in range(begin, end, THREADS):
            t = target[k] * keep + spread
            dy[k] = weight / real(rows) * (dy[k] / real(total) * everything - t)
    else:
        total = real(_total(held, y, begin, end))
        least, most = real(_EPSILON), real(1.0 - _EPSILON)
        for k in range(begin, end, THREADS):
            t, p = target[k] * keep + spread, y[k] / total
            if t != real(0):
                value -= t * real(math.log(least if p < least else most if p > most else p))
            if not (p < least or p > most):
                passed += t
        everything = real(_meet(held, float64(passed), False))
        for k in range(begin, end, THREADS):
            t, p = target[k] * keep + spread, y[k] / total
            mine = real(0) if p < least or p > most else t / p
            dy[k] = weight / real(rows) * (everything - mine) / total
    whole = _meet(held, float64(weight * value), False)
    if thread == 0:
        partial[row] = whole


@kernel("real* int* real* int float* real* int int int")
def _sparse(y, target, weights, weighted, partial, dy, columns, rows, from_logits):
    held = shared_array(THREADS, float64, 16)
    row, thread = cuda.blockIdx.x, cuda.threadIdx.x
    begin, end = row * columns + thread, (row + 1) * columns
    weight = weight_of(y, weights, weighted, row)
    real = type(weight)
    value = real(0)
    if weight == real(0):
        for k in range(begin, end, THREADS):
            dy[k] = weight
    else:
        at = row * columns + target[row]
        slope = weight / real(rows)
        if from_logits:
            largest, total = _powers(held, y, dy, begin, end)
            value = real(math.log(real(total))) - (y[at] - largest)
            for k in range(begin, end, THREADS):
                dy[k] = slope * (dy[k] / real(total) - (real(1) if k == at else real(0)))
        else:
            total = real(_total(held, y, begin, end))
            least, most = real(_EPSILON), real(1.0 - _EPSILON)
            p = y[at] / total
            clipped = p < least or p > most
            value = -real(math.log(least if p < least else most if p > most else p))
            passed, mine = (real(0), real(0)) if clipped else (real(1), real(1) / p)
            for k in range(begin, end, THREADS):
                dy[k] = slope * (passed - (mine if k == at else real(0))) / total
    if thread == 0:
        partial[row] = float64(weight * value)


@kernel("real* int* real* int float* real* int int int* real*")
def _sampled(y, target, weights, weighted, partial, dy, columns, rows, classes, log_inclusion):
    held = shared_array(THREADS, float64, 16)
    row, thread = cuda.blockIdx.x, cuda.threadIdx.x
    begin, end = row * columns + thread, (row + 1) * columns
    last = end - 1
    weight = weight_of(y, weights, weighted, row)
    real = type(weight)
    value = real(0)
    if weight == real(0):
        for k in range(begin, end, THREADS):
            dy[k] = weight
    else:
        label = target[row]
        own = y[last] - log_inclusion[label]
        for k in range(begin, end, THREADS):
            if k == last:
                dy[k] = own
            else:
                number = classes[k - row * columns]
                dy[k] = real(-math.inf) if number == label else y[k] - log_inclusion[number]
        largest, total = _powers(held, dy, dy, begin, end)
        value = real(math.log(real(total))) - (own - largest)
        slope = weight / real(rows)
        for k in range(begin, end, THREADS):
            dy[k] = slope * (dy[k] / real(total) - (real(1) if k == last else real(0)))
    if thread == 0:
        partial[row] = float64(weight * value)


def _add_rows(kernel, y, target, weights, loss, dy, *options):
    """Run a kernel with one block for each row, whose threads each take every `THREADS`th number."""
    rows, columns = y.shape
    if rows:
        partial = empty((rows,), "float64")
        weighted, weights = weights is not None, y if weights is None else weights
        kernel.launch(y.dtype, rows, y, target, weights, int(weighted), partial, dy, columns, rows, *options)
        sum_all(partial, loss, 1.0)


@runs(_binary_of_logits, _binary, *sum_all.kernels_used)
def binary_crossentropy(y, target, weights, loss, dy, from_logits, label_smoothing):
    """-t log p - (1 - t) log(1 - p)."""
    add_elements(_binary_of_logits if from_logits else _binary, y, target, weights, loss, dy, label_smoothing)


@runs(_categorical, *sum_all.kernels_used)
def categorical_crossentropy(y, target, weights, loss, dy, from_logits, label_smoothing):
    """-Σ t log p."""
    _add_rows(_categorical, y, target, weights, loss, dy, int(from_logits), label_smoothing)


@runs(_sparse, *sum_all.kernels_used)
def sparse_categorical_crossentropy(y, target, weights, loss, dy, from_logits):
    """-log p of the target's class."""
    _add_rows(_sparse, y, target, weights, loss, dy, int(from_logits))


@runs(_sampled, *sum_all.kernels_used)
def sampled_softmax(y, classes, weights, loss, dy):
    """-log p of the row's own class."""
    _add_rows(_sampled, y, classes.labels, weights, loss, dy, classes.classes, classes.log_inclusion)
