"""Masked rows and penalties, of every backend against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import reference


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
def test_mask_weights(backend, dtype, rows, share, is_weighted, assert_close):
    random = np.random.default_rng(rows)
    mask, weights = random.random(rows) < share, random.normal(size=rows).astype(dtype)
    # What is masked is never read.
    weights[~mask] = np.nan
    given = backend.asarray(weights.copy(), dtype)
    out = given if is_weighted else backend.asarray(np.full(rows, np.nan), dtype)
    backend.mask_weights(backend.asarray(mask, "bool"), given if is_weighted else None, out)
    result = np.array(backend.to_host(out))
    assert (result[~mask] == 0).all()
    assert_close(result, reference.mask_weights(mask, weights if is_weighted else None), dtype, 1)


def test_a_masked_loss_is_the_mean_over_the_rows_that_count(backend, dtype):
    y, target = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(dtype)
    mask, out = np.array([1, 0, 1, 1, 0, 0], bool), backend.empty((6,), dtype)
    y[~mask] = np.nan
    backend.mask_weights(backend.asarray(mask, "bool"), None, out)
    loss, dy = backend.zeros((1,), "float64"), backend.empty((6, 3), dtype)
    backend.mse(backend.asarray(y, dtype), backend.asarray(target, dtype), out, loss, dy)
    expected, expected_dy = reference.mse(y[mask], target[mask], None)
    assert backend.to_host(loss)[0] / 6 == pytest.approx(expected / 3, rel=1e-6)
    np.testing.assert_allclose(backend.to_host(dy)[mask], expected_dy, rtol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_mask_class(backend, masked):
    target, mask = np.array([3, -1, 255, 0, 255, 2**40]), np.array([1, 1, 1, 0, 0, 1], bool)
    given = backend.asarray(mask, "bool") if masked else None
    labels, out = backend.asarray(target, "int64"), backend.asarray(np.zeros(6, bool), "bool")
    for ignored in (255, -1, 0, 7):
        backend.mask_class(labels, given, ignored, out)
        np.testing.assert_array_equal(backend.to_host(out), (target != ignored) & (mask | (not masked)))
    if masked:
        backend.mask_class(labels, given, 3, given)
        np.testing.assert_array_equal(backend.to_host(given), mask & (target != 3))


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.3), (0.02, 0.5)])
@pytest.mark.parametrize("size", [1, 17, 5000])
def test_regularize(backend, dtype, size, l1, l2, assert_close):
    w, g = np.random.default_rng(size).normal(size=(2, size)).astype(dtype)
    w[size // 2] = 0
    parameter, gradient = backend.asarray(w, dtype), backend.asarray(g.copy(), dtype)
    loss, added = reference.regularize(w, 7.0, l1, l2)
    for given in (gradient, None):
        total = backend.asarray(np.array([2.0]), "float64")
        backend.regularize(parameter, given, 7.0, l1, l2, total)
        assert backend.to_host(total)[0] == pytest.approx(2 + loss, rel=1e-6)
    assert_close(backend.to_host(gradient), g.astype("float64") + added, dtype, 2)


def test_a_penalty_on_nan_is_nan(backend, dtype):
    parameter, gradient = backend.asarray(np.array([1, np.nan, -2]), dtype), backend.zeros((3,), dtype)
    loss = backend.zeros((1,), "float64")
    backend.regularize(parameter, gradient, 1.0, 0.5, 0.0, loss)
    assert np.isnan(backend.to_host(loss)[0])
    np.testing.assert_array_equal(backend.to_host(gradient), [0.5, np.nan, -0.5])


def test_weights_that_may_not_be_written_can_be_penalised(backend):
    """Users get views that are read-only."""
    w = np.arange(5, dtype="float32")
    w.flags.writeable = False
    loss = backend.zeros((1,), "float64")
    backend.regularize(backend.asarray(w, "float32"), None, 1.0, 1.0, 0.0, loss)
    assert backend.to_host(loss)[0] == 10
