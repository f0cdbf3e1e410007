"""The intervals of steps beyond the horizon, which are forecast from forecasts."""

from dataclasses import replace

import numpy as np
import pytest

from numlstm.data import Series
from numlstm.data.panel import panel_of
from numlstm.tasks.forecast.ahead import ahead
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.train import train

QUICK = replace(REAL, units=3, epochs=3, ensemble=2, refit=False, device="cpu")


def series_of(values, *further):
    columns = np.stack([values, *further], axis=1)
    count = np.arange(len(values))
    return Series("s", None, count, ("y", "x", "w")[: len(columns.T)], columns, count + 1)


@pytest.fixture(scope="module")
def noisy():
    """A week that repeats with noise: one knows as much of the third week from now as of tomorrow."""
    t = np.arange(900)
    return series_of(100 + 10 * np.sin(t * 2 * np.pi / 7) + np.random.default_rng(0).normal(0, 2, len(t)))


@pytest.mark.parametrize("horizon", [1, 7])
def test_they_cover_what_they_say(noisy, horizon):
    training = train(noisy, replace(QUICK, horizon=horizon), verbose=0)
    inside = {80: [], 95: []}
    for end in range(training.split.test, len(noisy) - 28, 2):
        _, bounds = ahead(training.tested, noisy.take(slice(end)), 28)
        true = noisy.values[end : end + 28, 0]
        for level, found in inside.items():
            found.append((bounds[f"lower_{level}"] <= true) & (true <= bounds[f"upper_{level}"]))
    for level, found in inside.items():
        assert 100 * np.mean(np.array(found)[:, horizon:]) == pytest.approx(level, abs=4)


def test_those_of_a_random_walk_widen_by_the_root():
    walk = series_of(np.random.default_rng(1).normal(size=900).cumsum())
    training = train(walk, replace(QUICK, season="none"), verbose=0)
    widths = training.tested.intervals.upto(100)[0]
    assert widths[15] / widths[0] == pytest.approx(4, rel=0.3)
    assert widths[99] / widths[0] == pytest.approx(10, rel=0.4)


def test_they_are_measured_only_where_the_future_is_known(noisy):
    training = train(series_of(noisy.values[:, 0], noisy.values[:, 0] ** 2), replace(QUICK, horizon=2), verbose=0)
    assert training.tested.intervals.widths.shape == (2, 2)


def test_those_of_several_targets_are_measured_together(noisy):
    other = 50 + 5 * np.cos(np.arange(900) * 2 * np.pi / 7) + np.random.default_rng(2).normal(0, 1, 900)
    panel = panel_of(series_of(noisy.values[:, 0], other)).of_targets(2)
    for each in train(panel, replace(QUICK, horizon=2), verbose=0).results:
        widths = each.tested.intervals.widths
        assert widths.shape == (2, 52)
        assert (widths[:, -26:].mean(1) < 1.3 * widths[:, :2].mean(1)).all()


def test_a_column_that_is_no_target_leaves_them_unmeasured(noisy):
    other = np.random.default_rng(2).normal(size=900).cumsum()
    panel = panel_of(series_of(noisy.values[:, 0], other, other**2)).of_targets(2)
    for each in train(panel, replace(QUICK, horizon=2), verbose=0).results:
        assert each.tested.intervals.widths.shape == (2, 2)


def test_beyond_the_measured_steps_the_widths_go_on_as_they_grew():
    steps = np.arange(1, 9)
    errors = np.tile([[1.0], [-1.0]], (50, 1))
    for power in (0.0, 0.5, 1.0):
        intervals = Intervals.fit(errors, (80.0,), errors * steps**power)
        np.testing.assert_allclose(intervals.upto(30)[0], np.arange(1, 31) ** power)
    assert np.array_equal(Intervals.fit(errors, (80.0,), errors * steps**3.0).upto(16)[0, -1], 8**3 * 2)
    shrinking = Intervals.fit(errors, (80.0,), errors / steps).upto(16)[0]
    assert np.array_equal(shrinking[8:], np.full(8, shrinking[7]))


def test_a_larger_level_is_never_narrower():
    errors = np.concatenate([np.ones((90, 8)) * np.arange(1, 9), np.full((10, 8), 9.0)])
    widths = Intervals.fit(errors[:, :1], (80.0, 95.0), errors).upto(60)
    assert (widths[1] >= widths[0]).all()


def test_with_a_few_measured_steps_they_go_on_as_a_random_walk():
    errors = np.tile([[3.0], [-3.0]], (50, 1))
    np.testing.assert_allclose(
        Intervals.fit(errors, (80.0, 95.0)).upto(9), 3 * np.arange(1, 10) ** 0.5 * np.ones((2, 1))
    )
    back = Intervals.from_dict(Intervals.fit(errors, (80.0,), errors * np.arange(1, 9)).to_dict())
    assert (back.widths.shape, back.sample.shape) == ((1, 8), (100, 1))
