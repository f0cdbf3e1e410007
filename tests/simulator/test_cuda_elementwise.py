"""Embedding, dropout and activations of the CUDA twin: the bodies of the other backends' tests, at small sizes."""

from __future__ import annotations

import numpy as np
import pytest
import test_activation_kernels
import test_dropout_kernels
import test_embedding_kernels

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm.kernels import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")


@pytest.fixture
def backend():
    return cuda


@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 50, 3), (17, 4, 5)], ids=str)
def test_embedding(backend, dtype, shape, strided, assert_close):
    test_embedding_kernels.test_agrees_with_the_oracle(backend, dtype, shape, strided, assert_close)


@pytest.mark.parametrize("ids", [[3] * 17, [3] * 7 + [0, 3, 1] + [3] * 5, [0, 1, 2, 3] * 4, [3, 2, 1, 0]], ids=str)
def test_frequent_ids(backend, ids, assert_close):
    test_embedding_kernels.test_ids_that_are_frequent_come_late_or_take_turns(backend, "float32", ids, assert_close)


def test_embedding_at_its_edges(backend):
    test_embedding_kernels.test_no_rows_give_no_gradient(backend, "float32")
    test_embedding_kernels.test_nan_stays_at_its_id(backend, "float32")


def test_masks(backend, dtype):
    test_embedding_kernels.test_id_mask(backend)
    for value in (0.0, 0.1):
        test_embedding_kernels.test_value_mask(backend, dtype, value)


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 7), (5, 3, 2)], ids=str)
def test_dropout(backend, dtype, shape, rate):
    """The oracle is the CPU's too: so the masks are the same, bit for bit."""
    for in_place in (False, True):
        test_dropout_kernels.test_agrees_with_the_oracle(backend, dtype, shape, rate, in_place)


def test_dropout_of_nan(backend):
    test_dropout_kernels.test_what_is_dropped_is_not_read(backend, "float32")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(backend, dtype, activation, assert_close):
    test_activation_kernels.test_agrees_with_the_oracle(backend, dtype, activation, 15, assert_close)
    test_activation_kernels.test_far_out_and_at_the_ends(backend, dtype, activation)
    test_activation_kernels.test_nan_stays_nan_and_where_it_is(backend, dtype, activation)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 5e-6), ("float64", 1e-10)])
def test_activations_agree_with_the_cpu(dtype, bound, activation):
    x = np.random.default_rng(0).normal(size=13).astype(dtype)
    ours, theirs = (test_activation_kernels.activate(backend, x, activation) for backend in (cuda, cpu))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (2, 13)], ids=str)
def test_softmax(backend, dtype, shape, assert_close):
    test_activation_kernels.test_softmax(backend, dtype, shape, assert_close)


def test_softmax_of_huge_numbers_and_nan(backend):
    test_activation_kernels.test_softmax_of_huge_numbers(backend, "float32", 5)
    test_activation_kernels.test_nan_stays_in_its_row_of_softmax(backend, "float32")
