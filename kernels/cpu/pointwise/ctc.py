"""Connectionist temporal classification: forward and backward sums over alignments, in logarithms.

The states of a row are its labels l_0 … l_{L-1} with a blank before each and one at the end, b_0 l_0 b_1 l_1 … b_L.
Blanks and labels lie in arrays of their own, so that vectors take neighbours of one kind:

    α_t(b_i) = p_t(blank) (α(b_i) + α(l_{i-1})),  α_t(l_i) = p_t(l_i) (α(l_i) + α(b_i) + [l_i ≠ l_{i-1}] α(l_{i-1}))

with α of the step before; β goes back the same ways. α is kept for all steps, β for one. Row 0 of α is the state before
the first step. The logarithm of 0 is a finite number, so that differences of two of them are none of ∞ - ∞.
"""

import math

import numpy as np
from numba import njit

from numlstm.kernels.cpu.cells.activation import exp
from numlstm.kernels.cpu.pointwise.crossentropy import powers
from numlstm.kernels.cpu.pointwise.loss import add_sum
from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.cpu.runtime.memory import workspace
from numlstm.kernels.cpu.runtime.vector import (
    VECTOR_BYTES,
    fma,
    lanes_of,
    load,
    spread,
    store,
    sum_of,
    where_less,
    zero,
)
from numlstm.kernels.replay import call

__all__ = ["ctc"]

_OPERATIONS = 40  # Operations for each output and, for each of the two passes, each state; for `threads_for`.
_LOG_ZERO = -1e200
_IMPOSSIBLE = 0.5 * _LOG_ZERO
_LANES = VECTOR_BYTES // 8

_CENTER = math.sqrt(3.0)
_LOG_CENTER = math.log(_CENTER)
_ATANH = tuple(1 / (2 * k + 1) for k in range(12, 0, -1))
"""The coefficients of atanh(s) = s + s³/3 + …: for the largest s of `_log`, 0.27, the next term is below 10⁻¹⁶."""


@njit(inline="always")
def _log(x):
    """log x for x from 1 to 3, as log c + 2 atanh((x - c) / (x + c)) with c = √3."""
    s = (x - _CENTER) / (x + _CENTER)
    square = s * s
    p = spread(1.0 / 27.0)
    for coefficient in _ATANH:
        p = fma(p, square, spread(coefficient))
    return fma(s * square, p, s) * 2.0 + _LOG_CENTER


@njit(inline="always")
def _add(a, b):
    """log(exp(a) + exp(b))."""
    most, less = where_less(a, b, b, a), where_less(a, b, a, b)
    return most + _log(exp(less - most) + 1.0)


@njit(inline="always")
def _add_three(a, b, c):
    """log(exp(a) + exp(b) + exp(c))."""
    more, least = where_less(a, b, b, a), where_less(a, b, a, b)
    most, less = where_less(more, c, c, more), where_less(more, c, more, c)
    return most + _log(exp(less - most) + exp(least - most) + 1.0)


@njit(inline="always")
def _length(labels, row, blank):
    """The number of labels before the first blank or negative number."""
    length = 0
    while length < labels.shape[1] and labels[row, length] >= 0 and labels[row, length] != blank:
        length += 1
    return length


# Where several helpers need them, arguments come in groups: `given` is (y, labels, mask), `at` is (row, length, blank),
# and `room` is (work, width, places), of which width counts the states of one kind in whole vectors.


@njit(inline="always")
def _places(work, first, width, steps):
    """Where the parts of a row's workspace begin."""
    pad = lanes_of(work)
    emitted = first  # [width] log p of each label at one step
    skips = emitted + width  # [width + pad] 0 where a label may follow the label before at once
    blanks = skips + width + pad  # [width + pad] β p of the blanks at the step after
    others = blanks + width + pad  # [width + pad] β p of the labels
    totals = others + width + pad  # [2 T] log Σ exp y and Σ exp(y - max y) of each step
    alpha = totals + 2 * steps  # [T + 1] rows: [width] blanks, [pad], [width] labels
    return emitted, skips, blanks, others, totals, alpha


