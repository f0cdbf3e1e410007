"""Attention: masks of scores, and additive scores."""

from numba import cuda

from numlstm.kernels.cuda.cells.activation import tanh
from numlstm.kernels.cuda.pointwise.elementwise import multiply_each
from numlstm.kernels.cuda.products.gradients import sum_rows
from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel, runs
from numlstm.kernels.cuda.runtime.memory import empty

__all__ = ["additive_scores", "additive_scores_backward", "mask_scores", "scale_by", "sum_of_products"]

_HIDDEN = 1e9


@kernel("real* bool* int int int int int")
def _mask_scores(scores, mask, masked, causal, rows, columns, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        item, row, column = k // (rows * columns), k // columns % rows, k % columns
        if (causal and column > row) or (masked and mask[item * columns + column] == 0):
            score = scores[k]
            scores[k] = score - type(score)(_HIDDEN)


# `given` says which factors there are: 1 for inner, plus 2 for outer. outer has a stride of 0 if it is one number.


@kernel("real* real* real* real* int int real* int int int int")
def _additive_scores(query, key, inner, outer, given, outer_step, scores, rows, columns, features, size):
    """Each thread takes one score."""
    for place in range(cuda.grid(1), size, cuda.gridsize(1)):
        item, row = place // (rows * columns), place // columns
        q_at, k_at = row * features, (item * columns + place % columns) * features
        one = type(query[0])(1)
        factor = inner[0] if given % 2 == 1 else one
        total = type(one)(0)
        for d in range(features):
            t = tanh(factor * (query[q_at + d] + key[k_at + d]))
            total += (outer[d * outer_step] if given >= 2 else one) * t
        scores[place] = total


@kernel("real* real* real* real* int int real* real* real* real* int int int int")
def _additive_query_gradient(
    query, key, inner, outer, given, outer_step, dscores, dquery, dinner, douter, rows, columns, features, size
):
    """Each thread takes one number of dquery, and its sums of dinner and douter."""
    for place in range(cuda.grid(1), size, cuda.gridsize(1)):
        row, d = place // features, place % features
        item = row // rows
        one = type(query[0])(1)
        factor = inner[0] if given % 2 == 1 else one
        a = outer[d * outer_step] if given >= 2 else one
        q = query[place]
        dq, sum_inner, sum_outer = type(one)(0), type(one)(0), type(one)(0)
        for column in range(columns):
            both = q + key[(item * columns + column) * features + d]
            t = tanh(factor * both)
            ds = dscores[row * columns + column]
            g = ds * a * (one - t * t)
            dq += factor * g
            sum_inner += g * both
            sum_outer += ds * t
        dquery[place] = dq
        dinner[place] = sum_inner
        douter[place] = sum_outer


@kernel("real* real* real* real* int int real* real* int int int int")
def _additive_key_gradient(
    query, key, inner, outer, given, outer_step, dscores, dkey, rows, columns, features, size
):  # fmt: skip
    """Each thread takes one number of dkey."""
    for place in range(cuda.grid(1), size, cuda.gridsize(1)):
        item, column, d = place // (columns * features), place // features % columns, place % features
        one = type(query[0])(1)
        factor = inner[0] if given % 2 == 1 else one
        a = outer[d * outer_step] if given >= 2 else one
        k = key[place]
        dk = type(one)(0)
        for row in range(item * rows, (item + 1) * rows):
            t = tanh(factor * (query[row * features + d] + k))
            dk += factor * (dscores[row * columns + column] * a * (one - t * t))
        dkey[place] = dk


@kernel("real* real* real* int")
def _scale_by(x, factor, y, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        y[k] = factor[0] * x[k]


@runs(_mask_scores)
def mask_scores(scores, mask, causal):
    """s_qk - 10⁹ where the query does not see the key."""
    if mask is not None or causal:
        masked, mask = int(mask is not None), scores if mask is None else mask  # A missing mask is not read.
        _, rows, columns = scores.shape
        _mask_scores.launch(
            scores.dtype, blocks_for(scores.size), scores, mask, masked, int(causal), rows, columns, scores.size
        )


@runs(_additive_scores)
def additive_scores(query, key, weights, scores):
    """s_qk = Σ_d outer_d tanh(inner (query_qd + key_kd))."""
    (_, rows, features), columns = query.shape, key.shape[1]
    _additive_scores.launch(
        scores.dtype, blocks_for(scores.size), query, key, *_factors(weights, query), scores, rows, columns, features,
        scores.size,
    )  # fmt: skip


@runs(_additive_query_gradient, _additive_key_gradient, *sum_rows.kernels_used)
def additive_scores_backward(query, key, weights, dscores, gradients):
    """g = ds outer (1 - t²) and its sums."""
    (items, rows, features), columns, dtype = query.shape, key.shape[1], query.dtype
    factors, sizes = _factors(weights, query), (rows, columns, features)
    dquery = empty(query.shape, dtype) if gradients.query is None else gradients.query
    dinner, douter = (empty((items * rows, features), dtype) for _ in range(2))
    _additive_query_gradient.launch(
        dtype, blocks_for(query.size), query, key, *factors, dscores, dquery, dinner, douter, *sizes, query.size
    )
    if gradients.key is not None:
        _additive_key_gradient.launch(
            dtype, blocks_for(key.size), query, key, *factors, dscores, gradients.key, *sizes, key.size
        )
    for sums, total in ((dinner, gradients.inner), (douter, gradients.outer)):
        if total is not None and total.size == features:
            sum_rows(sums, total)
        elif total is not None:
            _sum(sums, total)


def _factors(weights, query):
    """(inner, outer, given, stride of outer), as the kernels take them."""
    inner, outer = weights.inner, weights.outer
    given = int(inner is not None) + 2 * int(outer is not None)
    step = int(outer is not None and outer.size > 1)
    return query if inner is None else inner, query if outer is None else outer, given, step


def _sum(numbers, total):
    """total [1] = the sum of all numbers [R, N]."""
    columns = empty((numbers.shape[1],), numbers.dtype)
    sum_rows(numbers, columns)
    sum_rows(columns.reshape(columns.size, 1), total)


@runs(_scale_by)
def scale_by(x, factor, y):
    """y = factor x."""
    _scale_by.launch(y.dtype, blocks_for(y.size), x, factor, y, y.size)


@runs(*multiply_each.kernels_used, *sum_rows.kernels_used)
def sum_of_products(a, b, total):
    """Σ a ⊙ b."""
    products = empty(a.shape, a.dtype)
    multiply_each(a, b, products)
    _sum(products, total)
