"""Connectionist temporal classification of the CUDA twin, by the bodies of the other backends' tests."""

from __future__ import annotations

import numpy as np
import pytest
import test_ctc_kernels

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda


@pytest.fixture
def backend():
    return cuda


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 2, 1), (2, 3, 3, 0), (2, 7, 5, 4)], ids=str)
def test_ctc(backend, dtype, shape, masked):
    test_ctc_kernels.test_agrees_with_the_oracle(backend, dtype, shape, masked, not masked)


def test_blanks_and_lengths(backend):
    test_ctc_kernels.test_the_blank_may_be_any_class_and_ends_the_labels(backend, "float32", 2)
    test_ctc_kernels.test_labels_need_a_step_each_and_a_blank_between_equals(backend, "float32")


def test_masks(backend):
    test_ctc_kernels.test_a_row_without_steps_spells_no_labels(backend, "float32")
    test_ctc_kernels.test_steps_that_are_masked_are_no_part_of_the_sequence(backend, "float32")


def test_rows_that_are_not_read_and_nan_that_is(backend):
    test_ctc_kernels.test_a_row_of_weight_zero_is_not_read(backend, "float32")
    test_ctc_kernels.test_nan_is_not_swallowed(backend, "float32")


def test_huge_logits(backend):
    test_ctc_kernels.test_huge_logits_give_finite_losses(backend, "float32")


def test_ctc_agrees_with_the_cpu_and_is_always_the_same(backend):
    y, labels, mask, weights = test_ctc_kernels.make((2, 6, 4, 3), "float32", True, True)
    loss, dy = test_ctc_kernels.run(backend, y, labels, mask, weights, zero_infinity=True)
    again, dy_again = test_ctc_kernels.run(backend, y, labels, mask, weights, zero_infinity=True)
    assert loss == again
    np.testing.assert_array_equal(dy, dy_again)
    expected, expected_dy = test_ctc_kernels.run(cpu, y, labels, mask, weights, zero_infinity=True)
    assert loss == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(dy, expected_dy, rtol=0, atol=1e-6)
