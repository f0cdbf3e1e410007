"""The optimizers' CUDA kernels, with the bodies of the other backends' tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import optimizer_case
import pytest
import test_optimizer_kernels as cases

import numlstm.kernels.cpu as cpu
import numlstm.kernels.cuda as cuda
from numlstm import optimizers, schedules
from numlstm.kernels.cuda.runtime.memory import transfers
from numlstm.parameters import Parameters


@pytest.fixture
def backend():
    return cuda


@pytest.mark.parametrize("length", [1, 13])
def test_optimizers(backend, dtype, length, assert_close):
    for options in cases.SGD:
        cases.test_sgd(backend, dtype, length, *options, assert_close)
    for options in cases.RMSPROP:
        cases.test_rmsprop(backend, dtype, length, *options, assert_close)
    for options in cases.ADAM:
        cases.test_adam(backend, dtype, length, *options, assert_close)
    cases.test_nadam(backend, dtype, length, 1e-7, assert_close)


def test_single_steps(backend, dtype):
    cases.test_a_variance_below_zero_counts_as_zero(backend, dtype)
    cases.test_adam_starts_with_the_bias_correction_of_its_schedule(backend, dtype)


@pytest.mark.parametrize("share", [0.01, 0.999, 1.001])
@pytest.mark.parametrize("length", [1, 65])
def test_clip_norm(backend, dtype, length, share, assert_close):
    cases.test_clip_norm(backend, dtype, length, share, assert_close)


@pytest.mark.parametrize("limit", [0.3, 5.0])
def test_clip_norm_of_each_variable(backend, dtype, limit, assert_close):
    cases.test_clip_norm_of_each_variable(backend, dtype, 65, limit, assert_close)


def test_clip_norm_of_nothing_of_huge_gradients_and_of_nan(backend):
    cases.test_clip_norm_of_nothing(backend, "float32")
    cases.test_clip_norm_of_huge_gradients(backend)
    cases.test_nan_stays_in_its_variable(backend, "float32")


@pytest.mark.parametrize("limit", [0.25, 100.0])
def test_clip_value(backend, dtype, limit):
    cases.test_clip_value(backend, dtype, 16, limit)


@pytest.mark.parametrize("segments", [cases.whole, cases.parts])
def test_decay_weights(backend, dtype, segments, assert_close):
    cases.test_decay_weights(backend, dtype, 65, segments, assert_close)


def test_two_runs_have_the_same_bits(backend):
    first, second = (cases.everything(backend, "float32", 65) for _ in range(2))
    for actual, expected in zip(first, second, strict=True):
        np.testing.assert_array_equal(actual, expected)


# The library's optimizers


@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.5, "weight_decay": 0.25}], ids=str)
@pytest.mark.parametrize("make", optimizer_case.OPTIMIZERS, ids=optimizer_case.NAMES)
def test_steps_agree_with_the_cpu(make, options):
    rate = schedules.ExponentialDecay(0.05, 2, 0.5)
    ours, theirs = (optimizer_case.train(make(learning_rate=rate, **options), b, steps=3) for b in (cuda, cpu))
    for actual, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-13)


def test_a_learning_rate_goes_up_only_when_it_has_changed():
    parameters = Parameters(cuda, "float32", {"bias": (3,)})
    optimizer = optimizers.SGD(schedules.ExponentialDecay(0.5, 2, 0.5, staircase=True))
    optimizer.allocate(parameters.buffers)
    cuda.copy(parameters.buffers.gradients, np.ones(parameters.size))
    before = replace(transfers)
    for _ in range(6):
        optimizer.begin()
        optimizer.apply()
        optimizer.end()
    assert (transfers.uploads - before.uploads, transfers.downloads - before.downloads) == (2, 0)
    np.testing.assert_array_equal(parameters.values()[0], -2 * np.float32(0.5 + 0.25 + 0.125))
    state = optimizer.state()
    assert state["iterations"] == 6

    again = optimizers.SGD(0.25)
    again.allocate(parameters.buffers)
    again.set_state(state)
    again.begin()
    again.apply()
    again.end()
    again.learning_rate = 1.0
    again.begin()
    again.apply()
    again.end()
    np.testing.assert_array_equal(parameters.values()[0], -3.0)
    assert again.iterations == 8
