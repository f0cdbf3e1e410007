"""The recipe for real data: what it chooses, what it must not see, its intervals, and the model for use."""

import json
import signal
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from numlstm import optimizers
from numlstm.backend import DeviceError
from numlstm.data import Series, sunspots
from numlstm.tasks import load
from numlstm.tasks.forecast import report, run
from numlstm.tasks.forecast.ahead import ahead
from numlstm.tasks.forecast.calendar import calendar_of, cycles_of
from numlstm.tasks.forecast.choose import choose_inputs
from numlstm.tasks.forecast.folds import contiguous
from numlstm.tasks.forecast.inputs import RuleInputs, inputs_from_dict
from numlstm.tasks.forecast.intervals import Intervals, quantiles
from numlstm.tasks.forecast.rules import naive
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.spread import Spread
from numlstm.tasks.forecast.train import Checkpoint, train

QUICK = replace(REAL, units=3, epochs=2, ensemble=2, device="cpu")


def series_of(values, start=None, freq="D"):
    values = np.asarray(values, dtype=float).reshape(len(values), -1)
    counted = np.arange(1, len(values) + 1)
    axis = counted if start is None else pd.date_range(start, periods=len(values), freq=freq).to_numpy("datetime64[us]")
    name = None if start is None else "date"
    return Series("s", name, axis, tuple("abc"[: values.shape[1]]), values, counted)


def weekly(rows=140, seed=0, columns=1):
    t = np.arange(rows)
    noise = np.random.default_rng(seed).normal(0, 1, (rows, columns))
    return series_of(50 + 0.1 * t[:, None] + 8 * np.sin(2 * np.pi * t / 7)[:, None] + noise, "2022-01-01")


# Parts.


@pytest.mark.parametrize(
    ("options", "test"),
    [
        ({"train_until": "2022-03-31"}, 90), ({"test_from": "2022-04-01"}, 90), ({"train_until": "2022-03"}, 90),
        ({"test_from": "2022-04"}, 90), ({"train_until": "2022-04-01"}, 91), ({"test_fraction": 0.0}, 140),
    ],
)  # fmt: skip
def test_a_date_divides_the_series(options, test):
    split = Split.of(weekly().axis, replace(QUICK, **options))
    assert (split.test, split.steps, split.holds_out) == (test, 140, test < 140)


def test_numbers_divide_a_counted_series():
    axis = sunspots().axis
    assert axis[Split.of(axis, replace(QUICK, train_until="1920")).test] == 1921
    assert axis[Split.of(axis, replace(QUICK, test_from="1920.5")).test] == 1921


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "train_until= must be a date such as 2020-12-31, not 'yesterday'"),
        ("NaT", "must be a date"),
        ("2030-01-01", "leaves no row to hold out: the last one is 2022-05-20"),
        ("2021-01-01", "the training part has 0 of the 140 rows"),
    ],
)
def test_a_date_that_does_not_divide_the_series_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Split.of(weekly().axis, replace(QUICK, train_until=text))


def test_two_dates_are_refused():
    with pytest.raises(ValueError, match="give one of train_until= and test_from="):
        replace(QUICK, train_until="2020", test_from="2021")


@pytest.mark.parametrize("horizon", [1, 3])
def test_folds_share_no_targets(horizon):
    folds = contiguous(43, 5, horizon)
    assert np.concatenate([fold.validation for fold in folds]).tolist() == list(range(43))
    for fold in folds:
        learned = {window + step for window in fold.training.tolist() for step in range(horizon)}
        held = {window + step for window in fold.validation.tolist() for step in range(horizon)}
        assert not learned & held
        assert len(fold.training) >= 43 - len(fold.validation) - 2 * (horizon - 1)
    with pytest.raises(ValueError, match="an ensemble of 5 needs 10 windows before the held-out part, but there are 9"):
        contiguous(9, 5, 1)


