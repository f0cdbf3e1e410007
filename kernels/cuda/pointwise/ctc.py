"""Connectionist temporal classification: forward and backward sums over alignments, in logarithms.

The states of a row are its labels with a blank before each and one at the end. First, a thread for each step computes
the softmax. Then a block takes a row, whose states its threads share; α is kept for all steps, β for two. At last, a
block for each step writes the gradient, where a thread sums the states of its class in their order.

Row 0 of α is the state before the first step. The logarithm of 0 is a finite number, so that differences of two of them
are none of ∞ - ∞.
"""

import math
from typing import NamedTuple

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.pointwise.loss import weight_of
from numlstm.kernels.cuda.products.matmul import sum_all
from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, device_function, kernel, runs
from numlstm.kernels.cuda.runtime.memory import empty
from numlstm.kernels.cuda.runtime.ptx import exp
from numlstm.kernels.cuda.runtime.signature import Bools, Floats, Int, Ints, Reals

__all__ = ["ctc"]

_LOG_ZERO = -1e200
_IMPOSSIBLE = 0.5 * _LOG_ZERO


class _Rows(NamedTuple):
    """The rows, as the contract has them, and their sizes: B, T, V and L. What is missing is not read."""

    y: Reals
    labels: Ints
    mask: Bools
    masked: Int
    weights: Reals
    weighted: Int
    blank: Int
    count: Int
    steps: Int
    classes: Int
    most: Int


class _Sums(NamedTuple):
    """What the kernels hand on.

    totals: [B, T, 2] log Σ exp y and Σ exp(y - max y)
    alpha: [B, T + 1, 2 L + 1] α; after `_align` the probabilities of the states
    beta: [B, 2, 2 L + 1] β p of the step after, and of this step
    log_p: [B] log P(labels)
    """

    totals: Floats
    alpha: Floats
    beta: Floats
    log_p: Floats


@device_function
def _counts(rows, step):
    """Whether a step of a row counts."""
    return not rows.masked or rows.mask[step] != 0


@device_function
def _length(rows, row):
    """The number of labels before the first blank or negative number."""
    first, length = row * rows.most, 0
    while length < rows.most and rows.labels[first + length] >= 0 and rows.labels[first + length] != rows.blank:
        length += 1
    return length


@device_function
def _skips(rows, row, state):
    """Whether a state may follow the state two before it at once: a label that differs from the label before."""
    label = row * rows.most + state // 2
    return state % 2 == 1 and state > 1 and rows.labels[label] != rows.labels[label - 1]


