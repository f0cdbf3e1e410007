"""Losses, masked rows and penalties of the CUDA twin, by the bodies of the other backends' tests."""

from __future__ import annotations

import numpy as np
import pytest
import test_loss_kernels
import test_objective_kernels
from test_loss_kernels import CLIPPED, LOSSES, UNBOUNDED

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda


@pytest.fixture
def backend():
    return cuda


@pytest.mark.parametrize(("name", "options"), LOSSES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 7)], ids=str)
def test_losses(backend, dtype, name, options, shape, assert_close):
    test_loss_kernels.test_agrees_with_the_oracle(backend, dtype, name, options, shape, shape[1] > 1, assert_close)


@pytest.mark.parametrize("name", ["mse", "log_cosh", "quantile", "gaussian_nll", "binary_crossentropy"])
def test_more_elements_than_threads(backend, name, assert_close):
    options = {"quantile": ("levels",), "binary_crossentropy": (True, 0.1)}.get(name, ())
    test_loss_kernels.test_agrees_with_the_oracle(backend, "float32", name, options, (30, 3), True, assert_close)


@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_rows_that_are_not_read_and_nan_that_is(backend, name, options):
    test_loss_kernels.test_adds_to_the_loss(backend, "float32", name, options)
    test_loss_kernels.test_a_row_of_weight_zero_is_not_read(backend, "float32", name, options)
    test_loss_kernels.test_nan_is_not_swallowed(backend, "float32", name, options)


@pytest.mark.parametrize(("name", "options"), UNBOUNDED)
def test_huge_outputs(backend, name, options):
    test_loss_kernels.test_huge_outputs_give_finite_losses_and_gradients(backend, "float32", name, options)


@pytest.mark.parametrize(("name", "options"), CLIPPED)
def test_clipped_probabilities(backend, name, options):
    test_loss_kernels.test_probabilities_of_zero_and_one_are_clipped(backend, "float32", name, options)


def test_known_values(backend, dtype):
    test_loss_kernels.test_known_values(backend, dtype)
    test_loss_kernels.test_known_probabilities(backend, dtype)
    test_loss_kernels.test_small_errors_keep_their_digits(backend, dtype)


@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_losses_agree_with_the_cpu_and_are_always_the_same(backend, name, options):
    y, target, options = test_loss_kernels.make(name, options, (3, 5), "float32")
    loss, dy = test_loss_kernels.run(backend, name, y, target, None, options)
    again, dy_again = test_loss_kernels.run(backend, name, y, target, None, options)
    assert loss == again
    np.testing.assert_array_equal(dy, dy_again)
    expected, expected_dy = test_loss_kernels.run(cpu, name, y, target, None, options)
    assert loss == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(dy, expected_dy, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(("rows", "share"), [(1, 0.0), (7, 0.3), (40, 0.3)])
def test_mask_weights(backend, dtype, rows, share, is_weighted, assert_close):
    test_objective_kernels.test_mask_weights(backend, dtype, rows, share, is_weighted, assert_close)


@pytest.mark.parametrize("masked", [False, True])
def test_mask_class(backend, masked):
    test_objective_kernels.test_mask_class(backend, masked)


def test_a_masked_loss(backend, dtype):
    test_objective_kernels.test_a_masked_loss_is_the_mean_over_the_rows_that_count(backend, dtype)


@pytest.mark.parametrize("size", [1, 40])
def test_regularize(backend, dtype, size, assert_close):
    test_objective_kernels.test_regularize(backend, dtype, size, 0.02, 0.5, assert_close)
    test_objective_kernels.test_a_penalty_on_nan_is_nan(backend, dtype)