@pytest.mark.parametrize("settings", [{}, {"horizon": 2, "layers": 2}, {"ensemble": 1}, {"rule": "none"}])
def test_the_held_out_part_changes_nothing_that_was_chosen_or_learned(settings):
    """Not even its dates: the axis after the boundary jumps by years."""
    series, settings = weekly(columns=2), replace(QUICK, refit=False, **settings)
    test = Split.of(series.axis, settings).test
    values, axis = series.values.copy(), series.axis.copy()
    values[test:] = np.random.default_rng(1).normal(1e4, 1e4, values[test:].shape)
    axis[test:] += np.timedelta64(5000, "D")
    spoilt = replace(series, values=values, axis=axis)
    plain, blind = (train(each, settings, verbose=0) for each in (series, spoilt))
    assert plain.history == blind.history
    assert plain.tested.inputs.to_dict() == blind.tested.inputs.to_dict()
    assert plain.tested.rivals == blind.tested.rivals
    assert plain.tested.intervals.to_dict() == blind.tested.intervals.to_dict()
    for ours, theirs in zip(plain.tested.model.get_weights(), blind.tested.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert plain.metrics["rmse"] != blind.metrics["rmse"]


# Choices.


def chosen(series, **settings):
    settings = replace(QUICK, test_fraction=0.0, **settings)
    season = None if settings.season == "none" else settings.season
    return choose_inputs(series, settings, Split.of(series.axis, settings), season)


def test_the_rule_with_the_lowest_error_is_chosen():
    t = np.arange(120)
    noise = np.random.default_rng(0).normal(size=120)
    assert chosen(series_of(noise.cumsum()), season=12).rule == "persistence"
    assert chosen(series_of(10 * np.sin(t * np.pi / 6) + noise), season=12).rule == "seasonal_naive"
    assert chosen(series_of(10 * np.sin(t * np.pi / 6) + 3 * t + noise), season=12).rule == "seasonal_change"
    assert chosen(series_of(noise), season=12, rule="persistence").rule == "persistence"
    with pytest.raises(ValueError, match="needs a season, and none was found"):
        choose_inputs(series_of(noise), replace(QUICK, rule="seasonal_naive"), Split(60, 80, 120), None)


def test_growth_by_a_factor_is_seen_on_logarithms():
    t = np.arange(120)
    growth = np.exp(0.03 * t + np.sin(t * np.pi / 6) + np.random.default_rng(0).normal(0, 0.05, 120))
    assert chosen(series_of(growth), season=12).transform_.name == "log"
    assert chosen(series_of(growth - growth.mean()), season=12).transform_.name == "none"
    with pytest.raises(ValueError, match=r"transform='log' needs positive values, but row 3 holds -1\.0"):
        chosen(series_of([3, 2, -1] + [5] * 40), season="none", transform="log")


def test_the_window_spans_two_seasons_and_shrinks_with_the_series():
    t = np.arange(200)
    assert chosen(series_of(np.sin(t)), season=12).window == 25
    assert chosen(series_of(np.sin(t)), season=60).window == (200 - 60 - 1) // 3
    assert chosen(series_of(np.sin(t)), season="none").window in (10, 24)
    assert chosen(series_of(np.sin(t[:24])), season="none").window == 7
    assert chosen(series_of(np.sin(t)), season=12, window=5).window == 5


def test_a_season_that_was_found_is_given_up_where_another_cycle_explains_more():
    """A cycle of 9.6 steps nearly repeats after 19: the rule of the season is wrong by a tenth of a cycle."""
    t = np.arange(120)
    cycle = 10 * np.sin(2 * np.pi * t / 9.6) + np.random.default_rng(0).normal(size=120)
    found = [
        choose_inputs(series, replace(QUICK, **options), Split.of(series.axis, QUICK), season).season
        for series, options, season in (
            (series_of(cycle), {}, 19), (series_of(cycle), {"season": 19}, 19), (weekly(), {}, 7),
        )
    ]  # fmt: skip
    assert found == [None, 19, 7]


def test_the_calendar_is_seen_where_the_dates_show_it_twice():
    def cycles(rows, freq):
        return cycles_of(series_of(np.zeros(rows), "2020-01-01", freq).axis)

    assert cycles(800, "D") == ("weekday", "yearday")
    assert cycles(100, "D") == ("weekday",)
    assert cycles(400, "h") == ("hour", "weekday")
    assert cycles(30, "h") == ()
    assert cycles(48, "MS") == ("yearday",)
    assert cycles(48, "YS") == ()
    assert cycles_of(np.arange(1000)) == ()
    assert chosen(weekly(800), season=7, calendar="none").calendar == ()


def test_the_calendar_is_a_point_on_each_circle():
    axis = np.array(["2024-01-01T00", "2024-01-04T12", "2024-07-01T18"], "datetime64[us]")  # A Monday.
    sines, cosines = calendar_of(axis, ("hour", "weekday"))[:, ::2], calendar_of(axis, ("hour", "weekday"))[:, 1::2]
    angles = 2 * np.pi * np.array([[0, 0], [0.5, 0.5], [0.75, 0.75 / 7]])
    np.testing.assert_allclose(sines, np.sin(angles), atol=1e-9)
    np.testing.assert_allclose(cosines, np.cos(angles), atol=1e-9)
    year = calendar_of(np.array(["2023-01-01", "2023-07-02T15"], "datetime64[us]"), ("yearday",))
    np.testing.assert_allclose(year, [[0, 1], [0, -1]], atol=1e-4)


def test_the_model_sees_the_calendar_of_the_step_to_forecast():
    series = weekly(60)
    inputs = chosen(series, season=7, window=3)
    assert inputs.calendar == ("weekday",)
    coming = np.append(series.axis[1:], np.datetime64("2022-03-02"))
    x = inputs.raw(series.values, coming, np.array([58, 59]))
    np.testing.assert_array_equal(x[:, -1, 3:], calendar_of(coming[[58, 59]], ("weekday",)))
    np.testing.assert_array_equal(x[0, -1, 3:], calendar_of(series.axis[[59]], ("weekday",))[0])


def test_inputs_by_hand():
    values = np.array([[1.0, 10], [2, 30], [4, 20], [8, 50], [16, 0]])
    inputs = chosen(series_of(np.random.default_rng(0).normal(size=(60, 2))), season=2, window=2)
    x = inputs.raw(values, None, np.array([3, 4]))
    # Less the last, the step before, the season before; the other column and its change.
    assert x[0].tolist() == [[-4, 2, 3, 20, -10], [0, 4, 6, 50, 30]]
    assert x[1].tolist() == [[-8, 4, 6, 50, 30], [0, 8, 12, 0, -50]]


@pytest.mark.parametrize("transform", ["none", "log", "sqrt"])
@pytest.mark.parametrize("rule", ["persistence", "seasonal_naive", "seasonal_change"])
def test_the_right_outputs_give_the_true_values(rule, transform):
    values = np.exp(np.random.default_rng(0).normal(size=(60, 1)))
    inputs = chosen(series_of(values), season=4, rule=rule, transform=transform, horizon=3)
    origins = np.arange(inputs.reach - 1, 57)
    forecast = inputs.restore(inputs.combine(inputs.targets(values, origins), values, origins))
    true = np.lib.stride_tricks.sliding_window_view(values[:, 0], 3)[origins + 1]
    np.testing.assert_allclose(forecast, true, rtol=1e-12)
    again = inputs_from_dict(json.loads(json.dumps(inputs.to_dict())), 3)
    np.testing.assert_array_equal(again.windows(values, None, origins), inputs.windows(values, None, origins))
    zeros = inputs.restore(inputs.combine(np.zeros((len(origins), 3)), values, origins))
    naives = naive(rule, inputs.transform(values[:, 0]), origins, 4, 3)
    np.testing.assert_allclose(zeros, inputs.restore(naives), rtol=1e-12)


def test_values_below_the_floor_of_a_logarithm_stay_finite():
    inputs = chosen(series_of(np.exp(np.sin(np.arange(60)))), season="none", transform="log")
    assert np.isfinite(inputs.transform(np.array([0.0, -5.0]))).all()
    assert np.isfinite(inputs.restore(np.array([1e6, -1e6]))).all()


def test_an_untrained_model_forecasts_the_rule():
    series = weekly()
    training = train(series, replace(QUICK, epochs=1, learning_rate=1e-12, refit=False), verbose=0)
    forecasts = training.tested.over(series, training.split.test)
    inputs = training.tested.inputs
    assert isinstance(inputs, RuleInputs)
    expected = inputs.restore(
        naive(inputs.rule, inputs.transform(series.values[:, 0]), np.arange(forecasts.first - 1, 139), 7, 1)
    )
    np.testing.assert_allclose(forecasts.predicted, expected, atol=1e-5)


# Intervals.


def test_quantiles_are_those_of_conformal_prediction():
    scores = np.arange(1.0, 20)[:, None]  # 19 of them: 80 % of 20 is the 16th, 95 % the 19th.
    assert quantiles(scores, (80, 95, 99)).tolist() == [[16], [19], [19]]


def test_intervals_cover_new_values_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        intervals = Intervals.fit(rng.normal(size=(40, 1)), (80.0,))
        covered.append(np.abs(rng.normal(size=50)) <= intervals.widths[0, 0])
    assert 0.79 < np.mean(covered) < 0.82


def test_quantiles_of_weighted_scores_by_hand():
    """Sum 4, sum of squares 6: the new one weighs 1.5. The weights' middles are at 0.5, 1.5 and 3, and 0.75 higher."""
    scores, weights = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, 1.0, 2.0])
    at = np.array([1.25, 2.25, 3.75]) / 5.5
    levels = tuple(100 * np.append(at, (at[1] + at[2]) / 2))
    np.testing.assert_allclose(quantiles(scores, levels, weights)[:, 0], [1, 2, 3, 2.5])
    np.testing.assert_allclose(quantiles(scores[::-1], levels, weights[::-1])[:, 0], [1, 2, 3, 2.5])


