"""Attention and layer normalization of the CUDA twin: the bodies of the other backends' tests, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest
import test_attention_kernels
import test_normalization_kernels
from test_cuda_twin import everything_on

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm.layers import Add, AdditiveAttention, Attention, Concatenate, Maximum, Multiply, Subtract


@pytest.fixture
def backend():
    return cuda


@pytest.mark.parametrize("transposed", ["", "ab"])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 9), (3, 9, 2, 1)], ids=str)
def test_products_of_a_batch(backend, dtype, shape, transposed, assert_close):
    test_attention_kernels.test_products_of_a_batch(backend, dtype, shape, transposed, True, assert_close)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_mask_scores(backend, dtype, masked, causal):
    test_attention_kernels.test_mask_scores(backend, dtype, (2, 3, 5), masked, causal)


@pytest.mark.parametrize(("inner", "outer"), [(None, None), (None, "D"), (1, 1)])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 2, 5)], ids=str)
def test_additive_scores(backend, dtype, shape, inner, outer, assert_close):
    test_attention_kernels.test_additive_scores(backend, dtype, shape, inner, outer, assert_close)


def test_unwanted_gradients(backend, assert_close):
    test_attention_kernels.test_gradients_of_additive_scores_may_be_unwanted(backend, "float32", assert_close)


def test_scale_by_and_sum_of_products(backend, dtype, assert_close):
    test_attention_kernels.test_scale_by_and_sum_of_products(backend, dtype, (7, 5), assert_close)


@pytest.mark.parametrize("given", ["", "gamma beta"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (2, 13)], ids=str)
def test_normalization(backend, dtype, shape, given, assert_close):
    test_normalization_kernels.test_agrees_with_the_oracle(backend, dtype, shape, given, assert_close)


def test_normalization_at_its_edges(backend, assert_close):
    test_normalization_kernels.test_dx_may_be_unwanted(backend, "float32", assert_close)
    test_normalization_kernels.test_no_rows_give_no_gradient(backend, "float32")


@pytest.mark.parametrize(
    ("layer_class", "options", "shapes"),
    [
        (Add, {}, [(2, 1, 3), (2, 3, 3)]),
        (Subtract, {}, [(2, 3, 3), (2, 3, 3)]),
        (Multiply, {}, [(2, 3, 3), (2, 3, 3), (2, 3, 1)]),
        (Maximum, {}, [(2, 3, 3), (2, 1, 3)]),
        (Concatenate, {"axis": 1}, [(2, 3, 3), (2, 1, 3)]),
        (Attention, {"use_scale": True}, [(2, 3, 3), (2, 2, 3)]),
        (Attention, {"score_mode": "concat", "use_scale": True}, [(2, 3, 3), (2, 2, 3)]),
        (AdditiveAttention, {"dropout": 0.4, "seed": 3}, [(2, 3, 3), (2, 2, 5), (2, 2, 3)]),
    ],
    ids=str,
)
def test_layers_agree_with_the_cpu(layer_class, options, shapes):
    random = np.random.default_rng(0)
    arrays, masks = (
        [random.normal(size=shape) for shape in shapes],
        [random.random(shape[:2]) < 0.7 for shape in shapes],
    )
    weights, results = None, []
    for backend in (cpu, cuda):
        with everything_on(backend):
            layer = layer_class(dtype="float64", **options)
            layer.build(tuple(shapes))
        weights = weights or [weight + 0.3 for weight in layer.get_weights()]
        layer.set_weights(weights)
        assert layer.backend is backend
        y = layer.forward(arrays, training=True, mask=masks)
        dx = layer.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        results.append([y, *dx, *layer.gradients()])
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)
