"""The sampled softmax and its Dense layer on every backend, against the oracle, and the oracle itself."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import reference

from numlstm.kernels import DenseGradients, DenseWeights, SampledClasses, Version

# R, F, N, S
SHAPES = [(1, 1, 2, 1), (7, 5, 9, 3), (17, 16, 40, 40), (33, 34, 85, 17), (70, 19, 300, 65)]


def make(shape, dtype):
    """The arrays of a step: some labels are among the samples, and some occur several times."""
    random = np.random.default_rng(shape)
    R, F, N, S = shape
    real = {"K": (F, N), "b": (N,), "x": (R, F), "y": (R, S + 1), "dy": (R, S + 1)}
    n = {name: random.normal(size=size).astype(dtype) for name, size in real.items()}
    n["log_inclusion"] = -random.exponential(size=N).astype(dtype)
    n["labels"] = np.minimum(random.geometric(min(1, 3 / N), R) - 1, N - 1)
    n["classes"] = np.sort(random.permutation(N)[:S])
    return n


def classes_of(backend, n):
    array = backend.asarray
    inclusion = array(n["log_inclusion"], str(n["log_inclusion"].dtype))
    return SampledClasses(array(n["labels"], "int64"), array(n["classes"], "int64"), inclusion)


def weights_of(backend, n, bias=True):
    dtype = str(n["K"].dtype)
    return DenseWeights(backend.asarray(n["K"], dtype), backend.asarray(n["b"], dtype) if bias else None, Version())


def run_loss(backend, n, weights=None, before=0.0):
    """The loss, added to what was there before, and dy."""
    dtype = str(n["y"].dtype)
    loss, dy = backend.asarray(np.array([before]), "float64"), backend.asarray(np.full_like(n["y"], np.nan), dtype)
    weights = None if weights is None else backend.asarray(weights, dtype)
    backend.sampled_softmax(backend.asarray(n["y"], dtype), classes_of(backend, n), weights, loss, dy)
    return float(backend.to_host(loss)[0]), np.array(backend.to_host(dy))


def run_dense(backend, n, bias=True, with_dx=True):
    """y, dK, db and dx."""
    (F, N), dtype, asarray = n["K"].shape, str(n["K"].dtype), backend.asarray
    weights, classes, x = weights_of(backend, n, bias), classes_of(backend, n), asarray(n["x"], dtype)
    y, dK, db, dx = (asarray(np.full(s, np.nan), dtype) for s in (n["y"].shape, (F, N), (N,), n["x"].shape))
    backend.sampled_dense_forward(weights, x, classes, y)
    gradients = DenseGradients(dK, db if bias else None, dx if with_dx else None)
    backend.sampled_dense_backward(weights, x, classes, asarray(n["dy"], dtype), gradients)
    return [np.array(backend.to_host(array)) for array in (y, dK, db, dx)]


def test_the_oracle_with_all_classes_is_the_exact_softmax():
    n = make((17, 16, 40, 40), "float64")
    z = n["x"] @ n["K"] + n["b"]
    sampled = np.take_along_axis(z, reference.sampled_columns(n["labels"], n["classes"]), axis=1)
    loss, dy = reference.sampled_softmax(sampled, n["labels"], n["classes"], np.zeros(40), None)
    expected, expected_dy = reference.sparse_categorical_crossentropy(z, n["labels"], None, True)
    assert loss == pytest.approx(expected, rel=1e-12)
    rows = np.arange(17)
    dz = dy[:, :40].copy()
    dz[rows, n["labels"]] += dy[:, 40]
    np.testing.assert_allclose(dz, expected_dy, rtol=0, atol=1e-15)


def test_the_gradient_of_the_oracle_is_that_of_differences():
    n, step = make((7, 5, 9, 3), "float64"), 1e-6
    arguments = n["labels"], n["classes"], n["log_inclusion"], np.linspace(0, 2, 7)
    gradient = reference.sampled_softmax(n["y"], *arguments)[1]
    for place in np.ndindex(n["y"].shape):
        sides = []
        for change in (step, -step):
            moved = n["y"].copy()
            moved[place] += change
            sides.append(reference.sampled_softmax(moved, *arguments)[0] / len(moved))
        assert gradient[place] == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_loss_agrees_with_the_oracle(backend, dtype, shape, weighted):
    n = make(shape, dtype)
    weights = np.random.default_rng(1).uniform(-1, 3, len(n["y"])).astype(dtype) if weighted else None
    loss, dy = run_loss(backend, n, weights, before=3.0)
    expected, expected_dy = reference.sampled_softmax(n["y"], n["labels"], n["classes"], n["log_inclusion"], weights)
    bound = {"float32": 2e-6, "float64": 1e-12}[dtype]
    assert loss - 3.0 == pytest.approx(expected, rel=bound, abs=10 * bound)
    np.testing.assert_allclose(dy, expected_dy, rtol=0, atol=bound)
    hits = n["classes"] == n["labels"][:, None]
    assert not dy[:, :-1][hits].any()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_dense_layer_agrees_with_the_columns_of_all_logits(backend, dtype, shape, bias, assert_close):
    n = make(shape, dtype)
    R, F, N, S = shape
    y, dK, db, dx = run_dense(backend, n, bias)
    wide = {name: n[name].astype(np.float64) for name in ("K", "b", "x", "dy")}
    columns = reference.sampled_columns(n["labels"], n["classes"])
    z = wide["x"] @ wide["K"] + bias * wide["b"]
    dz = np.zeros((R, N))
    np.add.at(dz, (np.arange(R)[:, None], columns), wide["dy"])
    assert_close(y, np.take_along_axis(z, columns, axis=1), dtype, F + 1, what="y")
    assert_close(dK, wide["x"].T @ dz, dtype, R, what="dK")
    assert_close(dx, dz @ wide["K"].T, dtype, S + 1, what="dx")
    if bias:
        assert_close(db, dz.sum(axis=0), dtype, R, what="db")
    untouched = np.setdiff1d(np.arange(N), columns)
    assert not dK[:, untouched].any()


def test_the_gradient_of_the_input_may_be_left_out(backend, dtype):
    n = make((7, 5, 9, 3), dtype)
    whole, without = run_dense(backend, n), run_dense(backend, n, with_dx=False)
    for given, expected in zip(without[:3], whole[:3], strict=True):
        np.testing.assert_array_equal(given, expected)


def test_a_row_of_weight_zero_is_not_read(backend, dtype):
    n = make((7, 5, 9, 3), dtype)
    weights = np.array([1, 0, 2, 0, 1, 1, 1], dtype)
    loss, dy = run_loss(backend, n, weights)
    n["y"][[1, 3]] = np.nan
    again, dy_again = run_loss(backend, n, weights)
    assert again == loss
    np.testing.assert_array_equal(dy_again, dy)
    assert not dy[[1, 3]].any()


def test_nan_is_not_swallowed(backend, dtype):
    """In any column but that of a sampled class which is the row's own: that is not read."""
    n = make((7, 5, 9, 3), dtype)
    for column in range(4):
        for row in range(7):
            if column < 3 and n["classes"][column] == n["labels"][row]:
                continue
            changed = n | {"y": n["y"].copy()}
            changed["y"][row, column] = np.nan
            loss, dy = run_loss(backend, changed)
            assert np.isnan(loss)
            assert np.isnan(dy[row]).any()
            assert np.isfinite(np.delete(dy, row, axis=0)).all()


def test_huge_logits_give_finite_losses(backend, dtype):
    n = make((7, 5, 9, 3), dtype)
    n["y"], n["log_inclusion"] = 1000 * np.sign(n["y"]), np.floor(n["log_inclusion"])  # Their sums are not rounded.
    loss, dy = run_loss(backend, n)
    expected, expected_dy = reference.sampled_softmax(n["y"], n["labels"], n["classes"], n["log_inclusion"], None)
    assert loss == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(dy, expected_dy, rtol=0, atol=1e-6)


def test_no_thread_changes_a_bit(monkeypatch):
    cpu, *files = (
        importlib.import_module(f"numlstm.kernels.cpu{part}")
        for part in ("", ".products.sampled", ".products.dense", ".pointwise.loss")
    )
    n = make((70, 19, 300, 65), "float32")
    expected = [*run_loss(cpu, n), *run_dense(cpu, n)]
    for chunks in (2, 3):
        for file in files:
            monkeypatch.setattr(file, "threads_for", lambda work, parts, chunks=chunks: min(chunks, parts))
        for given, one in zip([*run_loss(cpu, n), *run_dense(cpu, n)], expected, strict=True):
            np.testing.assert_array_equal(given, one)