@device_function
def _emit(rows, sums, row, step, state):
    """log p of the state's class at a step."""
    column = rows.blank if state % 2 == 0 else rows.labels[row * rows.most + state // 2]
    logarithm = float64(rows.y[step * rows.classes + column]) - sums.totals[2 * step]
    return _LOG_ZERO if logarithm < _LOG_ZERO else logarithm


@device_function
def _add_three(a, b, c):
    """log(exp(a) + exp(b) + exp(c))."""
    most = b if b > a else a
    most = c if c > most else most
    return most + math.log(exp(a - most) + exp(b - most) + exp(c - most))


@kernel(_Rows, "real* float* int")
def _softmax(rows, dy, totals, size):
    """Each thread takes one step of a row: its totals, and exp(y - max y) in dy."""
    for step in range(cuda.grid(1), size, cuda.gridsize(1)):
        if weight_of(rows.y, rows.weights, rows.weighted, step // rows.steps) != 0 and _counts(rows, step):
            begin, end = step * rows.classes, (step + 1) * rows.classes
            largest, total = rows.y[begin], 0.0
            for place in range(begin + 1, end):
                largest = rows.y[place] if rows.y[place] > largest else largest
            for place in range(begin, end):
                dy[place] = exp(rows.y[place] - largest)
                total += float64(dy[place])
            totals[2 * step] = float64(largest) + math.log(total)
            totals[2 * step + 1] = total


@kernel(_Rows, _Sums, "float* int")
def _align(rows, sums, values, zero_infinity):
    """One block for each row: log P(labels), the row's weighted loss, and the probabilities of the states."""
    row, thread = cuda.blockIdx.x, cuda.threadIdx.x
    states, width = 2 * _length(rows, row) + 1, 2 * rows.most + 1
    alpha, beta = row * (rows.steps + 1) * width, row * 2 * width
    weight = float64(weight_of(rows.y, rows.weights, rows.weighted, row))
    log_p = _LOG_ZERO
    if weight != 0.0:
        for s in range(thread, states, THREADS):
            sums.alpha[alpha + s] = 0.0 if s == 0 else _LOG_ZERO
            sums.beta[beta + s] = 0.0 if s == states - 1 else _LOG_ZERO
        cuda.syncthreads()
        last = alpha
        for t in range(rows.steps):
            step = row * rows.steps + t
            if _counts(rows, step):
                after = alpha + (t + 1) * width
                for s in range(thread, states, THREADS):
                    before = sums.alpha[last + s - 1] if s > 0 else _LOG_ZERO
                    two_before = sums.alpha[last + s - 2] if _skips(rows, row, s) else _LOG_ZERO
                    together = _add_three(sums.alpha[last + s], before, two_before)
                    sums.alpha[after + s] = together + _emit(rows, sums, row, step, s)
                last = after
                cuda.syncthreads()
        label = sums.alpha[last + states - 2] if states > 1 else _LOG_ZERO
        log_p = _add_three(sums.alpha[last + states - 1], label, _LOG_ZERO)
        cuda.syncthreads()  # Wait until all threads have read the last α, which is overwritten.
        _go_back(rows, sums, row, states, log_p, (alpha, beta, width))
    if thread == 0:
        sums.log_p[row] = log_p
        # NaN is not less, and stays NaN.
        infinite = weight * math.inf if not zero_infinity and weight != 0.0 else 0.0
        values[row] = infinite if log_p < _IMPOSSIBLE else -weight * log_p


@device_function
def _go_back(rows, sums, row, states, log_p, places):
    """Go back through a row's steps: β, and the probabilities of the states in the place of α."""
    alpha, beta, width = places
    now, other = beta, beta + width
    for t in range(rows.steps - 1, -1, -1):
        step = row * rows.steps + t
        if _counts(rows, step):
            at = alpha + (t + 1) * width
            for s in range(cuda.threadIdx.x, states, THREADS):
                after = sums.beta[now + s + 1] if s + 1 < states else _LOG_ZERO
                skips = s + 2 < states and _skips(rows, row, s + 2)
                two_after = sums.beta[now + s + 2] if skips else _LOG_ZERO
                together = _add_three(sums.beta[now + s], after, two_after)
                sums.alpha[at + s] = exp(sums.alpha[at + s] + together - log_p)
                sums.beta[other + s] = together + _emit(rows, sums, row, step, s)
            now, other = other, now
            cuda.syncthreads()


@kernel(_Rows, _Sums, "real*")
def _subtract(rows, sums, dy):
    """One block for each step of a row, whose threads share the classes: dy = w/B (p - P(emitted | labels))."""
    step = cuda.blockIdx.x
    row = step // rows.steps
    weight = float64(weight_of(rows.y, rows.weights, rows.weighted, row))
    log_p, first = sums.log_p[row], (step + row + 1) * (2 * rows.most + 1)
    counts = weight != 0.0 and not log_p < _IMPOSSIBLE and _counts(rows, step)
    length = _length(rows, row) if counts else 0
    slope = weight / rows.count + 0.0 * log_p  # NaN stays NaN.
    for column in range(cuda.threadIdx.x, rows.classes, THREADS):
        place = step * rows.classes + column
        gradient = 0.0
        if counts:
            emitted = sums.alpha[first + 2 * length] if column == rows.blank else 0.0
            for i in range(length):
                if column == rows.blank:
                    emitted += sums.alpha[first + 2 * i]
                elif column == rows.labels[row * rows.most + i]:
                    emitted += sums.alpha[first + 2 * i + 1]
            gradient = slope * (float64(dy[place]) / sums.totals[2 * step + 1] - emitted)
        dy[place] = gradient


@runs(_softmax, _align, _subtract, *sum_all.kernels_used)
def ctc(y, targets, weights, loss, dy):
    """-log P(labels)."""
    count, steps, classes = y.shape
    most, mask = targets.labels.shape[1], targets.mask
    rows = _Rows(
        y, targets.labels, y if mask is None else mask, int(mask is not None), y if weights is None else weights,
        int(weights is not None), targets.blank, count, steps, classes, most,
    )  # fmt: skip
    if count:
        states = 2 * most + 1
        shapes = (count, steps, 2), (count, steps + 1, states), (count, 2, states), (count,)
        sums, values = _Sums(*(empty(shape, "float64") for shape in shapes)), empty((count,), "float64")
        if steps:
            _softmax.launch(y.dtype, blocks_for(count * steps), rows, dy, sums.totals, count * steps)
        _align.launch(y.dtype, count, rows, sums, values, int(targets.zero_infinity))
        if steps:
            _subtract.launch(y.dtype, count * steps, rows, sums, dy)
        sum_all(values, loss, 1.0)
