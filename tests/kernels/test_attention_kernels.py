"""The kernels of attention of every backend against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import reference_attention as reference

from numlstm.kernels import AdditiveGradients, AdditiveWeights

# B, M, K, N
PRODUCTS = [(1, 1, 1, 1), (2, 3, 1, 7), (1, 17, 5, 1), (3, 5, 34, 13), (5, 50, 3, 85), (2, 1, 130, 65)]
# B, Q, K, D
SCORES = [(1, 1, 1, 1), (2, 3, 5, 7), (3, 1, 4, 16), (2, 7, 1, 17), (5, 13, 11, 3), (1, 3, 2, 50)]


def draw(seed, dtype, *shapes):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(dtype) for shape in shapes]


def nothing(backend, shape, dtype):
    """An array that a kernel is to overwrite."""
    return backend.asarray(np.full(shape, np.nan), dtype)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("transposed", ["", "a", "b", "ab"])
@pytest.mark.parametrize("shape", PRODUCTS, ids=str)
def test_products_of_a_batch(backend, dtype, shape, transposed, gradient, assert_close):
    B, M, K, N = shape
    a, b = draw(shape, dtype, (B, M, K), (B, K, N))
    on = []
    for name, array in (("a", a), ("b", b)):
        turned = name in transposed
        held = backend.asarray(np.ascontiguousarray(array.transpose(0, 2, 1) if turned else array), dtype)
        on.append(held.transpose(0, 2, 1) if turned else held)
    whole = backend.asarray(np.full((B, M, N + 3), np.nan), dtype)
    backend.batch_multiply(*on, whole[:, :, 1 : N + 1], gradient)
    c = backend.to_host(whole)
    assert_close(c[:, :, 1 : N + 1], a.astype("float64") @ b.astype("float64"), dtype, K)
    assert np.isnan(c[:, :, 0]).all()
    assert np.isnan(c[:, :, N + 1 :]).all()


def test_a_row_of_a_product_has_the_same_bits_in_every_batch(backend, dtype):
    a, b = draw(0, dtype, (9, 50, 34), (9, 34, 17))

    def product(first, last, rows):
        c = backend.empty((last - first, rows, 17), dtype)
        arrays = (backend.asarray(np.ascontiguousarray(each), dtype) for each in (a[first:last, :rows], b[first:last]))
        backend.batch_multiply(*arrays, c, False)
        return backend.to_host(c).copy()

    whole = product(0, 9, 50)
    for first, last, rows in [(0, 1, 50), (3, 9, 50), (8, 9, 1), (2, 5, 7)]:
        np.testing.assert_array_equal(product(first, last, rows), whole[first:last, :rows])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 5), (2, 7, 3), (2, 2, 17)], ids=str)
def test_mask_scores(backend, dtype, shape, masked, causal):
    """A row of the mask is empty."""
    (scores,) = draw(shape, dtype, shape)
    mask = np.random.default_rng(1).random((shape[0], shape[2])) < 0.6 if masked else None
    if masked:
        mask[0] = False
    on = backend.asarray(scores.copy(), dtype)
    backend.mask_scores(on, None if mask is None else backend.asarray(mask, "bool"), causal)
    np.testing.assert_array_equal(backend.to_host(on), reference.mask_scores(scores, mask, causal).astype(dtype))


@pytest.mark.parametrize(("inner", "outer"), [(None, None), (1, None), (None, "D"), (1, 1), (None, 1)])
@pytest.mark.parametrize("shape", SCORES, ids=str)
def test_additive_scores(backend, dtype, shape, inner, outer, assert_close):
    B, Q, K, D = shape
    query, key, dscores = draw(shape, dtype, (B, Q, D), (B, K, D), (B, Q, K))
    given = [None if size is None else draw(9, dtype, (D if size == "D" else 1,))[0] for size in (inner, outer)]
    weights = AdditiveWeights(*(None if each is None else backend.asarray(each, dtype) for each in given))
    scores, gradients = nothing(backend, (B, Q, K), dtype), AdditiveGradients(None, None, None, None)
    gradients.query, gradients.key = nothing(backend, query.shape, dtype), nothing(backend, key.shape, dtype)
    for name, each in zip(("inner", "outer"), given, strict=True):
        if each is not None:
            setattr(gradients, name, nothing(backend, each.shape, dtype))
    on = [backend.asarray(each, dtype) for each in (query, key, dscores)]
    backend.additive_scores(*on[:2], weights, scores)
    backend.additive_scores_backward(*on[:2], weights, on[2], gradients)

    numbers = [1.0 if each is None else each.astype("float64") for each in given]
    assert_close(backend.to_host(scores), reference.additive_scores(query, key, *numbers), dtype, D, what="scores")
    dquery, dkey, dinner, douter = reference.additive_scores_backward(query, key, *numbers, dscores)
    assert_close(backend.to_host(gradients.query), dquery, dtype, K, what="dquery")
    assert_close(backend.to_host(gradients.key), dkey, dtype, Q, what="dkey")
    if inner is not None:
        assert_close(backend.to_host(gradients.inner), np.reshape(dinner, 1), dtype, B * Q * K * D, what="dinner")
    if outer is not None:
        douter = douter if outer == "D" else np.reshape(douter.sum(), 1)
        assert_close(backend.to_host(gradients.outer), douter, dtype, B * Q * K * D, what="douter")


def test_gradients_of_additive_scores_may_be_unwanted(backend, dtype, assert_close):
    query, key, dscores = draw(0, dtype, (2, 3, 5), (2, 4, 5), (2, 3, 4))
    on = [backend.asarray(each, dtype) for each in (query, key, dscores)]
    expected = reference.additive_scores_backward(query, key, 1.0, 1.0, dscores)
    for place, name in enumerate(("query", "key")):
        gradients = AdditiveGradients(None, None, None, None)
        setattr(gradients, name, nothing(backend, expected[place].shape, dtype))
        backend.additive_scores_backward(*on[:2], AdditiveWeights(None, None), on[2], gradients)
        assert_close(backend.to_host(getattr(gradients, name)), expected[place], dtype, 4)


def test_a_query_has_the_same_scores_in_every_batch(backend, dtype):
    query, key = draw(0, dtype, (5, 7, 19), (5, 3, 19))

    def scores(first, last, rows):
        s = backend.empty((last - first, rows, 3), dtype)
        part = np.ascontiguousarray(query[first:last, :rows]), key[first:last]
        backend.additive_scores(*(backend.asarray(each, dtype) for each in part), AdditiveWeights(None, None), s)
        return backend.to_host(s).copy()

    for first, last, rows in [(0, 1, 7), (2, 5, 1), (4, 5, 3)]:
        np.testing.assert_array_equal(scores(first, last, rows), scores(0, 5, 7)[first:last, :rows])


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (130, 17)], ids=str)
def test_scale_by_and_sum_of_products(backend, dtype, shape, assert_close):
    a, b, factor = draw(shape, dtype, shape, shape, (1,))
    on = [backend.asarray(each.copy(), dtype) for each in (a, b, factor)]
    total = nothing(backend, (1,), dtype)
    backend.sum_of_products(on[0], on[1], total)
    products = a.astype("float64") * b
    # Its terms cancel out.
    bound = 20 * np.finfo(dtype).eps * np.abs(products).sum()
    np.testing.assert_allclose(backend.to_host(total), [products.sum()], rtol=0, atol=bound)
    backend.scale_by(on[0], on[2], on[0])
    np.testing.assert_array_equal(backend.to_host(on[0]), factor * a)
