"""The optimizers and the gradient clipping of every backend against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import reference

LENGTHS = [1, 2, 7, 16, 65, 1000, 20011]
STEPS = 5
RATE = 0.02


def draw(length, dtype):
    """Parameters and the gradients of all steps, some of them exactly zero as alignment padding has them."""
    random = np.random.default_rng(length)
    w, gradients = random.normal(size=length).astype(dtype), random.normal(size=(STEPS, length)).astype(dtype)
    gradients[:, length // 2 : length // 2 + 3] = 0
    return w, gradients


def run(backend, name, w, gradients, states, options):
    """Parameters and states after all steps; the schedule has to count them."""
    dtype = str(w.dtype)
    parameters = backend.asarray(w.copy(), dtype)
    buffers = [backend.zeros(w.shape, dtype) for _ in range(states)]
    schedule = backend.asarray(np.array([RATE, 0.0]), "float64")
    for g in gradients:
        device_g = backend.asarray(g.copy(), dtype)
        getattr(backend, name)(parameters, device_g, *buffers, schedule, *options)
        np.testing.assert_array_equal(backend.to_host(device_g), g, err_msg="the optimizer changed the gradients")
    assert backend.to_host(schedule).tolist() == [RATE, len(gradients)]
    return [backend.to_host(a) for a in (parameters, *buffers)]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd(backend, dtype, length, momentum, nesterov, assert_close):
    w, gradients = draw(length, dtype)
    results = run(backend, "sgd", w, gradients, 1, (momentum, nesterov))
    expected = w.astype(np.float64), 0.0
    for g in gradients.astype(np.float64):
        expected = reference.sgd(expected[0], g, expected[1], RATE, momentum, nesterov)
    for actual, wanted in zip(results, expected, strict=True):
        assert_close(actual, wanted, dtype, STEPS)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("epsilon", [1e-7, 1e-2])
def test_rmsprop(backend, dtype, length, epsilon, assert_close):
    w, gradients = draw(length, dtype)
    results = run(backend, "rmsprop", w, gradients, 1, (0.9, epsilon))
    expected = w.astype(np.float64), 0.0
    for g in gradients.astype(np.float64):
        expected = reference.rmsprop(expected[0], g, expected[1], RATE, 0.9, epsilon)
    for actual, wanted in zip(results, expected, strict=True):
        assert_close(actual, wanted, dtype, STEPS)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("epsilon", [1e-7, 1e-2])
def test_adam(backend, dtype, length, epsilon, assert_close):
    w, gradients = draw(length, dtype)
    results = run(backend, "adam", w, gradients, 2, ((0.9, 0.999), epsilon))
    expected = w.astype(np.float64), 0.0, 0.0
    for step, g in enumerate(gradients.astype(np.float64), start=1):
        expected = reference.adam(expected[0], g, expected[1], expected[2], RATE, step, (0.9, 0.999), epsilon)
    for actual, wanted in zip(results, expected, strict=True):
        assert_close(actual, wanted, dtype, STEPS)


def test_adam_starts_with_the_bias_correction_of_its_schedule(backend, dtype):
    """Resumed at step 1000, the correction is that of step 1001 and not of step 1."""
    schedule = backend.asarray(np.array([0.5, 1000.0]), "float64")
    w, g, m, v = (backend.asarray(np.full(3, value), dtype) for value in (0.0, 1.0, 1.0, 1.0))
    backend.adam(w, g, m, v, schedule, (0.9, 0.999), 1e-7)
    expected = reference.adam(np.zeros(3), 1.0, 1.0, 1.0, 0.5, 1001, (0.9, 0.999), 1e-7)[0]
    np.testing.assert_allclose(backend.to_host(w), expected, rtol=1e-5)
    assert backend.to_host(schedule)[1] == 1001


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999, 1.001, 100.0])
def test_clip_norm(backend, dtype, length, share, assert_close):
    _, gradients = draw(length, dtype)
    g = gradients[0] + np.asarray(0.5, dtype)
    limit = share * float(np.linalg.norm(g.astype(np.float64)))
    buffer = backend.asarray(g.copy(), dtype)
    backend.clip_norm(buffer, limit)
    clipped = backend.to_host(buffer)
    assert_close(clipped, reference.clip_norm(g.astype(np.float64), limit), dtype, length)
    if share > 1:
        np.testing.assert_array_equal(clipped, g)
    else:
        assert np.linalg.norm(clipped.astype(np.float64)) == pytest.approx(limit, rel=10 * float(np.finfo(dtype).eps))


def test_clip_norm_of_nothing(backend, dtype):
    """Zero gradients have no direction to scale, and no NaN comes of it."""
    buffer = backend.zeros((65,), dtype)
    backend.clip_norm(buffer, 1.0)
    assert (backend.to_host(buffer) == 0).all()


def test_clip_norm_of_huge_gradients(backend):
    """Their squares exceed float32."""
    buffer = backend.asarray(np.full(100, 1e30), "float32")
    backend.clip_norm(buffer, 1.0)
    np.testing.assert_allclose(backend.to_host(buffer), 0.1, rtol=1e-6)


@pytest.mark.parametrize("length", [20011])
def test_the_number_of_threads_changes_nothing(backend, dtype, length):
    numba = pytest.importorskip("numba")
    _, gradients = draw(length, dtype)
    available, results = numba.get_num_threads(), []
    try:
        for threads in range(1, min(4, numba.config.NUMBA_NUM_THREADS) + 1):
            numba.set_num_threads(threads)
            buffer = backend.asarray(gradients[0].copy(), dtype)
            backend.clip_norm(buffer, 1.0)
            results.append(backend.to_host(buffer))
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