def test_intervals_follow_errors_that_grow():
    """The last quarter is four times as large. Of all errors together, a quarter would stand for it."""
    errors = np.random.default_rng(0).normal(size=(400, 1)) * np.repeat([1.0, 4.0], [300, 100])[:, None]
    intervals = Intervals.fit(errors, (80.0,))
    equal = quantiles(np.abs(errors), (80.0,))[0, 0]
    last = quantiles(np.abs(errors[300:]), (80.0,))[0, 0]
    assert equal < 0.6 * last
    assert 0.7 * last < intervals.widths[0, 0] < last


def test_intervals_widen_where_the_rule_has_failed():
    """The noise grows to the tenfold: intervals of one width would cover far too little at the end."""
    rng, t = np.random.default_rng(0), np.arange(600)
    values = np.sin(t / 20) + rng.normal(size=600) * np.linspace(0.1, 1, 600)
    settings = replace(QUICK, units=4, epochs=3, transform="none", season="none", refit=False)
    training = train(series_of(values), settings, verbose=0)
    assert 0.7 < training.metrics["coverage"]["80"] < 0.9
    bounds = training.tested.over(series_of(values)).bounds
    width = (bounds["upper_80"] - bounds["lower_80"])[:, 0]
    assert width[-100:].mean() > 3 * width[:100].mean()


