"""Schedules: values that were worked out by hand, ends, and refusals. PyTorch and Keras: `test_optimizer_parity.py`."""

from __future__ import annotations

import math

import pytest

from numlstm import optimizers, schedules


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (schedules.ExponentialDecay(0.5, 2, 0.25), {0: 0.5, 1: 0.25, 2: 0.125, 4: 0.03125}),
        (schedules.ExponentialDecay(0.5, 2, 0.25, staircase=True), {0: 0.5, 1: 0.5, 2: 0.125, 5: 0.03125}),
        (schedules.ExponentialDecay(0.5, 1e-3, 0.5), {0: 0.5, 99: 0}),
        (schedules.ExponentialDecay(0.5, 1e-3, 2.0), {0: 0.5, 99: math.inf}),
        (schedules.ExponentialDecay(0.0, 1e-3, 2.0), {0: 0, 99: 0}),
        (schedules.PiecewiseConstantDecay([2, 5], [3, 2, 1]), {0: 3, 2: 3, 3: 2, 5: 2, 6: 1, 99: 1}),
        (schedules.PiecewiseConstantDecay([], [3]), {0: 3, 99: 3}),
        (schedules.CosineDecay(1.0, 4), {0: 1, 1: 0.5 + 0.5**1.5, 2: 0.5, 4: 0, 99: 0}),
        (schedules.CosineDecay(1.0, 4, alpha=0.5), {0: 1, 2: 0.75, 4: 0.5, 99: 0.5}),
        (schedules.CosineDecay(0.0, 4, warmup_target=2.0, warmup_steps=8), {0: 0, 2: 0.5, 8: 2, 10: 1, 12: 0, 99: 0}),
        # Without a target there is no warm-up.
        (schedules.CosineDecay(1.0, 4, warmup_steps=8), {0: 1, 2: 0.5, 4: 0}),
        (schedules.OneCycle(1.0, 11, 3 / 11, 4.0, 10.0), {0: 0.25, 1: 0.625, 2: 1, 6: 0.5125, 10: 0.025, 99: 0.025}),
        (schedules.OneCycle(1.0, 10, 0.1), {0: 1.0}),
        (schedules.OneCycle(1.0, 5, 0.0, 1.0, 4.0), {4: 0.25}),
        (schedules.OneCycle(1.0, 1, 0.5, 2.0, 4.0), {0: 0.125}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rates(schedule, rates):
    for step, rate in rates.items():
        assert math.isclose(schedule(step), rate, rel_tol=1e-14, abs_tol=1e-15), step


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: schedules.ExponentialDecay(-1, 2, 0.5), ValueError, "initial_learning_rate must be a number from 0"),
        (lambda: schedules.ExponentialDecay(1, 0, 0.5), ValueError, "decay_steps must be a positive number, not 0"),
        (lambda: schedules.ExponentialDecay(1, 2, 0.5, staircase=2), TypeError, "staircase must be True or False"),
        (lambda: schedules.PiecewiseConstantDecay([1], [1]), ValueError, "one value more than boundaries, not 1 bound"),
        (lambda: schedules.PiecewiseConstantDecay([2, 2], [1, 2, 3]), ValueError, "boundaries must rise"),
        (lambda: schedules.CosineDecay("1", 2), TypeError, "initial_learning_rate must be a number, not '1'"),
        (lambda: schedules.CosineDecay(1, 2, warmup_steps=-1), ValueError, "warmup_steps must be a number from 0 on"),
        (lambda: schedules.OneCycle(0, 10), ValueError, "max_lr must be a positive number"),
        (lambda: schedules.OneCycle(1, 10.5), TypeError, "total_steps must be an integer"),
        (lambda: schedules.OneCycle(1, 10, pct_start=1.0), ValueError, "pct_start must be from 0 to below 1"),
        (lambda: schedules.LearningRateSchedule()(0), NotImplementedError, "must override"),
    ],
)
def test_arguments_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_rate_that_grows_beyond_all_numbers_is_one_sentence():
    optimizer = optimizers.SGD(schedules.ExponentialDecay(0.5, 1e-3, 2.0))
    assert optimizer.learning_rate == 0.5
    optimizer._iterations = 99
    with pytest.raises(ValueError, match="the schedule's learning rate must be a number from 0 on, not inf"):
        _ = optimizer.learning_rate
