"""Recursive forecasts of several targets, which are values of each other."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.data import Series
from numlstm.data.panel import Panel, panel_of
from numlstm.tasks import load
from numlstm.tasks.forecast import run
from numlstm.tasks.forecast.ahead import ahead, ahead_together
from numlstm.tasks.forecast.backtest import backtest
from numlstm.tasks.forecast.folds import contiguous
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.member import Shape, make_model
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.train import train

QUICK = replace(REAL, units=3, epochs=3, ensemble=2, horizon=4, strategy="recursive", transform="none", device="cpu")
OPTIONS = (
    "--strategy", "recursive", "--horizon", "3", "--units", "3", "--epochs", "2", "--ensemble", "2", "--device", "cpu",
    "--no-plot",
)  # fmt: skip


def pair(rows=140, seed=0, future=False):
    """A week, and a column that is what the week was three steps before; one model of both."""
    t = np.arange(rows)
    noise = np.random.default_rng(seed).normal(0, 1, (3, rows))
    week = 50 + 8 * np.sin(2 * np.pi * t / 7) + noise[0].cumsum()
    values = np.stack([week, 100 - np.roll(week, 3) + noise[1], noise[2]], axis=1)
    axis = pd.date_range("2022-01-01", periods=rows).to_numpy("datetime64[us]")
    series = Series("s", "date", axis, ("a", "b", "x"), values, t + 1)
    if future:
        after = replace(series.take(slice(rows - 12, None)), columns=("x",), values=values[rows - 12 :, 2:])
        series = replace(series.take(slice(rows - 12)), coming=after)
    else:
        series = replace(series, columns=("a", "b"), values=values[:, :2])
    return panel_of(series).of_targets(2)


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "future"])
def trained(request):
    panel = pair(future=request.param)
    return panel, train(panel, QUICK, verbose=0)


def by_hand(forecasters, panel, origin, steps):
    """One step of both targets after another: their forecasts are appended to the values as the next row."""
    ones = [replace(each, intervals=None, blocks=1, beside=()) for each in forecasters]
    first = panel.series[0]
    later = first.values[origin + 1 :, 2:]
    later = np.concatenate([later, np.zeros((12, 0)) if first.coming is None else first.coming.values])
    axis = np.append(first.axis, first.next_axis(12))
    known, found = first.take(slice(origin + 1)), []
    for step in range(steps):
        if first.coming is not None:
            coming = replace(known.coming, axis=axis[len(known) :][:1], values=later[step : step + 1])
            known = replace(known, coming=coming)
        both = [known, known.ordered(panel.series[1].columns)]
        found.append([point[0] for point, _ in ahead_together(ones, both, 1)])
        values = np.concatenate([known.values, [[*found[-1], *later[step]]]])
        known = replace(known, values=values, axis=axis[: len(known) + 1])
    return np.array(found).T


def test_a_recursion_is_a_loop_over_forecasts_of_one_step_of_all_targets(trained):
    panel, training = trained
    forecasters = [each.tested for each in training.results]
    rows = len(panel.series[0])
    over = [each.over(series) for each, series in zip(forecasters, panel, strict=True)]
    for k in (0, 50, len(over[0].predicted) - 1):
        expected = by_hand(forecasters, panel, over[0].first - 1 + k, 4)
        np.testing.assert_allclose([each.predicted[k] for each in over], expected, rtol=1e-5)
    together = ahead_together(forecasters, panel.series, 9)
    expected = by_hand(forecasters, panel, rows - 1, 9)
    np.testing.assert_allclose([points for points, _ in together], expected, rtol=1e-5)
    np.testing.assert_array_equal(ahead(forecasters[1], panel.series[1], 9)[0], together[1][0])


def test_no_forecast_sees_values_after_its_origin(trained):
    panel, training = trained
    origin = 100
    later = np.arange(len(panel.series[0])) > origin
    changed = panel.map(lambda series: replace(series, values=np.where(hidden(series, later), 1e6, series.values)))
    for before, after, result in zip(panel, changed, training.results, strict=True):
        at = origin + 1 - result.tested.reach
        seen, blind = (result.tested.over(series).predicted for series in (before, after))
        np.testing.assert_array_equal(blind[at], seen[at])
        assert (blind[at + 1] != seen[at + 1]).all()


def hidden(series, later):
    return later[:, None] & ~np.isin(series.columns, series.future)


def test_nothing_that_was_learned_uses_a_held_out_value():
    panel = pair()
    split = train(panel, replace(QUICK, refit=False, epochs=1), verbose=0).results[0].split
    later = np.arange(140) >= split.test
    changed = panel.map(lambda series: replace(series, values=np.where(hidden(series, later), 1e3, series.values)))
    one, other = (train(each, replace(QUICK, refit=False, epochs=1), verbose=0) for each in (panel, changed))
    for before, after in zip(one.results, other.results, strict=True):
        assert before.tested.inputs.to_dict() == after.tested.inputs.to_dict()
        np.testing.assert_array_equal(before.tested.intervals.widths, after.tested.intervals.widths)
    for before, after in zip(one.members, other.members, strict=True):
        assert all(map(np.array_equal, before.weights, after.weights))


def test_intervals_are_of_recursive_forecasts_of_what_a_model_has_not_learned():
    panel = pair()
    training = train(panel, replace(QUICK, refit=False), verbose=0)
    test = training.results[0].split.test
    for place, series in enumerate(panel):
        tested = training.results[place].tested
        known, inputs, errors = series.take(slice(test)), tested.inputs, []
        origins = np.arange(tested.reach - 1, test - 1)
        shape = Shape(inputs.window, inputs.features(2), 1, True)
        for member, fold in zip(training.members, contiguous(len(origins), 2, 4), strict=True):
            model = make_model(QUICK, shape, "cpu", 0)
            model.set_weights(member.weights)
            forecasts = replace(tested, intervals=None).with_model(model).over(known)
            part = fold.validation[fold.validation < len(forecasts.true)]
            spread = inputs.spread(known.values, origins[part])[:, None]
            errors.append((forecasts.true[part] - forecasts.predicted[part]) / spread)
        widths = Intervals.fit(np.concatenate(errors), (80.0, 95.0)).widths
        np.testing.assert_allclose(tested.intervals.upto(4), widths, rtol=1e-4)
        assert tested.intervals.widths.shape[1] > 4


def test_a_run_is_read_back_with_what_is_beside_each_target(trained, tmp_path):
    panel, training = trained
    run.save(tmp_path, panel, training)
    loaded = run.load(tmp_path)
    assert [[each.columns[0] for each in one.tested.beside] for one in loaded.runs] == [["b"], ["a"]]
    again, first = loaded.evaluate(None)["series"], training.metrics["series"]
    assert again == {name: {key: first[name][key] for key in found} for name, found in again.items()}
    found = loaded.forecast(steps=9)
    expected = ahead_together([each.final for each in training.results], panel.series, 9)
    for target, (points, bounds) in zip("ab", expected, strict=True):
        np.testing.assert_array_equal(found[f"{target}_predicted"], points)
        np.testing.assert_array_equal(found[f"{target}_upper_80"], bounds["upper_80"])
    loaded.draw(tmp_path / "p.png")


@pytest.mark.parametrize("settings", [{"rule": "none", "ensemble": 1}, {"ensemble": 1}, {"horizon": 20}])
def test_other_settings_train_too(settings):
    panel = pair()
    training = train(panel, replace(QUICK, refit=False, **settings), verbose=0)
    for each, series in zip(training.results, panel, strict=True):
        assert np.isfinite(ahead(each.tested, series, 40)[0]).all()


@pytest.mark.parametrize("refit", [False, True])
def test_a_backtest_feeds_all_targets_back(refit):
    panel = pair()
    settings = replace(QUICK, refit=False, epochs=1)
    found = backtest(panel, settings, folds=2, refit=refit)
    assert [[len(fold.forecasts.true) for fold in each] for each in found.each] == [[11, 11], [11, 11]]
    if not refit:
        over = train(panel, settings, verbose=0).results[1].tested.over(panel.series[1], 112)
        np.testing.assert_allclose(found.each[1][0].forecasts.predicted, over.predicted[:11], rtol=1e-6)


def test_groups_with_several_targets_do_all_that_one_target_does(tmp_path):
    tables = [pair(rows, seed).series[0] for rows, seed in ((140, 0), (150, 1))]
    frames = [pd.DataFrame({"store": name, "date": each.axis, "a": each.values[:, 0], "b": each.values[:, 1]})
              for name, each in zip("UV", tables, strict=True)]  # fmt: skip
    both = pd.concat(frames)
    both.to_csv(tmp_path / "t.csv", index=False)
    place = tmp_path / "run"
    cli("train", tmp_path / "t.csv", "--target", "a,b", "--group", "store", *OPTIONS, "--out", place)
    metrics = json.loads(cli("evaluate", place))
    assert list(metrics["series"]) == ["U, a", "U, b", "V, a", "V, b"]
    assert all(len(each["rmse_by_step"]) == 3 for each in metrics["series"].values())
    found = load(place).forecast(both, steps=6)
    assert np.isfinite(found.to_numpy()).all()
    alone = load(place).forecast(frames[1], steps=6)
    pd.testing.assert_frame_equal(alone.loc["V"], found.loc["V"])
    assert (found["b_lower_95"] < found["b_lower_80"]).all()
    cli("backtest", place, "--folds", 2, "--out", tmp_path / "b.csv")
    measured = pd.read_csv(tmp_path / "b.csv")
    assert list(measured["store"].unique()) == ["U", "V"]
    assert np.isfinite(measured["b_predicted"]).all()
    cli("report", place, "--out", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "There is no forecast" not in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)
    assert "--strategy recursive" in text


def test_a_run_whose_targets_see_unequally_far_is_refused(tmp_path):
    panel = pair()
    run.save(tmp_path, panel, train(panel, replace(QUICK, refit=False, epochs=1), verbose=0))
    config = json.loads((tmp_path / "config.json").read_text())
    config["series"][1]["models"]["model.safetensors"]["inputs"]["season"] = 8
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="its series do not fit each other"):
        run.load(tmp_path)


def test_a_column_that_is_no_target_cannot_be_fed_back():
    series = pair(future=True).series[0]
    panel = Panel("s", (), ((),), (replace(series, coming=None),)).of_targets(2)
    message = "feeds forecasts of 'a', 'b' back, but nothing forecasts 'x': give strategy='direct', or future="
    with pytest.raises(ValueError, match=message):
        train(panel, QUICK, verbose=0)


def cli(*arguments, code=0):
    result = CliRunner().invoke(main, list(map(str, arguments)), prog_name="numlstm")
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout
