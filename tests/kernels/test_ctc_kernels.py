"""Connectionist temporal classification on every backend, against the oracle, and the oracle itself."""

from __future__ import annotations

import importlib
import itertools

import numpy as np
import pytest
import reference

from numlstm.kernels import CTCTargets

# B, T, V, L
SHAPES = [(1, 1, 2, 1), (3, 1, 3, 0), (4, 7, 2, 3), (5, 12, 5, 4), (2, 40, 40, 17), (3, 9, 3, 12)]


def make(shape, dtype, masked=False, weighted=False):
    """(y, labels, mask, weights): rows of all lengths, some of which do not fit, with repeats."""
    random = np.random.default_rng(shape)
    B, T, V, L = shape
    labels = random.integers(1, V, (B, L))
    labels[np.arange(L) >= random.integers(0, L + 1, B)[:, None]] = -1
    mask = random.random((B, T)) < 0.8 if masked else None
    weights = random.uniform(-1, 3, B).astype(dtype) if weighted else None
    return (3 * random.normal(size=(B, T, V))).astype(dtype), labels, mask, weights


def run(backend, y, labels, mask=None, weights=None, blank=0, zero_infinity=False, before=0.0):
    """The loss, added to what was there before, and dy."""
    dtype = str(y.dtype)
    loss, dy = backend.asarray(np.array([before]), "float64"), backend.asarray(np.full_like(y, np.nan), dtype)
    mask, weights = (
        None if array is None else backend.asarray(array, kind) for array, kind in ((mask, "bool"), (weights, dtype))
    )
    targets = CTCTargets(backend.asarray(np.array(labels), "int64"), mask, blank, zero_infinity)
    backend.ctc(backend.asarray(y, dtype), targets, weights, loss, dy)
    return float(backend.to_host(loss)[0]), np.array(backend.to_host(dy))


def spelled(alignment, blank):
    """The labels that an alignment spells."""
    return [c for c, before in zip(alignment, (None, *alignment), strict=False) if c not in (before, blank)]


@pytest.mark.parametrize("labels", [[], [1], [2, 1], [1, 1], [1, 2, 1], [2, 2, 2]], ids=str)
@pytest.mark.parametrize("steps", [1, 2, 4, 5])
def test_the_oracle_sums_over_all_alignments(labels, steps):
    z = np.random.default_rng(steps).normal(size=(steps, 3))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    alignments = [a for a in itertools.product(range(3), repeat=steps) if spelled(a, 0) == labels]
    with np.errstate(divide="ignore"):
        expected = -np.log(sum(p[np.arange(steps), list(a)].prod() for a in alignments))
    assert reference.ctc_row(z, labels, 0)[0] == pytest.approx(expected, rel=1e-12)


def test_the_gradient_of_the_oracle_is_that_of_differences():
    for labels in ([1, 2, 2], [], [3, 1]):
        z = np.random.default_rng(len(labels)).normal(size=(6, 4))
        gradient, step = reference.ctc_row(z, labels, 0)[1], 1e-5
        for place in np.ndindex(z.shape):
            sides = []
            for change in (step, -step):
                moved = z.copy()
                moved[place] += change
                sides.append(reference.ctc_row(moved, labels, 0)[0])
            assert gradient[place] == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_oracle(backend, dtype, shape, masked, weighted):
    y, labels, mask, weights = make(shape, dtype, masked, weighted)
    loss, dy = run(backend, y, labels, mask, weights, zero_infinity=True)
    expected_loss, expected_dy = reference.ctc(y, labels, mask, weights, 0, True)
    bound = {"float32": 2e-6, "float64": 1e-12}[dtype]
    assert loss == pytest.approx(expected_loss, rel=bound, abs=bound)
    assert dy.dtype == dtype
    np.testing.assert_allclose(dy, expected_dy, rtol=0, atol=bound)


@pytest.mark.parametrize("blank", [0, 2, 4])
def test_the_blank_may_be_any_class_and_ends_the_labels(backend, dtype, blank):
    y = make((3, 8, 5, 1), dtype)[0]
    labels = (np.array([[1, 2, 2], [3, 0, 0], [0, 0, 0]]) + blank) % 5
    loss, dy = run(backend, y, labels, blank=blank)
    padded = np.where(labels == blank, -1, labels)
    expected_loss, expected_dy = reference.ctc(y, padded, None, None, blank, False)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    np.testing.assert_allclose(dy, expected_dy, rtol=0, atol=1e-6)
    again, dy_again = run(backend, y, padded, blank=blank)
    assert again == loss
    np.testing.assert_array_equal(dy_again, dy)