def test_a_spread_is_that_of_the_rule_s_errors_in_the_window():
    inputs = chosen(series_of(np.random.default_rng(0).normal(size=60)), season=2, window=3, rule="seasonal_naive")
    values = np.array([[0.0], [1], [2], [4], [8], [16]])
    alike = replace(inputs, spread_=Spread.from_dict(None))
    found = [each.spread(values, np.array([4, 5])) for each in (alike, inputs)]
    np.testing.assert_allclose(found[0] - 0.1 * inputs.scale, [np.sqrt((9 + 36) / 2), np.sqrt((36 + 144) / 2)])
    first, last = 0.5 ** (np.array([1, 0]) / 3) / (1 + 0.5 ** (1 / 3))
    expected = [np.sqrt(9 * first + 36 * last), np.sqrt(36 * first + 144 * last)]
    np.testing.assert_allclose(found[1] - 0.2 * inputs.scale, expected)


def test_a_run_keeps_how_its_spread_is_computed():
    inputs = chosen(series_of(np.random.default_rng(0).normal(size=60)), season=2, window=3)
    other = replace(inputs, spread_=Spread(5.0, 0.3))
    assert inputs_from_dict(other.to_dict(), 1).to_dict() == other.to_dict()
    early = inputs.to_dict()
    del early["spread"]  # As in November 2026.
    assert inputs_from_dict(early, 1).spread_ == Spread(None, 0.1)
    for wrong, message in (({"half_life": 0}, "half-life"), ({"least": -1}, "least"), ({"x": 1}, "x")):
        with pytest.raises((ValueError, TypeError), match=message):
            inputs_from_dict(inputs.to_dict() | {"spread": wrong}, 1)


@pytest.fixture(scope="module")
def trained():
    series = weekly()
    return series, train(series, replace(QUICK, epochs=20, ensemble=3), verbose=0)


def test_a_report_tells_the_measured_coverage(trained):
    series, training = trained
    coverage = training.metrics["coverage"]
    assert set(coverage) == {"80", "95"}
    forecasts = training.tested.over(series, training.split.test)
    inside = (forecasts.bounds["lower_80"] <= forecasts.true) & (forecasts.true <= forecasts.bounds["upper_80"])
    assert coverage["80"] == inside.mean() > 0.5
    assert f"{100 * coverage['80']:.1f} % in the 80 % interval" in report.sentence(training.metrics)


