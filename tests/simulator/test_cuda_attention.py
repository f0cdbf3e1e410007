"""Attention and layer normalization of the CUDA twin: the bodies of the other backends' tests, at small sizes."""

from __future__ import annotations

import pytest
import test_attention_kernels
import test_normalization_kernels

import numlstm.kernels.cuda as cuda


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
