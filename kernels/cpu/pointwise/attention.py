"""Attention: masks of scores, and additive scores on vectors of features."""

import numpy as np

from numlstm.kernels.cpu.cells.activation import tanh
from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.cpu.runtime.vector import fma, lanes_of, load_part, spread, store_part, sum_of, zero
from numlstm.kernels.replay import call

__all__ = ["additive_scores", "additive_scores_backward", "mask_scores", "scale_by", "sum_of_products"]

_HIDDEN = 1e9
_OPERATIONS = 20  # Operations for each feature of a score, for `threads_for`.


@kernel("real3K real3K real1K real1K real3C int int")
def _additive_scores(query, key, inner, outer, scores, chunk, chunks):
    """Compute one chunk of the queries of all items."""
    items, rows, columns = scores.shape
    size = query.shape[2]
    begin, end = part_of(items * rows, chunk, chunks)
    lane_count, factor = lanes_of(query), spread(inner[0])
    for row in range(begin, end):
        item = row // rows
        for column in range(columns):
            q_at, k_at = row * size, (item * columns + column) * size
            total = zero(query)
            for d in range(0, size, lane_count):
                live = min(lane_count, size - d)
                t = tanh(factor * (load_part(query, q_at + d, live) + load_part(key, k_at + d, live)))
                total = fma(load_part(outer, d, live), t, total)
            scores[item, row - item * rows, column] = sum_of(total)


@kernel("real3K real3K real1K real1K real3K (real3C,real3C,real2C,real2C) int int")
def _additive_scores_backward(query, key, inner, outer, dscores, gradients, chunk, chunks):
    """Compute one chunk of the items.

    gradients: (dquery, dkey, dinner, douter). The last two are [B, D], a row of sums for each item.
    """
    dquery, dkey, dinner, douter = gradients
    items, rows, columns = dscores.shape
    size = query.shape[2]
    begin, end = part_of(items, chunk, chunks)
    lane_count, factor = lanes_of(query), spread(inner[0])
    for item in range(begin, end):
        for d in range(0, size, lane_count):
            live = min(lane_count, size - d)
            a = load_part(outer, d, live)
            sum_inner, sum_outer = zero(query), zero(query)
            for column in range(columns):
                store_part(dkey, (item * columns + column) * size + d, zero(query), live)
            for row in range(rows):
                q_at = (item * rows + row) * size + d
                q, dq = load_part(query, q_at, live), zero(query)
                for column in range(columns):
                    k_at = (item * columns + column) * size + d
                    both = q + load_part(key, k_at, live)
                    t = tanh(factor * both)
                    ds = spread(dscores[item, row, column])
                    g = ds * a * (1.0 - t * t)
                    sum_inner, sum_outer = fma(g, both, sum_inner), fma(ds, t, sum_outer)
                    dq = fma(factor, g, dq)
                    store_part(dkey, k_at, fma(factor, g, load_part(dkey, k_at, live)), live)
                store_part(dquery, q_at, dq, live)
            store_part(dinner, item * size + d, sum_inner, live)
            store_part(douter, item * size + d, sum_outer, live)


@runs()
def mask_scores(scores, mask, causal):
    """s_qk - 10⁹ where the query does not see the key."""
    if mask is not None or causal:
        call(_mask_scores, scores, mask, causal)


def _mask_scores(scores, mask, causal):
    hidden = ~np.tri(*scores.shape[1:], dtype=bool) if causal else np.False_
    if mask is not None:
        hidden = hidden | ~mask[:, None]
    np.subtract(scores, scores.dtype.type(_HIDDEN), out=scores, where=hidden)


@runs(_additive_scores)
def additive_scores(query, key, weights, scores):
    """s_qk = Σ_d outer_d tanh(inner (query_qd + key_kd))."""
    inner, outer = _factors(weights, query)
    items, rows, _ = scores.shape
    chunks = threads_for(_OPERATIONS * scores.size * query.shape[2], items * rows)
    _additive_scores.share(query.dtype, chunks, query, key, inner, outer, scores)


@runs(_additive_scores_backward)
def additive_scores_backward(query, key, weights, dscores, gradients):
    """g = ds outer (1 - t²) and its sums."""
    inner, outer = _factors(weights, query)
    items, size = query.shape[0], query.shape[2]
    dquery = np.empty_like(query) if gradients.query is None else gradients.query
    dkey = np.empty_like(key) if gradients.key is None else gradients.key
    dinner, douter = np.empty((2, items, size), query.dtype)
    chunks = threads_for(2 * _OPERATIONS * dscores.size * size, items)
    arrays = dquery, dkey, dinner, douter
    _additive_scores_backward.share(query.dtype, chunks, query, key, inner, outer, dscores, arrays)
    if gradients.inner is not None:
        call(np.add.reduce, dinner, (0, 1), None, gradients.inner.reshape(()))
    if gradients.outer is not None:
        whole = gradients.outer.size == 1
        call(np.add.reduce, douter, (0, 1) if whole else 0, None, gradients.outer.reshape(() if whole else -1))


def _factors(weights, query):
    """Return (inner [1], outer [D])."""
    factors = np.ones(1, query.dtype), np.ones(query.shape[2], query.dtype)
    for factor, given in zip(factors, (weights.inner, weights.outer), strict=True):
        if given is not None:
            call(np.copyto, factor, given)
    return factors


@runs()
def scale_by(x, factor, y):
    """y = factor x."""
    call(np.multiply, x, factor, y)


@runs()
def sum_of_products(a, b, total):
    """Σ a ⊙ b."""
    products = np.empty(a.shape, a.dtype)
    call(np.multiply, a, b, products)
    call(np.add.reduce, products, (0, 1), None, total.reshape(()))