def test_intervals_beyond_the_horizon_begin_as_those_of_one_step(trained):
    series, training = trained
    predicted, bounds = ahead(training.forecaster, series, 30)
    one, first = ahead(training.forecaster, series, 1)
    assert predicted[0] == pytest.approx(one[0])
    assert bounds["upper_95"][0] == pytest.approx(first["upper_95"][0])
    assert (bounds["upper_95"] >= bounds["upper_80"]).all()
    assert (bounds["lower_80"] <= predicted).all()


def test_without_levels_there_are_no_intervals():
    training = train(weekly(), replace(QUICK, interval="none", refit=False), verbose=0)
    assert "coverage" not in training.metrics
    assert ahead(training.forecaster, weekly(), 3)[1] == {}


# The model for use.


def test_predict_uses_all_rows_and_evaluate_the_tested_model(trained, tmp_path):
    series, training = trained
    run.save(tmp_path, *trained)
    loaded = run.load(tmp_path)
    assert len(training.members) == 6
    assert loaded.note.startswith("predict uses the model of all 140 rows; the errors of `numlstm evaluate`")
    for ours, theirs in ((loaded.forecaster, training.final), (loaded.tested, training.tested)):
        assert ours.inputs.to_dict() == theirs.inputs.to_dict()
        np.testing.assert_array_equal(ahead(ours, series, 3)[0], ahead(theirs, series, 3)[0])
    again = loaded.evaluate(None)
    assert again == {name: training.metrics[name] for name in again}
    assert again["fitted_rows"] == 112
    whole = train(series, replace(QUICK, epochs=20, ensemble=3, test_fraction=0.0), verbose=0)
    np.testing.assert_array_equal(ahead(whole.tested, series, 5)[0], ahead(training.final, series, 5)[0])


def test_a_refit_that_fails_does_not_cost_the_tested_model():
    values = weekly().values.copy()
    values[130] = 1e200
    with np.errstate(all="ignore"):
        training = train(replace(weekly(), values=values), QUICK, verbose=0)
    assert training.failure == "training once more on all rows failed: the values are too large to be scaled"
    assert training.final is None
    assert not training.metrics["interrupted"]
    assert np.isfinite(ahead(training.forecaster, weekly(), 2)[0]).all()


def test_a_loaded_run_forecasts_a_frame_a_file_and_its_own_data(trained, tmp_path):
    series, training = trained
    run.save(tmp_path, *trained)
    loaded = load(str(tmp_path))
    frame = pd.DataFrame({"date": series.axis, "a": series.values[:, 0], "other": "x"})
    frame.to_csv(tmp_path / "new.csv", index=False)
    own = loaded.forecast(steps=12)
    assert list(own.columns) == ["predicted", "lower_80", "upper_80", "lower_95", "upper_95"]
    assert own.index.name == "date"
    assert own.index[0] == pd.Timestamp("2022-05-21")
    np.testing.assert_array_equal(own["predicted"], ahead(training.final, series, 12)[0])
    texts = frame.assign(date=frame["date"].astype(str))
    for data in (frame, frame.set_index("date"), texts, str(tmp_path / "new.csv"), tmp_path / "new.csv"):
        pd.testing.assert_frame_equal(loaded.forecast(data, steps=12), own, check_exact=True)
    zoned = frame.assign(date=frame["date"].dt.tz_localize("UTC"))
    assert len(loaded.forecast(zoned)) == 1
    shifted = frame.assign(a=frame["a"] + 100)
    assert loaded.forecast(shifted, steps=1)["predicted"].iloc[0] > own["predicted"].iloc[0] + 50


def test_frames_that_do_not_fit_are_refused(trained, tmp_path):
    run.save(tmp_path, *trained)
    loaded, dates = load(tmp_path), weekly().axis
    good = pd.DataFrame({"date": dates, "a": 1.0})
    for frame, message in (
        (good.drop(columns="a"), "has no column 'a'; it has 'date'"),
        (good.drop(columns="date"), "neither a column 'date' nor an index"),
        (good.iloc[::-1], "must increase from row to row"),
        (good.assign(a="x"), "must hold numbers"),
        (good.assign(date="x"), "holds no dates, which the run has"),
        (good.assign(a=np.nan), "is missing"),
        (good.iloc[:5], "has 5 rows, but at least"),
    ):
        with pytest.raises(ValueError, match=message):
            loaded.forecast(frame)
    with pytest.raises(TypeError, match=r"must be a pandas\.DataFrame or the path"):
        loaded.forecast([1, 2])


