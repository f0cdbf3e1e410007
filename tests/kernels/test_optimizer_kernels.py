"""The optimizers, weight decay and gradient clipping of every backend against the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import reference

LENGTHS = [1, 2, 7, 16, 65, 1000, 20011]
STEPS = 5
RATE = 0.02

SGD = [(0.0, False), (0.9, False), (0.9, True)]
RMSPROP = [(0.0, 1e-7, False), (0.0, 1e-2, False), (0.8, 1e-7, False), (0.0, 1e-2, True), (0.8, 1e-2, True)]
ADAM = [(1e-7, False), (1e-2, False), (1e-7, True)]


def draw(length, dtype):
    """Parameters and the gradients of all steps, some of them exactly zero as alignment padding has them."""
    random = np.random.default_rng(length)
    w, gradients = random.normal(size=length).astype(dtype), random.normal(size=(STEPS, length)).astype(dtype)
    gradients[:, length // 2 : length // 2 + 3] = 0
    return w, gradients


def run(backend, name, w, gradients, state, options):
    """Parameters after all steps; the schedule has to count them, and the state is updated in place."""
    dtype = str(w.dtype)
    parameters = backend.asarray(w.copy(), dtype)
    schedule = backend.asarray(np.array([RATE, 0.0]), "float64")
    for g in gradients:
        device_g = backend.asarray(g.copy(), dtype)
        getattr(backend, name)(parameters, device_g, state, schedule, *options)
        np.testing.assert_array_equal(backend.to_host(device_g), g, err_msg="the optimizer changed the gradients")
    assert backend.to_host(schedule).tolist() == [RATE, len(gradients)]
    return backend.to_host(parameters)


def steps_of(gradients):
    return enumerate(gradients.astype(np.float64), start=1)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("momentum", "nesterov"), SGD)
def test_sgd(backend, dtype, length, momentum, nesterov, assert_close):
    w, gradients = draw(length, dtype)
    velocity = backend.zeros(w.shape, dtype) if momentum else None
    result = run(backend, "sgd", w, gradients, velocity, (momentum, nesterov))
    expected, expected_velocity = w.astype(np.float64), 0.0
    for _, g in steps_of(gradients):
        expected, expected_velocity = reference.sgd(expected, g, expected_velocity, RATE, momentum, nesterov)
    assert_close(result, expected, dtype, STEPS)
    if momentum:
        assert_close(backend.to_host(velocity), expected_velocity, dtype, STEPS)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("momentum", "epsilon", "centered"), RMSPROP)
def test_rmsprop(backend, dtype, length, momentum, epsilon, centered, assert_close):
    w, gradients = draw(length, dtype)
    state = [backend.zeros(w.shape, dtype) if there else None for there in (True, centered, momentum)]
    result = run(backend, "rmsprop", w, gradients, state, (0.9, momentum, epsilon))
    expected = w.astype(np.float64), 0.0, 0.0, 0.0
    for _, g in steps_of(gradients):
        expected = reference.rmsprop(expected[0], g, *expected[1:], RATE, 0.9, momentum, epsilon, centered)
    assert_close(result, expected[0], dtype, STEPS)
    for array, wanted in zip(state, expected[1:], strict=True):
        if array is not None:
            assert_close(backend.to_host(array), wanted, dtype, STEPS)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("epsilon", "amsgrad"), ADAM)
def test_adam(backend, dtype, length, epsilon, amsgrad, assert_close):
    w, gradients = draw(length, dtype)
    # A mean square that shrinks at last, so that the greatest is another one.
    gradients *= np.array([1, 1, 3, 0.1, 0.1], dtype)[:, None]
    betas = (0.9, 0.7)
    state = [backend.zeros(w.shape, dtype) if there else None for there in (True, True, amsgrad)]
    result = run(backend, "adam", w, gradients, state, (betas, epsilon))
    expected = w.astype(np.float64), 0.0, 0.0, 0.0
    for step, g in steps_of(gradients):
        expected = reference.adam(expected[0], g, *expected[1:], RATE, step, betas, epsilon, amsgrad)
    assert_close(result, expected[0], dtype, STEPS)
    for array, wanted in zip(state, expected[1:], strict=True):
        if array is not None:
            assert_close(backend.to_host(array), wanted, dtype, STEPS)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("epsilon", [1e-7, 1e-2])
def test_nadam(backend, dtype, length, epsilon, assert_close):
    w, gradients = draw(length, dtype)
    betas = (0.9, 0.999)
    state = [backend.zeros(w.shape, dtype), backend.zeros(w.shape, dtype), backend.asarray(np.ones(1), "float64")]
    result = run(backend, "nadam", w, gradients, state, (betas, epsilon))
    expected = w.astype(np.float64), 0.0, 0.0
    for step, g in steps_of(gradients):
        expected = reference.nadam(expected[0], g, *expected[1:], RATE, step, betas, epsilon)
    for array, wanted in zip((result, *map(backend.to_host, state)), expected, strict=False):
        assert_close(array, wanted, dtype, STEPS)
    product = np.prod(0.9 * (1 - 0.5 * 0.96 ** np.arange(1, STEPS + 1)))
    np.testing.assert_allclose(backend.to_host(state[2]), product, rtol=1e-14)


def test_adam_starts_with_the_bias_correction_of_its_schedule(backend, dtype):
    """Resumed at step 1000, the correction is that of step 1001 and not of step 1."""
    schedule = backend.asarray(np.array([0.5, 1000.0]), "float64")
    w, g, m, v = (backend.asarray(np.full(3, value), dtype) for value in (0.0, 1.0, 1.0, 1.0))
    backend.adam(w, g, (m, v, None), schedule, (0.9, 0.999), 1e-7)
    expected = reference.adam(np.zeros(3), 1.0, 1.0, 1.0, 0.0, 0.5, 1001, (0.9, 0.999), 1e-7, False)[0]
    np.testing.assert_allclose(backend.to_host(w), expected, rtol=1e-5)
    assert backend.to_host(schedule)[1] == 1001


def test_a_variance_below_zero_counts_as_zero(backend, dtype):
    """What rounding makes of gradients that are always the same."""
    w, g, square, mean = (backend.asarray(np.full(3, value), dtype) for value in (1.0, 2.0, 4.0, 2.001))
    schedule = backend.asarray(np.array([0.5, 0.0]), "float64")
    backend.rmsprop(w, g, (square, mean, None), schedule, 0.9, 0.0, 0.25)
    np.testing.assert_allclose(backend.to_host(w), 1.0 - 0.5 * 2.0 / 0.5)


# Clipping and decay, over all and over variables that do not fill the buffers


def whole(length):
    return np.array([[0, length]])


def parts(length):
    """One variable empty, one of a single number, and gaps between them."""
    return np.array(
        [[0, length // 3], [length // 2, length // 2], [length // 2, length // 2 + 1], [length - 2, length]]
    )


@pytest.mark.parametrize("length", [*LENGTHS, 4096, 12289])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999, 1.001, 100.0])
def test_clip_norm(backend, dtype, length, share, assert_close):
    _, gradients = draw(length, dtype)
    g = gradients[0] + np.asarray(0.5, dtype)
    limit = share * float(np.linalg.norm(g.astype(np.float64)))
    buffer = backend.asarray(g.copy(), dtype)
    backend.clip_norm(buffer, backend.asarray(whole(length), "int64"), limit)
    clipped = backend.to_host(buffer)
    assert_close(clipped, reference.clip_norm(g.astype(np.float64), limit), dtype, length)
    if share > 1:
        np.testing.assert_array_equal(clipped, g)
    else:
        assert np.linalg.norm(clipped.astype(np.float64)) == pytest.approx(limit, rel=10 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("length", [9, 65, 20011])
@pytest.mark.parametrize("limit", [0.3, 5.0])
def test_clip_norm_of_each_variable(backend, dtype, length, limit, assert_close):
    _, gradients = draw(length, dtype)
    g = gradients[0] + np.asarray(0.5, dtype)
    buffer = backend.asarray(g.copy(), dtype)
    backend.clip_norm(buffer, backend.asarray(parts(length), "int64"), limit)
    expected = g.astype(np.float64)
    for start, stop in parts(length):
        expected[start:stop] = reference.clip_norm(expected[start:stop], limit)
    assert_close(backend.to_host(buffer), expected, dtype, length)


def test_clip_norm_of_nothing(backend, dtype):
    """Zero gradients have no direction to scale, and no NaN comes of it."""
    buffer = backend.zeros((65,), dtype)
    backend.clip_norm(buffer, backend.asarray(whole(65), "int64"), 1.0)
    assert (backend.to_host(buffer) == 0).all()


def test_clip_norm_of_huge_gradients(backend):
    """Their squares exceed float32."""
    buffer = backend.asarray(np.full(100, 1e30), "float32")
    backend.clip_norm(buffer, backend.asarray(whole(100), "int64"), 1.0)
    np.testing.assert_allclose(backend.to_host(buffer), 0.1, rtol=1e-6)


def test_nan_stays_in_its_variable(backend, dtype):
    g = np.ones(20, dtype)
    g[3] = np.nan
    buffer = backend.asarray(g, dtype)
    backend.clip_norm(buffer, backend.asarray(np.array([[0, 10], [10, 20]]), "int64"), 1.0)
    clipped = backend.to_host(buffer)
    assert np.isnan(clipped[:10]).all()
    np.testing.assert_allclose(clipped[10:], 10**-0.5, rtol=1e-6)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("limit", [0.25, 100.0])
def test_clip_value(backend, dtype, length, limit):
    g = draw(length, dtype)[1][0]
    g[-1] = np.nan
    buffer = backend.asarray(g.copy(), dtype)
    backend.clip_value(buffer, limit)
    np.testing.assert_array_equal(backend.to_host(buffer), np.clip(g, -limit, limit))


@pytest.mark.parametrize("segments", [whole, parts])
@pytest.mark.parametrize("length", [9, 65, 20011])
def test_decay_weights(backend, dtype, length, segments, assert_close):
    w = draw(length, dtype)[0]
    schedule = backend.asarray(np.array([RATE, 7.0]), "float64")
    buffer = backend.asarray(w.copy(), dtype)
    backend.decay_weights(buffer, backend.asarray(segments(length), "int64"), schedule, 0.3)
    expected, decayed = w.astype(np.float64), backend.to_host(buffer)
    for start, stop in segments(length):
        expected[start:stop] *= 1 - RATE * 0.3
    assert_close(decayed, expected, dtype, 2)
    kept = expected == w
    np.testing.assert_array_equal(decayed[kept], w[kept])
    assert backend.to_host(schedule).tolist() == [RATE, 7.0]


def everything(backend, dtype, length):
    """Each function of this file, called once."""
    w, gradients = draw(length, dtype)
    schedule = backend.asarray(np.array([RATE, 3.0]), "float64")
    segments = backend.asarray(parts(length), "int64")
    parameters, g = backend.asarray(w.copy(), dtype), backend.asarray(gradients[0].copy(), dtype)
    arrays = [backend.asarray(np.abs(gradients[k % STEPS]) + 1, dtype) for k in range(9)]
    backend.clip_norm(g, segments, 1.0)
    backend.clip_norm(g, backend.asarray(whole(length), "int64"), 0.5)
    backend.clip_value(g, 0.01)
    backend.decay_weights(parameters, segments, schedule, 0.1)
    backend.sgd(parameters, g, arrays[0], schedule, 0.9, True)
    backend.rmsprop(parameters, g, arrays[1:4], schedule, 0.9, 0.9, 1e-7)
    backend.adam(parameters, g, arrays[4:7], schedule, (0.9, 0.999), 1e-7)
    product = backend.asarray(np.full(1, 0.5), "float64")
    backend.nadam(parameters, g, (*arrays[7:], product), schedule, (0.9, 0.999), 1e-7)
    return [backend.to_host(array) for array in (parameters, g, *arrays)]


@pytest.mark.parametrize("length", [200_003])
def test_the_number_of_threads_changes_nothing(backend, dtype, length):
    numba = pytest.importorskip("numba")
    available, results = numba.get_num_threads(), []
    try:
        for threads in range(1, min(4, numba.config.NUMBA_NUM_THREADS) + 1):
            numba.set_num_threads(threads)
            results.append(everything(backend, dtype, length))
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        for actual, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(actual, expected)
