"""Forecasts of several steps: all at once, or one after another from the forecasts before."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.data import Series
from numlstm.tasks.fitting import fit_model
from numlstm.tasks.forecast import run
from numlstm.tasks.forecast.ahead import ahead
from numlstm.tasks.forecast.backtest import backtest
from numlstm.tasks.forecast.fitted import FittedForecaster
from numlstm.tasks.forecast.folds import contiguous
from numlstm.tasks.forecast.intervals import Intervals
from numlstm.tasks.forecast.member import Shape, make_model
from numlstm.tasks.forecast.settings import REAL, Settings
from numlstm.tasks.forecast.train import train

QUICK = replace(REAL, units=3, epochs=3, ensemble=3, horizon=4, strategy="recursive", device="cpu")


def weekly(rows=140, seed=0, future=False, past=False, coming=0):
    t = np.arange(rows + coming)
    noise, known = np.random.default_rng(seed).normal(0, 1, (2, rows + coming))
    values = np.stack([50 + 0.1 * t + 8 * np.sin(2 * np.pi * t / 7) + noise + 3 * known, known], axis=1)
    axis, counted = pd.date_range("2022-01-01", periods=rows + coming).to_numpy("datetime64[us]"), t + 1
    series = Series("s", "date", axis, ("y", "x"), values, counted)
    after = replace(series.take(slice(rows, None)), columns=("x",), values=values[rows:, 1:])
    series = series.take(slice(rows))
    if not future and not past:
        return replace(series, columns=("y",), values=series.values[:, :1])
    return replace(series, coming=after) if future else series


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "future"])
def trained(request):
    series = weekly(future=request.param, coming=12)
    return series, train(series, QUICK, verbose=0)


def by_hand(forecaster, series, origin, steps):
    """One step after another: each forecast is appended to the values as the next one."""
    one = replace(forecaster, intervals=None, blocks=1)
    assert one.horizon == 1
    known = series.take(slice(origin + 1))
    later = series.values[origin + 1 :, 1:]
    later = np.concatenate([later, np.zeros((12, 0)) if series.coming is None else series.coming.values])
    axis = np.append(series.axis, series.next_axis(12))
    found = []
    for step in range(steps):
        if series.coming is not None:
            next_one = replace(known.coming, axis=axis[len(known) :][:1], values=later[step : step + 1])
            known = replace(known, coming=next_one)
        found.append(ahead(one, known, 1)[0][0])
        values = np.concatenate([known.values, [[found[-1], *later[step]][: len(known.columns)]]])
        known = replace(known, values=values, axis=axis[: len(known) + 1])
    return found


def test_a_recursion_is_a_loop_over_forecasts_of_one_step(trained):
    series, training = trained
    forecaster = training.tested
    forecasts = forecaster.over(series)
    assert forecasts.predicted.shape == forecasts.true.shape == (140 - forecaster.reach - 3, 4)
    for k in (0, 50, len(forecasts.predicted) - 1):
        origin = forecasts.first - 1 + k
        np.testing.assert_allclose(forecasts.predicted[k], by_hand(forecaster, series, origin, 4), rtol=1e-5)
        np.testing.assert_array_equal(forecasts.true[k], series.values[origin + 1 : origin + 5, 0])
    np.testing.assert_allclose(ahead(forecaster, series, 9)[0], by_hand(forecaster, series, 139, 9), rtol=1e-5)


def test_many_origins_are_forecast_in_parts(trained, monkeypatch):
    series, training = trained
    whole = training.tested.over(series)
    monkeypatch.setattr("numlstm.tasks.forecast.fitted._AT_ONCE", 7)
    np.testing.assert_array_equal(training.tested.over(series).predicted, whole.predicted)


def test_errors_and_intervals_are_of_each_step_ahead(trained):
    series, training = trained
    assert len(training.metrics["rmse_by_step"]) == 4
    forecasts = training.tested.over(series, training.split.test)
    assert training.metrics["origins"] == len(forecasts.true) == 140 - training.split.test - 3
    by_step = np.sqrt(np.mean((forecasts.predicted - forecasts.true) ** 2, axis=0))
    np.testing.assert_allclose(training.metrics["rmse_by_step"], by_step)
    inside = (forecasts.bounds["lower_80"] <= forecasts.true) & (forecasts.true <= forecasts.bounds["upper_80"])
    assert training.metrics["coverage"]["80"] == inside.mean() > 0.4
    assert training.tested.intervals.sample.shape[1] == 4


def test_intervals_are_of_recursive_forecasts_of_what_a_model_has_not_learned(trained):
    series, training = trained
    forecaster, known = training.tested, series.take(slice(training.split.test))
    inputs, errors, squares = forecaster.inputs, [], []
    origins = np.arange(forecaster.reach - 1, len(known) - 1)
    shape = Shape(inputs.window, inputs.features(len(series.columns)), 1, True)
    for member, fold in zip(training.members, contiguous(len(origins), 3, 4), strict=False):
        model = make_model(QUICK, shape, "cpu", 0)
        model.set_weights(member.weights)
        forecasts = replace(forecaster, model=model, intervals=None).over(known)
        part = fold.validation[fold.validation < len(forecasts.true)]
        spread = inputs.spread(known.values, origins[part])[:, None]
        forecast, true = (inputs.transform(each[part]) for each in (forecasts.predicted, forecasts.true))
        errors.append((true - forecast) / spread)
        squares.append((forecasts.predicted[part] - forecasts.true[part]) ** 2)
    widths = Intervals.fit(np.concatenate(errors), (80.0, 95.0)).widths
    np.testing.assert_allclose(forecaster.intervals.upto(4), widths, rtol=1e-4)
    assert training.metrics["out_of_fold_rmse"] == pytest.approx(np.sqrt(np.mean(np.concatenate(squares))), rel=1e-4)


def test_no_model_learns_from_a_target_that_its_recursive_forecasts_reach(monkeypatch):
    learned = []

    def noted(model, samples, *others):
        learned.append(samples)
        return fit_model(model, samples, *others)

    monkeypatch.setattr("numlstm.tasks.forecast.trainer.fit_model", noted)
    training = train(weekly(), replace(QUICK, refit=False), verbose=0)
    count = training.split.test - training.tested.reach
    folds = contiguous(count, 3, 4)
    assert [(len(each.inputs), len(each.validation[0])) for each in learned] == [
        (len(fold.training), len(fold.validation)) for fold in folds
    ]
    assert len(folds[1].training) == count - len(folds[1].validation) - 2 * 3


def test_beyond_the_horizon_paths_go_on_with_errors_of_one_step(trained):
    series, training = trained
    forecaster = training.forecaster
    predicted, bounds = ahead(forecaster, series, 12)
    short, first = ahead(forecaster, series, 2)
    np.testing.assert_allclose(predicted[:2], short, rtol=1e-6)
    np.testing.assert_allclose(bounds["upper_80"][:2], first["upper_80"], rtol=1e-6)
    assert (bounds["lower_80"] < predicted).all()
    assert (bounds["upper_95"] >= bounds["upper_80"]).all()


def test_a_horizon_of_one_step_is_the_same_in_both_ways():
    series = weekly()
    one, other = (
        train(series, replace(QUICK, horizon=1, refit=False, strategy=strategy), verbose=0)
        for strategy in ("direct", "recursive")
    )
    names = [name for name in one.metrics if name != "seconds"]
    assert {name: one.metrics[name] for name in names} == {name: other.metrics[name] for name in names}


@pytest.mark.parametrize("settings", [{"rule": "none", "ensemble": 1}, {"ensemble": 1}, {"horizon": 20}])
def test_other_settings_train_too(settings):
    training = train(weekly(), replace(QUICK, refit=False, **settings), verbose=0)
    assert len(training.metrics["rmse_by_step"]) == training.tested.horizon
    assert np.isfinite(ahead(training.tested, weekly(), 40)[0]).all()


def test_a_run_is_read_back_with_its_strategy(trained, tmp_path):
    series, training = trained
    run.save(tmp_path, series, training)
    loaded = run.load(tmp_path)
    assert (loaded.forecaster.horizon, loaded.forecaster.blocks, loaded.tested.inputs.horizon) == (4, 4, 1)
    again = loaded.evaluate(None)
    assert again == {name: training.metrics[name] for name in again}
    np.testing.assert_array_equal(loaded.forecast()["predicted"], ahead(training.final, series, 4)[0])
    loaded.draw(tmp_path / "p.png")
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["settings"]["strategy"] == "recursive"
    for strategy, message in (("direct", "is not the model"), (None, "is not the model"), (1, "must be one of direct")):
        del config["settings"]["strategy"]
        config["settings"] |= {} if strategy is None else {"strategy": strategy}
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ValueError, match=message + "|but scales"):
            run.load(tmp_path)
        config["settings"]["strategy"] = strategy


def test_a_run_without_a_strategy_is_direct(tmp_path):
    series, settings = weekly(), replace(QUICK, strategy="direct", epochs=1, refit=False)
    training = train(series, settings, verbose=0)
    run.save(tmp_path, series, training)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["settings"]["strategy"], config["future"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    np.testing.assert_array_equal(run.load(tmp_path).forecast()["predicted"], ahead(training.tested, series, 4)[0])


def test_a_past_column_cannot_be_fed_back(tmp_path):
    series = weekly(past=True)
    message = (
        "strategy='recursive' feeds forecasts of 'y' back, but nothing forecasts 'x': give strategy='direct', or"
        " future= for columns that are known in advance"
    )
    with pytest.raises(ValueError, match=message):
        train(series, QUICK, verbose=0)
    assert train(series, replace(QUICK, horizon=1, refit=False), verbose=0).metrics["rmse"] > 0
    frame = pd.DataFrame({"date": series.axis, "y": series.values[:, 0], "x": series.values[:, 1]})
    frame.to_csv(tmp_path / "s.csv", index=False)
    options = ["--target", "y", "--features", "x", "--strategy", "recursive", "--horizon", "2"]
    result = CliRunner().invoke(main, ["train", str(tmp_path / "s.csv"), *options, "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert "but nothing forecasts 'x': give --strategy direct, or --future for columns" in result.output
    assert not (tmp_path / "run").exists()


def test_other_strategies_are_refused():
    with pytest.raises(ValueError, match="strategy must be one of direct, recursive, not 'both'"):
        Settings(strategy="both")


def test_a_forecaster_of_several_outputs_can_be_fed_back(trained):
    """Blocks of two steps: the second block is made from the first."""
    series = weekly()
    direct = train(series, replace(QUICK, strategy="direct", horizon=2, refit=False), verbose=0).tested
    twice = FittedForecaster(direct.model, direct.inputs, direct.columns, direct.rivals, blocks=2)
    predicted = twice.over(series).predicted
    np.testing.assert_array_equal(predicted[:, :2], direct.over(series).predicted[: len(predicted)])
    fed = series.values.copy()
    fed[twice.reach : twice.reach + 2, 0] = predicted[0, :2]
    second = direct.over(replace(series, values=fed)).predicted[2]
    np.testing.assert_allclose(predicted[0, 2:], second, rtol=1e-5)


@pytest.mark.parametrize("refit", [False, True])
def test_a_backtest_is_of_recursive_forecasts_with_what_is_known_in_advance(refit):
    series = weekly(future=True, coming=5)
    result = backtest(series, replace(QUICK, refit=False, epochs=1), folds=2, refit=refit)
    assert result.horizon == 4
    assert [len(fold.forecasts.true) for fold in result.folds] == [14 - 3, 14 - 3]
    blind = backtest(replace(series, values=series.values * [1, 0]), replace(QUICK, epochs=1), folds=2, refit=refit)
    assert result.scores().rmse != blind.scores().rmse