@njit(inline="always")
def _clear(labels, at, room):
    """Fill row 0 of α, β after the last step, the skips, and what is beyond the labels."""
    (row, length, _), (work, width, places) = at, room
    emitted, skips, blanks, others, _, alpha = places
    nothing = spread(_LOG_ZERO)
    for place in range(emitted, others + width + lanes_of(work), lanes_of(work)):
        store(work, place, nothing)
    for place in range(alpha, alpha + 2 * width + lanes_of(work), lanes_of(work)):
        store(work, place, nothing)
    for i in range(1, length):
        if labels[row, i] != labels[row, i - 1]:
            work[skips + i] = 0.0
    work[alpha] = 0.0
    work[blanks + length] = 0.0


@njit(inline="always")
def _emit(given, at, step, log_total, work, emitted):
    """Write log p of each label at a step, and return log p of the blank."""
    (y, labels, _), (row, length, blank) = given, at
    for i in range(length):
        logarithm = np.float64(y[step, labels[row, i]]) - log_total
        work[emitted + i] = _LOG_ZERO if logarithm < _LOG_ZERO else logarithm
    logarithm = np.float64(y[step, blank]) - log_total
    return _LOG_ZERO if logarithm < _LOG_ZERO else logarithm


@njit(inline="always")
def _alpha_step(before, after, blank, room):
    """Write the row of α at `after` from the row at `before`.

    blank: log p of the blank
    """
    work, width, (emitted, skips, _, _, _, _) = room
    lane_count = lanes_of(work)
    to_labels = width + lane_count
    log_blank = spread(blank)
    work[after + to_labels - 1] = _LOG_ZERO
    for k in range(0, width, lane_count):
        blanks, own = load(work, before + k), load(work, before + to_labels + k)
        left = load(work, before + to_labels + k - 1)
        store(work, after + k, _add(blanks, left) + log_blank)
        together = _add_three(own, blanks, left + load(work, skips + k))
        store(work, after + to_labels + k, together + load(work, emitted + k))


@njit(inline="always")
def _beta_step(alpha, blank, log_p, room):
    """Turn β of one step into that of the step before, and return the probability that this step emits the blank.

    alpha: the row of α after this step. Its labels are overwritten with the probabilities that the step emits them
    blank: log p of the blank
    log_p: log P(labels)
    """
    work, width, (emitted, skips, blanks, others, _, _) = room
    lane_count = lanes_of(work)
    to_labels = alpha + width + lane_count
    log_blank, shift, total = spread(blank), spread(log_p), zero(work)
    for k in range(0, width, lane_count):
        here, own = load(work, blanks + k), load(work, others + k)
        next_blanks, right = load(work, blanks + k + 1), load(work, others + k + 1)
        of_blanks = _add(here, own)
        of_labels = _add_three(own, next_blanks, right + load(work, skips + k + 1))
        total = total + exp(load(work, alpha + k) + of_blanks - shift)
        store(work, to_labels + k, exp(load(work, to_labels + k) + of_labels - shift))
        store(work, blanks + k, of_blanks + log_blank)
        store(work, others + k, of_labels + load(work, emitted + k))
    return sum_of(total)


@njit(inline="always")
def _log_probability(given, at, dy, room):
    """Return log P(labels). Leaves α and the totals of the steps in the workspace, and exp(y - max y) in dy."""
    (y, labels, mask), (row, length, _) = given, at
    work, width, (emitted, _, _, _, totals, alpha) = room
    steps, row_size = len(y) // len(labels), 2 * width + lanes_of(work)
    last = alpha
    for t in range(steps):
        step = row * steps + t
        if mask.size == 0 or mask[step]:
            largest, total = powers(y, step, dy)
            log_total = largest + math.log(total)
            work[totals + 2 * t], work[totals + 2 * t + 1] = log_total, total
            blank = _emit(given, at, step, log_total, work, emitted)
            after = alpha + (t + 1) * row_size
            _alpha_step(last, after, blank, room)
            last = after
    # The labels end with the last label, or with the blank after it.
    ended, label = work[last + length], work[last + width + lanes_of(work) + length - 1]
    most, less = (label, ended) if ended < label else (ended, label)
    return most + math.log1p(math.exp(less - most))


