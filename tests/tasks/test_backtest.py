"""The evaluation on several folds: their borders, their scores, and what a forecast must not see."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from numlstm import optimizers, plot
from numlstm.backend import DeviceError
from numlstm.data import Series
from numlstm.data.panel import panel_of
from numlstm.tasks import load
from numlstm.tasks.forecast import backtest as module
from numlstm.tasks.forecast import run
from numlstm.tasks.forecast.backtest import Backtest, MeasuredFold, backtest, spans_of
from numlstm.tasks.forecast.backtest_report import BacktestReport
from numlstm.tasks.forecast.fitted import Forecasts
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import Result, train

QUICK = replace(REAL, units=3, epochs=2, ensemble=2, device="cpu")


def weekly(rows=140, seed=0):
    t = np.arange(rows)
    values = 50 + 0.1 * t + 8 * np.sin(2 * np.pi * t / 7) + np.random.default_rng(seed).normal(0, 1, rows)
    axis = pd.date_range("2022-01-01", periods=rows, freq="D").to_numpy("datetime64[us]")
    return Series("s", "date", axis, ("a",), values[:, None], np.arange(1, rows + 1))


SERIES = weekly()


@pytest.fixture(scope="module")
def trained():
    return train(SERIES, QUICK, verbose=0)


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    run.save(place, SERIES, trained)
    return place


@pytest.fixture(scope="module")
def refitted():
    """Three folds of nine rows, two steps ahead."""
    return backtest(SERIES, replace(QUICK, horizon=2), 3, refit=True)


# Folds.


@pytest.mark.parametrize(
    ("first", "folds", "horizon", "borders"),
    [
        (80, 1, 1, [80, 100]),
        (80, 2, 10, [80, 90, 100]),
        (80, 3, 1, [82, 88, 94, 100]),  # Two rows that do not divide stay before the first fold.
        (97, 3, 1, [97, 98, 99, 100]),
    ],
)
def test_folds_are_of_equal_length_at_the_end(first, folds, horizon, borders):
    assert spans_of(first, 100, folds, horizon) == list(map(slice, borders, borders[1:]))


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (0, "folds must be a whole number from 1 on, not 0"),
        (-3, "folds must be a whole number from 1 on, not -3"),
        (3, "3 folds of the 20 held-out rows have 6 each, but the horizon is 7: give at most 2, or hold more rows out"),
    ],
)
def test_folds_that_are_none_or_too_short_are_refused(folds, message):
    with pytest.raises(ValueError, match=message):
        spans_of(80, 100, folds, 7)


@pytest.mark.parametrize(
    ("settings", "first"), [({}, 112), ({"test_from": "2022-05-01"}, 120), ({"test_fraction": 0.0}, 112)]
)
def test_folds_share_the_held_out_part_or_else_the_last_fifth(settings, first):
    found = backtest(SERIES, replace(QUICK, **settings), 2)
    assert [fold.span for fold in found.folds] == [slice(first, (first + 140) // 2), slice((first + 140) // 2, 140)]
    assert [fold.fitted for fold in found.folds] == [first, first]


def test_every_origin_whose_targets_lie_in_the_fold_is_forecast_from(refitted):
    target = SERIES.values[:, 0]
    for fold, start in zip(refitted.folds, (113, 122, 131), strict=True):
        assert (fold.span, fold.forecasts.first) == (slice(start, start + 9), start)
        np.testing.assert_array_equal(fold.forecasts.last, target[start - 1 : start + 7])
        np.testing.assert_array_equal(fold.forecasts.true[0], target[start : start + 2])
        np.testing.assert_array_equal(fold.forecasts.true[-1], target[start + 7 : start + 9])


# Scores.


def made(errors, scale, rival, inside=True):
    """A fold whose forecasts are off by these errors [M, H], and its rival by a number everywhere."""
    errors = np.asarray(errors, dtype=float)
    true = np.full_like(errors, 10)
    bounds = {"lower_80": true - 1, "upper_80": true + (1 if inside else -0.5)}
    others = {"persistence": true + rival, "drift": true}
    forecasts = Forecasts(0, true, true + errors, others, "persistence", true[:, 0], bounds)
    return MeasuredFold(slice(0, len(errors)), 5, None, scale, forecasts)


def one_of(*folds):
    return Backtest(panel_of(SERIES), False, [list(folds)])


def test_scores_by_hand():
    found = one_of(made([[1], [-3]], 2, 5), made([[-1], [1]], 4, 1, inside=False))
    first, second, whole = found.scores(0), found.scores(1), found.scores()
    assert first.rmse == pytest.approx(5**0.5)
    assert (first.mae, first.mase, first.rival_rmse) == (2, 1, 5)
    assert first.rmse_ratio == pytest.approx(5**0.5 / 5)
    assert (second.mase, second.rmse_ratio) == (0.25, 1)
    assert (whole.mae, whole.mase) == (1.5, 0.625)
    assert whole.rmse == pytest.approx(3**0.5)
    assert whole.rival_rmse == pytest.approx(13**0.5)
    assert [each.coverage for each in (first, second, whole)] == [{"80": 1}, {"80": 0}, {"80": 0.5}]


def test_steps_have_scores_of_their_own():
    found = one_of(made([[1, 2], [1, 4]], 2, 5), made([[3, 2], [3, 4]], 1, 5))
    one, two = found.scores(step=0), found.scores(step=1)
    assert (one.mae, one.mase) == (2, 1.75)
    assert (two.mae, two.mase) == (3, 2.25)
    assert found.scores(1, 0).mae == 3


def test_what_is_exact_has_no_ratio():
    scores = one_of(made([[1]], 0, 0)).scores()
    assert (scores.mase, scores.rmse_ratio, scores.mae) == (None, None, 1)


@pytest.mark.parametrize(("season", "lag"), [("none", 1), (7, 7)])
def test_mase_is_scaled_by_the_naive_rule_on_the_rows_of_the_training(season, lag):
    found = backtest(SERIES, replace(QUICK, season=season), 2, refit=True)
    target = SERIES.values[:, 0]
    for number, fold in enumerate(found.folds):
        known = [target[t] for t in range(fold.span.start)]
        expected = sum(abs(known[t] - known[t - lag]) for t in range(lag, len(known))) / (len(known) - lag)
        assert fold.scale == pytest.approx(expected)
        assert fold.season == (None if lag == 1 else lag)
        assert found.scores(number).mase == pytest.approx(found.scores(number).mae / expected)


# A run, which is not trained.


def test_one_fold_of_a_run_is_its_evaluation(folder):
    loaded = load(folder)
    report, evaluated = loaded.backtest(1).metrics(), loaded.evaluate(None)
    fold = report["folds"][0]
    for name in ("rmse", "mae", "coverage", "rival", "origins", "fitted_rows"):
        assert fold[name] == evaluated[name], name
    assert fold["rival_rmse"] == evaluated[f"{evaluated['rival']}_rmse"]
    assert fold["rmse_ratio"] == pytest.approx(evaluated["rmse_ratio"])
    assert (fold["from"], fold["to"], fold["rows"]) == ("2022-04-23", "2022-05-20", 28)


def test_folds_of_a_run_are_parts_of_its_evaluation_and_nothing_is_trained(folder, trained, monkeypatch):
    monkeypatch.setattr(module, "train", None)
    found = load(folder).backtest(4).result
    whole = trained.tested.over(SERIES, 112)
    np.testing.assert_array_equal(np.concatenate([fold.forecasts.predicted for fold in found.folds]), whole.predicted)
    assert found.scores().rmse == pytest.approx(measure(whole)["rmse"])


def test_a_file_is_trained_once_as_a_run_is(trained):
    told = []
    found = backtest(SERIES, QUICK, 4, tell=told.append)
    expected = trained.tested.over(SERIES, 112).predicted
    np.testing.assert_array_equal(np.concatenate([fold.forecasts.predicted for fold in found.folds]), expected)
    assert told == ["training on 112 rows"]


def test_a_run_that_held_nothing_out_is_refused_or_trained(folder, tmp_path):
    run.save(tmp_path, SERIES, train(SERIES, replace(QUICK, test_fraction=0.0), verbose=0))
    loaded = load(tmp_path)
    with pytest.raises(ValueError, match="held nothing out, so its model has seen every fold: give refit=True"):
        loaded.backtest(2)
    ours, theirs = loaded.backtest(2, refit=True), load(folder).backtest(2, refit=True)
    assert ours.metrics() == theirs.metrics()


# What a forecast must not see.


def spoilt(start):
    """The series with other values from a row on."""
    values = SERIES.values.copy()
    values[start:] = np.random.default_rng(1).normal(1e3, 1e3, values[start:].shape)
    return replace(SERIES, values=values)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_fold_and_later_ones_change_nothing_that_was_chosen_or_learned_for_it(refitted, number):
    start = refitted.folds[number].span.start
    blind = backtest(spoilt(start), replace(QUICK, horizon=2), 3, refit=True)
    for fold in range(number):
        assert refitted.scores(fold) == blind.scores(fold)
    ours, theirs = refitted.folds[number], blind.folds[number]
    assert (ours.season, ours.scale, ours.forecasts.best) == (theirs.season, theirs.scale, theirs.forecasts.best)
    np.testing.assert_array_equal(ours.forecasts.predicted[0], theirs.forecasts.predicted[0])
    for name, bound in ours.forecasts.bounds.items():
        np.testing.assert_array_equal(bound[0], theirs.forecasts.bounds[name][0])
    assert refitted.scores(number).rmse != blind.scores(number).rmse


def test_later_folds_change_nothing_of_a_single_training():
    ours, theirs = (backtest(series, QUICK, 3) for series in (SERIES, spoilt(122)))
    assert ours.scores(0) == theirs.scores(0)
    assert ours.scores(1) != theirs.scores(1)


def test_refit_repeats_the_procedure_on_all_rows_before_each_fold(refitted):
    for fold, date in zip(refitted.folds, ("2022-04-24", "2022-05-03", "2022-05-12"), strict=True):
        settings = replace(QUICK, horizon=2, refit=False, test_from=date)
        training = train(SERIES.take(slice(fold.span.stop)), settings, verbose=0)
        assert training.split.test == fold.fitted == fold.span.start
        expected = training.tested.over(SERIES, fold.span.start)
        np.testing.assert_array_equal(fold.forecasts.predicted, expected.predicted[:8])
        assert fold.forecasts.best == expected.best


# Endings.


def ending_after(steps, error, monkeypatch):
    begin, taken = optimizers.Adam.begin, []

    def end(self):
        taken.append(None)
        if len(taken) == steps:
            raise error
        begin(self)

    monkeypatch.setattr(optimizers.Adam, "begin", end)


@pytest.mark.parametrize("steps", [1, 4, 12])
def test_a_signal_ends_it(monkeypatch, steps):
    """Eight steps for each fold: it comes before anything was learned, in the first fold and in the second."""
    ending_after(steps, KeyboardInterrupt, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        backtest(SERIES, QUICK, 3, refit=True)


def test_a_training_that_fails_ends_it(monkeypatch):
    values = SERIES.values.copy()
    values[115] = 1e200
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="the values are too large to be scaled"):
        backtest(replace(SERIES, values=values), QUICK, 2, refit=True)
    ending_after(12, DeviceError("the GPU failed: lost"), monkeypatch)
    with pytest.raises(ValueError, match="the training on 122 rows failed: the GPU failed: lost"):
        backtest(SERIES, QUICK, 3, refit=True)


def test_errors_that_cannot_be_squared_are_refused():
    values = SERIES.values.copy()
    values[130] = 1e200
    found = backtest(replace(SERIES, values=values), QUICK, 2)
    assert found.scores(0).rmse > 0
    with pytest.raises(ValueError, match="too large to be squared"):
        BacktestReport(found).text()


# The report.


def test_forecasts_are_rows(refitted):
    table = BacktestReport(refitted).forecasts()
    rows = list(table.rows)
    assert table.header == (
        "fold", "origin", "step", "date", "a", "predicted", "lower_80", "upper_80", "lower_95", "upper_95"
    )  # fmt: skip
    assert len(rows) == 3 * 8 * 2
    assert rows[1][:5] == (1, "2022-04-23", 2, "2022-04-25", SERIES.values[114, 0])
    assert rows[-1][:4] == (3, "2022-05-18", 2, "2022-05-20")
    assert float(rows[-1][5]) == pytest.approx(refitted.folds[2].forecasts.predicted[-1, 1])


def test_a_table_has_folds_all_of_them_and_steps(refitted):
    lines = BacktestReport(refitted).text().splitlines()
    assert lines[0] == "s: a, 3 folds of 9 rows, 1 to 2 steps ahead from every origin"
    assert lines[1] == "trained for every fold on 113 to 131 rows; mase scaled by the seasonal naive rule there"
    assert lines[4].split(maxsplit=6)[:6] == ["fold", "from", "to", "rows", "rmse", "mase"]
    assert lines[4].split()[6:] == ["in", "80", "%", "in", "95", "%", "rmse", "ratio", "rival"]
    assert lines[5].split()[:5] == ["1", "2022-04-24", "2022-05-02", "9", f"{refitted.scores(0).rmse:#.4g}"]
    assert lines[8].split()[:4] == ["all", "2022-04-24", "2022-05-20", "27"]
    assert [line.split()[0] for line in lines[10:]] == ["step", "1", "2"]


def test_a_constant_series_and_one_without_intervals_have_a_report(tmp_path):
    flat = replace(SERIES, values=np.full((140, 1), 5.0))
    report = BacktestReport(backtest(flat, replace(QUICK, interval="none"), 2))
    assert json.loads(json.dumps(report.metrics(), allow_nan=False))["all"]["mase"] is None
    assert " - " in report.text()
    report.draw(tmp_path / "flat.png")


@pytest.mark.parametrize(
    ("rows", "horizon", "folds", "panels"),
    [
        (60, 1, 3, 1),
        (60, 7, 3, 1),
        (600, 1, 4, 4),  # Too many rows for one panel.
        (240, 3, 2, 2),  # Fans that would be too narrow in one.
        (1200, 2, 13, 12),
    ],
)
def test_a_picture_has_one_panel_or_one_for_each_fold(tmp_path, trained, monkeypatch, rows, horizon, folds, panels):
    series, drawn = weekly(rows + 100), []
    forecaster = trained.tested if horizon == 1 else train(SERIES, replace(QUICK, horizon=horizon), 0).tested
    settings = replace(QUICK, horizon=horizon)
    found = backtest(series, settings, folds, tested=[Result(forecaster, None, Split(100, 100, len(series)))])
    save = plot.save
    monkeypatch.setattr(
        "numlstm.tasks.forecast.backtest_picture.save", lambda figure, path: (drawn.append(figure), save(figure, path))
    )
    BacktestReport(found).draw(tmp_path / "folds.png")
    assert (tmp_path / "folds.png").read_bytes().startswith(b"\x89PNG")
    shown = [panel for panel in drawn[0].axes if panel.get_visible()]
    assert len(shown) == panels
    borders = [line for panel in shown for line in panel.lines if line.get_linestyle() == ":"]
    assert len(borders) == min(folds, 12)
