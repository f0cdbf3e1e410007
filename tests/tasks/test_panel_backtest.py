"""The evaluation of several series on several folds: one model, and folds at the end of each series."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from numlstm import plot
from numlstm.data import Series
from numlstm.data.panel import Panel
from numlstm.tasks import load
from numlstm.tasks.forecast import backtest as module
from numlstm.tasks.forecast import run
from numlstm.tasks.forecast.backtest import Backtest, MeasuredFold, backtest
from numlstm.tasks.forecast.backtest_report import BacktestReport
from numlstm.tasks.forecast.fitted import Forecasts
from numlstm.tasks.forecast.pooled import naive_scale
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import train

QUICK = replace(REAL, units=3, epochs=2, ensemble=2, device="cpu", horizon=2)
ERRORS = ("rmse", "mae", "rmse_ratio", "coverage", "rival", "origins", "fitted_rows")


def store(name, rows, scale=1.0, start="2022-01-01", columns=("units",)):
    t, rng = np.arange(rows), np.random.default_rng(rows)
    values = scale * (50 + 0.1 * t + 8 * np.sin(2 * np.pi * t / 7) + rng.normal(0, 1, rows))
    table = np.stack(
        [values / (1 + 4 * place) + place * rng.normal(0, scale, rows) for place in range(len(columns))], 1
    )
    axis = pd.date_range(start, periods=rows, freq="D").to_numpy("datetime64[us]")
    return Series(f"sales, store '{name}'", "date", axis, tuple(columns), table, np.arange(1, rows + 1))


def stores(*series):
    return Panel("sales", ("store",), tuple((f"{letter}",) for letter in "ABCDEFGHIJ"[: len(series)]), series)


PANEL = stores(store("A", 140), store("B", 200, 1000.0))
TARGETS = Panel("sales", (), ((),), (store("A", 140, columns=("units", "price")),)).of_targets(2)


@pytest.fixture(scope="module")
def trained():
    return train(PANEL, QUICK, verbose=0)


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    run.save(place, PANEL, trained)
    return place


@pytest.fixture(scope="module")
def refitted():
    return backtest(PANEL, QUICK, 3, refit=True)


@pytest.fixture(scope="module")
def targets():
    return BacktestReport(backtest(TARGETS, QUICK, 2))


# Folds, and what they must not see.


def test_each_series_has_its_folds_at_its_own_end(refitted):
    borders = ((113, 122, 131, 140), (161, 174, 187, 200))
    assert [[fold.span for fold in folds] for folds in refitted.each] == [
        list(map(slice, each, each[1:])) for each in borders
    ]
    assert [[fold.fitted for fold in folds] for folds in refitted.each] == [list(each[:3]) for each in borders]


def spoilt(panel, starts):
    """The panel with other values from a row of each series on."""

    def changed(series, start):
        values = series.values.copy()
        values[start:] = np.random.default_rng(1).normal(1e3, 1e3, values[start:].shape)
        return replace(series, values=values)

    return replace(panel, series=tuple(map(changed, panel, starts)))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_fold_and_later_ones_of_all_series_change_nothing_that_was_learned_for_it(refitted, number):
    blind = backtest(spoilt(PANEL, [folds[number].span.start for folds in refitted.each]), QUICK, 3, refit=True)
    for series in range(2):
        for fold in range(number):
            assert refitted.scores(fold, series=series) == blind.scores(fold, series=series)
        ours, theirs = refitted.each[series][number], blind.each[series][number]
        assert (ours.season, ours.scale, ours.unit) == (theirs.season, theirs.scale, theirs.unit)
        assert ours.forecasts.best == theirs.forecasts.best
        np.testing.assert_array_equal(ours.forecasts.predicted[0], theirs.forecasts.predicted[0])
        for name, bound in ours.forecasts.bounds.items():
            np.testing.assert_array_equal(bound[0], theirs.forecasts.bounds[name][0])
        assert refitted.scores(number, series=series).rmse != blind.scores(number, series=series).rmse


@pytest.mark.parametrize("panel", [PANEL, TARGETS])
def test_later_folds_change_nothing_of_a_single_training(panel):
    ours = backtest(panel, QUICK, 3)
    theirs = backtest(spoilt(panel, [folds[1].span.start for folds in ours.each]), QUICK, 3)
    for series in range(2):
        assert ours.scores(0, series=series) == theirs.scores(0, series=series)
        assert ours.scores(1, series=series) != theirs.scores(1, series=series)
    assert ours.scores(0) == theirs.scores(0)


def test_refit_trains_one_model_as_a_panel_is_trained_before_each_fold():
    """Both series end on one date, so that a date cuts the folds of both."""
    panel, told = stores(store("A", 140), store("B", 120, 9.0, "2022-01-21")), []
    found = backtest(panel, replace(QUICK, test_from="2022-04-23"), 2, refit=True, tell=told.append)
    assert told == [f"fold {fold}/2: training on {rows} rows of 2 series" for fold, rows in ((1, 204), (2, 232))]
    for number, date in enumerate(("2022-04-23", "2022-05-07")):
        spans = [folds[number].span for folds in found.each]
        seen = tuple(series.take(slice(span.stop)) for series, span in zip(panel, spans, strict=True))
        training = train(replace(panel, series=seen), replace(QUICK, refit=False, test_from=date), verbose=0)
        for series, result, folds in zip(seen, training.results, found.each, strict=True):
            expected = result.tested.over(series, result.split.test)
            np.testing.assert_array_equal(folds[number].forecasts.predicted, expected.predicted)


def test_a_group_alone_is_forecast_as_a_series_without_one():
    ours, theirs = backtest(stores(PANEL.series[0]), QUICK, 2), backtest(PANEL.series[0], QUICK, 2)
    assert ours.scores(1, 1, series=0) == theirs.scores(1, 1)


def test_the_group_with_the_fewest_rows_is_named():
    message = (
        r"^sales, store 'A': the held-out part has 28 of the 140 rows, but 15 folds of a horizon of 2 need 30: give at"
        " most 14 folds, hold more rows out, or leave this series out$"
    )
    with pytest.raises(ValueError, match=message):
        backtest(stores(*reversed(PANEL.series)), QUICK, 15)
    with pytest.raises(ValueError, match=r"^folds must be a whole number from 1 on, not 0"):
        backtest(PANEL, QUICK, 0)
    with pytest.raises(ValueError, match=r"^sales, store 'C': the training part has 2 of the 4 rows, but .* need"):
        backtest(stores(*PANEL.series, store("C", 4)), QUICK, 1)


def test_targets_that_are_too_short_are_told_of_as_one_series_is():
    with pytest.raises(ValueError, match=r"^15 folds of the 28 held-out rows have 1 each, but the horizon is 2: give"):
        backtest(TARGETS, QUICK, 15)


# Scores.


def made(errors, scale, rival, unit):
    errors = np.asarray(errors, dtype=float)
    true = np.full_like(errors, 10)
    bounds = {"lower_80": true - 1, "upper_80": true + (1 if unit == 1 else -0.5)}
    forecasts = Forecasts(2, true, true + errors, {"drift": true + rival}, "drift", true[:, 0], bounds)
    return MeasuredFold(slice(2, 2 + len(errors)), 5, None, scale, forecasts, unit)


def test_scores_of_all_series_by_hand():
    found = Backtest(PANEL, False, [[made([[1], [-3]], 2, 5, 1)], [made([[-10], [10]], 40, 10, 10)]])
    first, second, whole = found.scores(series=0), found.scores(series=1), found.scores()
    assert (first.mae, first.mase, first.rival_rmse, first.coverage) == (2, 1, 5, {"80": 1})
    assert (second.mae, second.mase, second.rival_rmse, second.coverage) == (10, 0.25, 10, {"80": 0})
    assert (whole.mae, whole.mase, whole.coverage) == (1.5, pytest.approx(0.625), {"80": 0.5})
    assert whole.rmse == pytest.approx(((1 + 9 + 1 + 1) / 4) ** 0.5)
    assert whole.rmse_ratio == pytest.approx((12 / (25 + 25 + 1 + 1)) ** 0.5)


def test_mase_and_unit_are_of_each_series_own_rows_before_the_fold(refitted):
    for series, folds in zip(PANEL, refitted.each, strict=True):
        for fold in folds:
            known = series.values[: fold.span.start, 0]
            assert fold.scale == pytest.approx(np.mean(np.abs(known[7:] - known[:-7])))
            assert fold.unit == naive_scale(series, Split(1, fold.span.start, len(series)))


def test_mase_of_all_series_is_without_those_whose_rule_is_exact():
    found = Backtest(PANEL, False, [[made([[1], [-3]], 2, 5, 1)], [made([[1]], 0, 5, 1)]])
    assert (found.scores().mase, found.scores(series=1).mase, found.scores().mae) == (1, None, pytest.approx(5 / 3))
    assert "mase scaled by persistence there, without 1 series where it is exact" in BacktestReport(found).text()
    assert Backtest(PANEL, False, [[made([[1]], 0, 5, 1)]] * 2).scores().mase is None


def test_errors_that_cannot_be_squared_are_told_with_the_series():
    values = PANEL.series[1].values.copy()
    values[190] = 1e200
    panel = replace(PANEL, series=(PANEL.series[0], replace(PANEL.series[1], values=values)))
    report = BacktestReport(backtest(panel, QUICK, 2))
    for told in (report.text, report.metrics):
        with pytest.raises(ValueError, match=r"^B: the errors are too large to be squared"):
            told()


# A run, which is not trained.


def test_one_fold_of_a_run_is_its_evaluation(folder, monkeypatch):
    monkeypatch.setattr(module, "train", None)
    loaded = load(folder)
    found, evaluated = loaded.backtest(1).metrics(), loaded.evaluate(None)
    pairs = [(found, evaluated), *((found["series"][name], evaluated["series"][name]) for name in "AB")]
    for report, expected in pairs:
        for name in ERRORS:
            assert report["folds"][0][name] == pytest.approx(expected[name]), name
        assert [step["rmse"] for step in report["by_step"]] == pytest.approx(expected["rmse_by_step"])


def test_a_file_is_trained_once_as_a_run_is(folder):
    assert BacktestReport(backtest(PANEL, QUICK, 4)).metrics() == load(folder).backtest(4).metrics()


def test_a_run_that_held_nothing_out_is_refused_or_trained(folder, tmp_path):
    run.save(tmp_path, PANEL, train(PANEL, replace(QUICK, test_fraction=0.0), verbose=0))
    loaded = load(tmp_path)
    with pytest.raises(ValueError, match="the run sales held nothing out, so its model has seen every fold"):
        loaded.backtest(2)
    assert loaded.backtest(2, refit=True).metrics() == load(folder).backtest(2, refit=True).metrics()


# The report.


def test_a_table_has_folds_steps_and_series(refitted):
    lines = BacktestReport(refitted).text().splitlines()
    assert lines[:4] == [
        "sales: units, 2 series, 3 folds of 9 to 13 rows, 1 to 2 steps ahead from every origin",
        "trained for every fold on 274 to 318 rows; mase scaled by the seasonal naive rule there",
        "rmse ratio: model ÷ rival, the best naive rule of the validation part",
        "rmse of all series: in parts of each series' naive error; by series: in its own units",
    ]
    blocks = "\n".join(lines[5:]).split("\n\n")
    firsts = [[line.split()[0] for line in block.splitlines()] for block in blocks]
    assert firsts == [["fold", "1", "2", "3", "all"], ["step", "1", "2"], ["series", "A", "B"]]
    assert blocks[0].splitlines()[1].split()[1:4] == ["2022-04-24", "2022-06-23", "22"]
    scores = refitted.scores(series=1)
    row = blocks[2].splitlines()[2].split()
    assert row[1:6] == ["2022-06-11", "2022-07-19", "39", f"{scores.rmse:#.4g}", f"{scores.mase:.3f}"]
    assert row[-1] == refitted.each[1][0].forecasts.best


def test_plain_data_have_the_errors_of_each_series_as_of_a_single_one(refitted):
    found = json.loads(json.dumps(BacktestReport(refitted).metrics(), allow_nan=False))
    single = BacktestReport(backtest(PANEL.series[0], QUICK, 3)).metrics()
    assert (found["groups"], found["targets"], found["folds"][0]["rival"]) == (["store"], ["units"], "best_rule")
    assert list(found["series"]) == ["A", "B"]
    for each in (found, *found["series"].values()):
        assert {"folds", "all", "by_step"} <= set(each)
        assert set(each["folds"][0]) == set(single["folds"][0])
    assert [found["series"][name]["folds"][2]["rows"] for name in "AB"] == [9, 13]
    assert (found["folds"][2]["rows"], found["folds"][2]["origins"]) == (22, 8 + 12)


def test_forecasts_are_rows_behind_their_groups(refitted):
    table = BacktestReport(refitted).forecasts()
    rows = list(table.rows)
    assert table.header[:7] == ("store", "fold", "origin", "step", "date", "units", "predicted")
    assert len(rows) == 3 * (8 + 12) * 2
    assert rows[0][:5] == ("A", 1, "2022-04-23", 1, "2022-04-24")
    assert rows[-1][:6] == ("B", 3, "2022-07-17", 2, "2022-07-19", PANEL.series[1].values[-1, 0])


def test_several_targets_are_beside_each_other(targets):
    table = targets.forecasts()
    header, rows = table.header, list(table.rows)
    assert header[:6] == ("fold", "origin", "step", "date", "units", "units_predicted")
    assert header[10:12] == ("price", "price_predicted")
    assert len(rows) == 2 * 13 * 2
    assert [row[10] for row in rows[::2][:13]] == TARGETS.series[1].values[112:125, 0].tolist()
    found = targets.metrics()
    assert (found["groups"], found["targets"], list(found["series"])) == ([], *[["units", "price"]] * 2)
    assert found["folds"][0]["fitted_rows"] == found["series"]["price"]["folds"][0]["fitted_rows"] == 112
    assert (found["folds"][0]["rows"], found["folds"][0]["origins"]) == (14, 26)
    assert targets.text().startswith("sales: units, price, 2 series, 2 folds of 14 rows, 1 to 2 steps")


@pytest.mark.parametrize(
    ("horizon", "rows", "count", "across"),
    [(2, 24, 2, 1), (2, 80, 8, 3), (1, 80, 2, 1), (1, 480, 2, 3)],
)
def test_a_picture_has_a_row_for_each_of_a_few_series(tmp_path, monkeypatch, horizon, rows, count, across):
    """All folds are in one panel of the row, or the last three have their own."""
    length, drawn = rows // 4, []
    panel = stores(*(store(name, 2 + 40 + rows) for name in "ABCDEFGH"[:count]))
    folds = []
    for number in range(4):
        start = 42 + number * length
        errors = np.zeros((length - horizon + 1, horizon))
        folds.append(replace(made(errors, 1, 5, 1), span=slice(start, start + length)))
    save = plot.save
    monkeypatch.setattr(
        "numlstm.tasks.forecast.backtest_picture.save", lambda figure, path: (drawn.append(figure), save(figure, path))
    )
    BacktestReport(Backtest(panel, False, [folds] * count)).draw(tmp_path / "folds.png")
    shown = [each for each in drawn[0].axes if each.get_visible()]
    assert len(shown) == min(count, 6) * across
    assert [each.get_title(loc="left") for each in shown[::across]] == [
        f"{letter}: rmse ratio 0.000" for letter in "ABCDEF"[:count]
    ]
    title = drawn[0].get_suptitle()
    assert title.startswith("sales" + (", the first 6 of 8 series" if count == 8 else "") + ": rmse 0 in parts of each")
    assert title.endswith({1: "", 3: "; the last 3 are shown"}[across] + "; the first 60 rows of each" * (rows == 480))