@njit(inline="always")
def _write_gradient(given, at, slope, log_p, dy, room):
    """Go back through the steps: dy = slope (p - P(step emits the class | labels))."""
    (y, labels, mask), (row, length, blank) = given, at
    work, width, (emitted, _, _, _, totals, alpha) = room
    steps, row_size = len(y) // len(labels), 2 * width + lanes_of(work)
    for t in range(steps - 1, -1, -1):
        step = row * steps + t
        if mask.size == 0 or mask[step]:
            log_total, share = work[totals + 2 * t], dy.dtype.type(slope / work[totals + 2 * t + 1])
            for column in range(dy.shape[1]):
                dy[step, column] *= share
            log_blank = _emit(given, at, step, log_total, work, emitted)
            after = alpha + (t + 1) * row_size
            dy[step, blank] -= slope * _beta_step(after, log_blank, log_p, room)
            for i in range(length):
                dy[step, labels[row, i]] -= slope * work[after + width + lanes_of(work) + i]
        else:
            for column in range(dy.shape[1]):
                dy[step, column] = 0.0


@kernel("real2C int2C bool1C real1C float1C real2C float1C (int,int) int int")
def _ctc(y, labels, mask, weights, values, dy, work, options, chunk, chunks):
    """Compute one chunk of the rows.

    values: [B] overwritten with the weighted losses
    work: room for each chunk
    options: the blank, and whether infinite losses count as 0
    """
    (begin, end), steps = part_of(len(labels), chunk, chunks), len(y) // len(labels)
    given = y, labels, mask
    for row in range(begin, end):
        weight = np.float64(weights[row]) if weights.size else 1.0
        values[row], log_p = 0.0, _LOG_ZERO
        if weight != 0.0:
            length = _length(labels, row, options[0])
            width = (length + lanes_of(work)) // lanes_of(work) * lanes_of(work)
            at, room = (
                (row, length, options[0]),
                (work, width, _places(work, chunk * (work.size // chunks), width, steps)),
            )
            _clear(labels, at, room)
            log_p = _log_probability(given, at, dy, room)
            if not log_p < _IMPOSSIBLE:  # NaN is not less, and makes the slope NaN.
                values[row] = -weight * log_p
                _write_gradient(given, at, weight / len(labels) + 0.0 * log_p, log_p, dy, room)
            elif not options[1]:
                values[row] = weight * math.inf
        if log_p < _IMPOSSIBLE:
            for step in range(row * steps, (row + 1) * steps):
                for column in range(dy.shape[1]):
                    dy[step, column] = 0.0


@runs(_ctc)
def ctc(y, targets, weights, loss, dy):
    """-log P(labels)."""
    (rows, steps, classes), most = y.shape, targets.labels.shape[1]
    chunks = threads_for(_OPERATIONS * rows * steps * (classes + 4 * most), rows)
    width = -(-(most + 1) // _LANES) * _LANES
    size = 4 * width + 3 * _LANES + 2 * steps + (steps + 1) * (2 * width + _LANES)
    values, work = np.empty(rows), workspace((chunks * size,), "float64")
    mask = np.empty(0, "bool") if targets.mask is None else targets.mask.reshape(rows * steps)
    weights = np.empty(0, y.dtype) if weights is None else weights
    options = targets.blank, int(targets.zero_infinity)
    if rows:
        flat_y, flat_dy = (array.reshape(rows * steps, classes) for array in (y, dy))
        _ctc.share(y.dtype, chunks, flat_y, targets.labels, mask, weights, values, flat_dy, work, options)
        call(add_sum, values, loss)
