"""The sampled softmax of the CUDA twin, by the bodies of the other backends' tests."""

from __future__ import annotations

import pytest
import test_sampled_kernels as shared

import numlstm.kernels.cuda as cuda


@pytest.fixture
def backend():
    return cuda


@pytest.mark.parametrize("shape", [(1, 1, 2, 1), (7, 5, 9, 3)], ids=str)
def test_the_loss(backend, dtype, shape):
    shared.test_the_loss_agrees_with_the_oracle(backend, dtype, shape, weighted=True)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 2, 1), (7, 5, 9, 3)], ids=str)
def test_the_dense_layer(backend, dtype, shape, bias, assert_close):
    shared.test_the_dense_layer_agrees_with_the_columns_of_all_logits(backend, dtype, shape, bias, assert_close)


def test_rows_that_are_not_read_and_numbers_that_are_none(backend):
    shared.test_a_row_of_weight_zero_is_not_read(backend, "float32")
    shared.test_nan_is_not_swallowed(backend, "float32")
    shared.test_huge_logits_give_finite_losses(backend, "float32")