def test_a_run_that_holds_nothing_out_has_no_report(tmp_path):
    training = train(weekly(), replace(QUICK, test_fraction=0.0), verbose=0)
    assert training.final is None
    assert training.unmeasured is None
    assert "rmse" not in training.metrics
    assert training.metrics["out_of_fold_rmse"] > 0
    run.save(tmp_path, weekly(), training)
    loaded = run.load(tmp_path)
    assert loaded.note is None
    with pytest.raises(ValueError, match="held nothing out"):
        loaded.evaluate(None)
    loaded.draw(tmp_path / "p.png")


def test_other_data_without_dates_is_refused_where_the_calendar_is_seen(trained):
    _, training = trained
    with pytest.raises(ValueError, match="has no dates, but the model of this run sees the calendar"):
        training.forecaster.over(series_of(np.ones(60)))


def test_short_series_are_learned_or_refused_in_one_sentence():
    def short(rows):
        return series_of(np.sin(np.arange(rows)) + np.arange(rows))

    for rows in (17, 20, 30):
        assert train(short(rows), replace(REAL, epochs=1), verbose=0).metrics["rmse"] > 0
    for rows in (6, 10, 14):
        with pytest.raises(ValueError, match="give more rows"):
            train(short(rows), replace(REAL, epochs=1), verbose=0)


# Interruptions.


class Killed(BaseException):
    """Ends a training as a kill does: nothing handles it."""


def ending_after(steps, error, monkeypatch):
    begin, taken = optimizers.Adam.begin, []

    def end(self):
        taken.append(None)
        if len(taken) == steps:
            raise error
        begin(self)

    monkeypatch.setattr(optimizers.Adam, "begin", end)


SERIES = weekly(100)
RESUMED = replace(QUICK, epochs=3, ensemble=3)


@pytest.fixture(scope="module")
def whole():
    return train(SERIES, RESUMED, verbose=0)


def assert_same(ours, theirs):
    assert ours.history == theirs.history
    for one, other in ((ours.tested, theirs.tested), (ours.final, theirs.final)):
        assert one.intervals.to_dict() == other.intervals.to_dict()
        for weights, expected in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, expected)


@pytest.mark.parametrize("steps", [3, 8, 15, 21, 25, 31])
def test_an_ensemble_that_was_killed_goes_on_to_the_same_bits(tmp_path, monkeypatch, whole, steps):
    """Six models, of five or six steps each: it is killed in the first, in the second, and so on."""
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", 1)
    with monkeypatch.context() as patched:
        ending_after(steps, Killed(), patched)
        with pytest.raises(Killed):
            train(SERIES, RESUMED, 0, checkpoint)
    assert_same(train(SERIES, RESUMED, 0, checkpoint), whole)


@pytest.mark.parametrize("steps", [10, 27])
def test_a_signal_leaves_the_models_until_then(tmp_path, monkeypatch, whole, steps):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", 1)
    with monkeypatch.context() as patched:
        ending_after(steps, KeyboardInterrupt, patched)
        stopped = train(SERIES, RESUMED, 0, checkpoint)
    assert stopped.signal == signal.SIGINT
    assert stopped.final is None  # Not all of its models are there.
    assert stopped.metrics["interrupted"]
    assert stopped.metrics["members"] == (2 if steps == 10 else 3)
    assert stopped.metrics["rmse"] > 0
    run.save(tmp_path, SERIES, stopped)
    note = "predict uses the model of the first 80 rows: the training on all rows did not end"
    assert run.load(tmp_path).note == note
    assert_same(train(SERIES, RESUMED, 0, checkpoint), whole)


def test_other_data_are_not_gone_on_with(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", 1)
    with monkeypatch.context() as patched:
        ending_after(10, Killed(), patched)
        with pytest.raises(Killed):
            train(SERIES, RESUMED, 0, checkpoint)
    changed = SERIES.values.copy()
    changed[-1] += 1
    with pytest.raises(ValueError, match=r"put its data\.csv and config\.json back"):
        train(replace(SERIES, values=changed), RESUMED, 0, checkpoint)


def test_a_device_that_fails_in_a_later_model_leaves_those_before(monkeypatch):
    ending_after(10, DeviceError("the GPU failed: lost"), monkeypatch)
    lost = train(SERIES, RESUMED, 0)
    assert lost.failure == "the GPU failed: lost"
    assert lost.final is None
    assert lost.metrics["members"] == 2
    assert lost.metrics["rmse"] > 0
