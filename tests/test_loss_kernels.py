"""The losses of every backend against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import reference

# R, N
SHAPES = [(1, 1), (32, 1), (30, 1), (7, 5), (13, 17), (65, 31), (3, 130), (5000, 3)]
LOSSES = [("mse", ()), ("mae", ()), ("huber", (1.0,)), ("huber", (0.3,))]


def run(backend, name, options, y, target, before=0.0):
    """The loss, added to what was there before, and dy."""
    dtype = str(y.dtype)
    loss, dy = backend.asarray(np.array([before]), "float64"), backend.asarray(np.full_like(y, np.nan), dtype)
    getattr(backend, name)(backend.asarray(y, dtype), backend.asarray(target, dtype), loss, dy, *options)
    return float(backend.to_host(loss)[0]), backend.to_host(dy).copy()


@pytest.mark.parametrize(("name", "options"), LOSSES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(backend, dtype, name, options, shape, assert_close):
    random = np.random.default_rng(shape)
    y, target = random.normal(size=(2, *shape)).astype(dtype)
    before = y.copy(), target.copy()
    loss, dy = run(backend, name, options, y, target)
    expected_loss, expected_dy = getattr(reference, name)(y, target, *options)
    np.testing.assert_array_equal(y, before[0])
    np.testing.assert_array_equal(target, before[1])
    # Relative errors: the loss grows with R, and dy shrinks with R and N. The sum itself is in float64 for both dtypes.
    bound = 8 * np.finfo(dtype).eps + np.sqrt(y.size) * np.finfo("float64").eps
    assert abs(loss - expected_loss) <= bound * expected_loss
    assert_close(dy * y.size, expected_dy * y.size, dtype, 1, what="dy")


@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_adds_to_the_loss(backend, dtype, name, options):
    y, target = np.ones((3, 2), dtype), np.full((3, 2), 4, dtype)
    assert run(backend, name, options, y, target, before=100.0)[0] == pytest.approx(
        100.0 + reference.__dict__[name](y, target, *options)[0], rel=1e-6
    )


def test_known_values(backend, dtype):
    """By hand: errors 0, 1, -2, delta 1."""
    y, target = np.array([[5.0, 3.0, 1.0]], dtype), np.array([[5.0, 2.0, 3.0]], dtype)
    for name, options, loss, dy in [
        ("mse", (), 5 / 3, [0, 2 / 3, -4 / 3]),
        ("mae", (), 1.0, [0, 1 / 3, -1 / 3]),
        ("huber", (1.0,), 2 / 3, [0, 1 / 3, -1 / 3]),
    ]:
        got_loss, got_dy = run(backend, name, options, y, target)
        assert got_loss == pytest.approx(loss, rel=1e-6)
        np.testing.assert_allclose(got_dy[0], dy, rtol=1e-6)


@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_nan_is_not_swallowed(backend, dtype, name, options):
    y, target = np.zeros((5, 3), dtype), np.ones((5, 3), dtype)
    y[2, 1] = np.nan
    loss, dy = run(backend, name, options, y, target)
    assert np.isnan(loss)
    assert np.argwhere(np.isnan(dy)).tolist() == [[2, 1]]