def test_labels_need_a_step_each_and_a_blank_between_equals(backend, dtype):
    """The fewest steps leave one alignment; with one step less there is none, an infinite loss without gradient."""
    for labels, least in (([1, 2], 2), ([1, 1], 3), ([2, 1, 1, 1], 6)):
        for steps in (least, least - 1):
            y = np.zeros((1, steps, 3), dtype)
            loss, dy = run(backend, y, [labels])
            if steps == least:
                assert loss == pytest.approx(steps * np.log(3), rel=1e-6)
            else:
                assert loss == np.inf
                assert not dy.any()
                assert run(backend, y, [labels], zero_infinity=True, before=2.0)[0] == 2.0


def test_a_row_without_steps_spells_no_labels(backend, dtype):
    y, mask = np.full((2, 3, 2), np.nan, dtype), np.zeros((2, 3), bool)
    loss, dy = run(backend, y, [[-1], [-1]], mask)
    assert loss == 0.0
    assert not dy.any()
    assert run(backend, y, [[-1], [1]], mask)[0] == np.inf


def test_steps_that_are_masked_are_no_part_of_the_sequence(backend, dtype):
    """On either side or between: the loss is that of the other steps alone."""
    y, labels, _, _ = make((1, 9, 4, 3), dtype)
    mask = np.array([[0, 1, 1, 0, 0, 1, 1, 1, 0]], bool)
    expected_loss, expected_dy = run(backend, y[:, mask[0]].copy(), labels)
    y[~mask] = np.nan
    loss, dy = run(backend, y, labels, mask)
    assert loss == expected_loss
    np.testing.assert_array_equal(dy[mask], expected_dy[0])
    assert not dy[~mask].any()


def test_a_row_of_weight_zero_is_not_read(backend, dtype):
    y, labels, _, _ = make((4, 6, 3, 2), dtype)
    weights = np.array([1, 0, 2, 0], dtype)
    expected = run(backend, y, labels, None, weights)
    y[[1, 3]] = np.nan
    loss, dy = run(backend, y, labels, None, weights)
    assert loss == expected[0]
    np.testing.assert_array_equal(dy, expected[1])
    assert not dy[[1, 3]].any()
    y[2, 1, 1] = np.nan
    assert np.isnan(run(backend, y, labels, None, weights)[0])


def test_nan_is_not_swallowed(backend, dtype):
    for labels in ([[1, 2], [2, -1], [-1, -1]], [[1, 1], [-1, -1], [2, 2]]):
        for row, step, column in ((0, 0, 0), (1, 4, 2), (2, 2, 1)):
            y = make((3, 5, 3, 2), dtype)[0]
            y[row, step, column] = np.nan
            loss, dy = run(backend, y, labels)
            assert np.isnan(loss)
            assert np.isnan(dy[row]).all()
            assert np.isfinite(np.delete(dy, row, axis=0)).all()


def test_huge_logits_give_finite_losses(backend, dtype):
    """Where probabilities themselves are 0. A class of logit -∞ is impossible, and does no harm."""
    y, labels, _, _ = make((4, 12, 4, 3), dtype)
    y = 1000 * np.sign(y)
    y[0, :, 3] = -np.inf
    labels[0] = [1, 2, -1]
    loss, dy = run(backend, y, labels)
    with np.errstate(all="ignore"):
        expected_loss, expected_dy = reference.ctc(y, labels, None, None, 0, False)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    np.testing.assert_allclose(dy, expected_dy, rtol=0, atol=1e-6)
    assert run(backend, y[:1], [[1, 3, -1]])[0] == np.inf


def test_float32_keeps_its_digits_over_a_thousand_steps():
    """The logarithms of 1,000 steps are in the thousands, of which float32 alone would lose all but three decimals."""
    cpu = importlib.import_module("numlstm.kernels.cpu")
    y, labels, _, _ = make((2, 1000, 12, 50), "float32")
    loss, dy = run(cpu, y, labels)
    expected_loss, expected_dy = reference.ctc(y, labels, None, None, 0, False)
    assert loss == pytest.approx(expected_loss, rel=1e-7)
    np.testing.assert_allclose(dy, expected_dy, rtol=0, atol=2e-7)


def test_no_thread_changes_a_bit(monkeypatch):
    cpu, ctc = (importlib.import_module(f"numlstm.kernels.cpu{part}") for part in ("", ".pointwise.ctc"))
    y, labels, mask, weights = make((5, 30, 9, 7), "float32", True, True)
    expected = run(cpu, y, labels, mask, weights, zero_infinity=True)
    for chunks in (2, 5):
        monkeypatch.setattr(ctc, "threads_for", lambda work, parts, chunks=chunks: chunks)
        loss, dy = run(cpu, y, labels, mask, weights, zero_infinity=True)
        assert loss == expected[0]
        np.testing.assert_array_equal(dy, expected[1])
