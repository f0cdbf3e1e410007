"""`numlstm.tasks.Forecaster`: from a frame to a forecast, without files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from numlstm import tasks
from numlstm.tasks import Forecaster
from numlstm.tasks.forecast import job

FEW = {"epochs": 2, "units": 4, "ensemble": 1, "interval": "80", "seed": 1}


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    sales = 50 + 10 * np.sin(np.arange(90) * 2 * np.pi / 7) + random.normal(size=90)
    dates = pd.date_range("2020-01-01", periods=90, name="day")
    return pd.DataFrame({"sales": sales, "price": random.normal(size=90)}, index=dates)


def test_a_frame_forecasts_as_its_file_does(frame, tmp_path):
    frame.to_csv(tmp_path / "sales.csv")
    whole = job.begin(tmp_path / "sales.csv", {"target": ("sales",), "horizon": 3, **FEW})
    folder = tmp_path / "run"
    folder.mkdir()
    whole.prepare(folder)
    whole.train(0, folder / "checkpoint", "1h", lambda: None)
    whole.save(folder)
    of_file = tasks.load(folder).forecast(steps=5)
    of_frame = Forecaster(target="sales", horizon=3, **FEW).fit(frame).forecast(steps=5)
    pd.testing.assert_frame_equal(of_frame, of_file)
    assert of_frame.index[0] == pd.Timestamp("2020-03-31")


def test_no_file_is_left(frame, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fitted = Forecaster(target="sales", **FEW).fit(frame)
    assert not list(Path(tmp_path).iterdir())
    assert fitted.evaluate(None)["rmse"] > 0


def test_several_targets_with_a_zone(frame):
    found = Forecaster(target=["sales", "price"], **FEW).fit(frame.tz_localize("Europe/Berlin")).forecast(steps=2)
    assert str(found.index.tz) == "Europe/Berlin"
    assert {"sales_predicted", "price_predicted"} <= set(found.columns)


def test_groups(frame):
    both = pd.concat([frame.assign(store="a"), frame.assign(store="b", sales=frame.sales * 3)]).reset_index()
    found = Forecaster(target="sales", group="store", **FEW).fit(both).forecast(steps=1)
    assert list(found.index.get_level_values("store")) == ["a", "b"]


def test_rows_without_dates(frame):
    found = Forecaster(**FEW).fit(frame[["sales"]].reset_index(drop=True)).forecast(steps=2)
    assert list(found.index) == [91, 92]


def test_an_index_without_a_name_numbers_the_rows(frame):
    selected = frame[["sales"]].reset_index(drop=True).drop([3, 50])
    found = Forecaster(**FEW).fit(selected).forecast(steps=1)
    assert list(found.index) == [89]


def test_periods_and_a_season_as_a_number(frame):
    months = frame[["sales"]].set_axis(pd.period_range("2000-01", periods=90, freq="M"), axis=0)
    found = Forecaster(season=7, **FEW).fit(months).forecast(steps=1)
    assert found.index[0] == pd.Timestamp("2007-07-01")


@pytest.mark.parametrize(
    ("options", "change", "kind", "words"),
    [
        ({"epoch": 3}, lambda frame: frame, TypeError, "Forecaster has no option 'epoch'"),
        ({"target": "cost"}, lambda frame: frame, ValueError, "the frame has no column 'cost'"),
        ({"target": "sales"}, lambda frame: frame.drop(frame.index[40]), ValueError, "give missing='ffill'"),
        ({}, lambda frame: [1, 2], TypeError, "must be a pandas.DataFrame"),
    ],
    ids=["option", "column", "gap", "no frame"],
)
def test_what_does_not_fit_is_refused(frame, options, change, kind, words):
    with pytest.raises(kind) as told:
        Forecaster(**options).fit(change(frame))
    assert words in str(told.value)
    assert "/" not in str(told.value)


def test_a_zone_that_the_run_has_not_is_refused(frame):
    fitted = Forecaster(target="sales", **FEW).fit(frame)
    with pytest.raises(ValueError, match="has the time zone Europe/Berlin, and the dates of the run have none"):
        fitted.forecast(frame.tz_localize("Europe/Berlin"), steps=1)


def test_held_out_steps_that_are_filled_in_are_told(frame, tmp_path):
    path = tmp_path / "gap.csv"
    frame[["sales"]].drop(frame.index[80:84]).to_csv(path)
    told = job.begin(path, {"missing": "ffill", **FEW}).introduction()
    assert "4 of the held-out steps are filled in, and the errors take them for true" in told


def test_one_model_says_when_it_stopped(frame, capsys):
    Forecaster(target="sales", verbose=1, **FEW | {"epochs": 60, "patience": 2, "refit": False}).fit(frame)
    told = "".join(capsys.readouterr()).replace("\r", "\n")
    stopped = [line for line in told.splitlines() if "restored" in line]
    assert len(stopped) == 1
    assert stopped[0].startswith("Stopped after ")


def test_a_forecast_that_is_not_a_number_is_refused(frame):
    fitted = Forecaster(target="sales", **FEW).fit(frame[["sales"]])
    spiked = frame[["sales"]].copy()
    spiked.iloc[-2] = 1e300
    with pytest.raises(
        ValueError, match=r"forecast of 'sales' is not a number: 'sales' is too large in row 89 \(day 2020"
    ):
        fitted.forecast(spiked, steps=1)
