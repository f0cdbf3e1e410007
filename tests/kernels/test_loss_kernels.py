"""The losses of every backend against the oracle."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import reference

# R, N
SHAPES = [(1, 1), (32, 1), (30, 1), (7, 5), (13, 17), (65, 31), (3, 130), (5000, 3)]
LOSSES = [
    ("mse", ()),
    ("mae", ()),
    ("huber", (1.0,)),
    ("huber", (0.3,)),
    ("log_cosh", ()),
    ("quantile", ("levels",)),
    ("gaussian_nll", ()),
    ("binary_crossentropy", (False, 0.0)),
    ("binary_crossentropy", (False, 0.1)),
    ("binary_crossentropy", (True, 0.0)),
    ("binary_crossentropy", (True, 0.1)),
    ("categorical_crossentropy", (False, 0.0)),
    ("categorical_crossentropy", (False, 0.1)),
    ("categorical_crossentropy", (True, 0.0)),
    ("categorical_crossentropy", (True, 0.1)),
    ("sparse_categorical_crossentropy", (False,)),
    ("sparse_categorical_crossentropy", (True,)),
]
OVER_ROWS = [case for case in LOSSES if "categorical" in case[0]]
UNBOUNDED = [case for case in LOSSES if True in case[1] or case[0] in ("log_cosh", "gaussian_nll")]
"""Losses that take outputs of any size."""
CLIPPED = [case for case in LOSSES if "crossentropy" in case[0] and not case[1][0]]


def make(name, options, shape, dtype):
    """(y, target, options) that make sense for a loss."""
    random = np.random.default_rng(shape)
    R, N = shape
    y, target = random.normal(size=(2, R, N))
    if name == "quantile":
        target, options = target[:, :1], (np.linspace(0, 1, N + 2)[1:-1].astype(dtype),)
    elif name == "gaussian_nll":
        y = random.normal(size=(R, 2 * N))
    elif name.endswith("crossentropy"):
        labels = random.integers(N, size=R)
        if not options[0]:
            y = 1 / (1 + np.exp(-3 * y))
        # Probabilities, most of them 0 or 1.
        target = np.where(random.random((R, N)) < 0.2, random.random((R, N)), np.arange(N) == labels[:, None])
        if name.startswith("sparse"):
            return y.astype(dtype), labels, options
    return y.astype(dtype), target.astype(dtype), options


def run(backend, name, y, target, weights, options, before=0.0):
    """The loss, added to what was there before, and dy."""
    dtype = str(y.dtype)
    loss, dy = backend.asarray(np.array([before]), "float64"), backend.asarray(np.full_like(y, np.nan), dtype)
    target = backend.asarray(target, str(target.dtype))
    weights = None if weights is None else backend.asarray(weights, dtype)
    options = [backend.asarray(option, dtype) if isinstance(option, np.ndarray) else option for option in options]
    getattr(backend, name)(backend.asarray(y, dtype), target, weights, loss, dy, *options)
    return float(backend.to_host(loss)[0]), backend.to_host(dy).copy()


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(("name", "options"), LOSSES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(backend, dtype, name, options, shape, is_weighted, assert_close):
    y, target, options = make(name, options, shape, dtype)
    weights = np.random.default_rng(1).uniform(-1, 3, len(y)).astype(dtype) if is_weighted else None
    before = y.copy(), target.copy()
    loss, dy = run(backend, name, y, target, weights, options)
    expected_loss, expected_dy = getattr(reference, name)(y, target, weights, *options)
    np.testing.assert_array_equal(y, before[0])
    np.testing.assert_array_equal(target, before[1])
    # The sum of the rows' losses is in float64 for both dtypes, each of which has errors of its own.
    scale = getattr(reference, name)(y, target, None if weights is None else abs(weights), *options)[0]
    bound = 16 * np.finfo(dtype).eps + np.sqrt(y.size) * np.finfo("float64").eps
    assert abs(loss - expected_loss) <= bound * max(abs(scale), shape[0])
    summed = shape[1] if (name, options) in OVER_ROWS else 1
    assert_close(dy * y.size, expected_dy * y.size, dtype, summed, what="dy")


@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_a_row_of_weight_zero_is_not_read(backend, dtype, name, options):
    y, target, options = make(name, options, (5, 3), dtype)
    weights = np.array([1, 0, 2, 0, 1], dtype)
    expected = run(backend, name, y, target, weights, options)
    y[[1, 3]] = np.nan
    target[[1, 3]] = np.nan if target.dtype == dtype else -(2**62)
    loss, dy = run(backend, name, y, target, weights, options)
    assert loss == expected[0]
    np.testing.assert_array_equal(dy, expected[1])
    assert not dy[[1, 3]].any()


@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_adds_to_the_loss(backend, dtype, name, options):
    y, target, options = make(name, options, (3, 2), dtype)
    expected = 100.0 + getattr(reference, name)(y, target, None, *options)[0]
    assert run(backend, name, y, target, None, options, before=100.0)[0] == pytest.approx(expected, rel=1e-6)


def test_known_values(backend, dtype):
    """By hand: errors 0, 1, -2, delta 1."""
    y, target = np.array([[5.0, 3.0, 1.0]], dtype), np.array([[5.0, 2.0, 3.0]], dtype)
    for name, options, loss, dy in [
        ("mse", (), 5 / 3, [0, 2 / 3, -4 / 3]),
        ("mae", (), 1.0, [0, 1 / 3, -1 / 3]),
        ("huber", (1.0,), 2 / 3, [0, 1 / 3, -1 / 3]),
    ]:
        got_loss, got_dy = run(backend, name, y, target, None, options)
        assert got_loss == pytest.approx(loss, rel=1e-6)
        np.testing.assert_allclose(got_dy[0], dy, rtol=1e-6)


def test_known_probabilities(backend, dtype):
    """By hand: a half and a half, and three quarters for the class that it is."""
    half = np.log(2)
    for name, y, target, options, loss, dy in [
        ("binary_crossentropy", [0.5, 0.5], [0, 1], (False, 0.0), half, [1, -1]),
        ("binary_crossentropy", [0, 0], [0, 1], (True, 0.0), half, [0.25, -0.25]),
        ("binary_crossentropy", [0, 0], [0, 1], (True, 1.0), half, [0, 0]),
        ("categorical_crossentropy", [3, 1], [1, 0], (False, 0.0), np.log(4 / 3), [-1 / 12, 1 / 4]),
        ("categorical_crossentropy", [0, 0], [0, 1], (True, 0.5), half, [0.25, -0.25]),
        ("quantile", [1, 4], [3], (np.array([0.5, 0.9], dtype),), (1 + 0.1) / 2, [-0.25, 0.05]),
        ("gaussian_nll", [1, 0], [3], (), (np.log(2 * np.pi) + 4) / 2, [-2, -1.5]),
    ]:
        got_loss, got_dy = run(backend, name, np.array([y], dtype), np.array([target], dtype), None, options)
        assert got_loss == pytest.approx(loss, rel=1e-6)
        np.testing.assert_allclose(got_dy[0], dy, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_nan_is_not_swallowed(backend, dtype, name, options):
    y, target, options = make(name, options, (5, 3), dtype)
    y[2, 1] = np.nan
    loss, dy = run(backend, name, y, target, None, options)
    assert np.isnan(loss)
    bad = np.argwhere(np.isnan(dy)).tolist()
    if "categorical" in name:
        assert bad == [[2, 0], [2, 1], [2, 2]]
    elif name == "gaussian_nll":
        assert bad == [[2, 1], [2, 4]]
    else:
        assert bad == [[2, 1]]


@pytest.mark.parametrize(("name", "options"), UNBOUNDED)
def test_huge_outputs_give_finite_losses_and_gradients(backend, dtype, name, options):
    y, target, options = make(name, options, (6, 4), dtype)
    y[::2], y[3] = 1000 * np.sign(y[::2]), 0
    loss, dy = run(backend, name, y, target, None, options)
    assert np.isfinite(loss)
    assert np.isfinite(dy).all()
    expected_loss, expected_dy = getattr(reference, name)(y, target, None, *options)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    np.testing.assert_allclose(dy, expected_dy, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), CLIPPED)
def test_probabilities_of_zero_and_one_are_clipped(backend, dtype, name, options):
    y = np.array([[0, 1, 0], [1, 0, 0], [0.2, 0.8, 0], [1e-9, 1, 1e-9]], dtype)
    target = np.array([1, 1, 2, 0]) if name.startswith("sparse") else np.eye(3, dtype=dtype)[[1, 1, 2, 0]]
    loss, dy = run(backend, name, y, target, None, options)
    expected_loss, expected_dy = getattr(reference, name)(y, target, None, *options)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    np.testing.assert_allclose(dy, expected_dy, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "options"), LOSSES)
def test_no_thread_changes_a_bit(name, options, monkeypatch):
    """Blocks of rows, which threads share."""
    cpu, launch = (importlib.import_module(f"numlstm.kernels.cpu{part}") for part in ("", ".runtime.launch"))
    y, target, options = make(name, options, (1000, 3), "float32")
    alone = run(cpu, name, y, target, None, options)
    for chunks in (2, 5):
        for file in ("loss", "crossentropy"):
            module = importlib.import_module(f"numlstm.kernels.cpu.pointwise.{file}")
            if hasattr(module, "threads_for"):
                monkeypatch.setattr(module, "threads_for", lambda work, parts, chunks=chunks: min(chunks, parts))
        loss, dy = run(cpu, name, y, target, None, options)
        assert loss == alone[0]
        np.testing.assert_array_equal(dy, alone[1])
    assert launch.threads_for(0, 16) == 1


def test_small_errors_keep_their_digits(backend, dtype):
    """Where log cosh e is e²/2."""
    y = np.full((1, 1), 1e-3, dtype)
    loss, _ = run(backend, "log_cosh", y, np.zeros((1, 1), dtype), None, ())
    assert loss == pytest.approx(float(y[0, 0]) ** 2 / 2, rel=1e-6)
