"""Forecasts of frames read dates as the training did: by the clock of the run's zone, and with the day first."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.tasks import load

QUICK = ["--epochs", "2", "--ensemble", "2", "--units", "3", "--quiet", "--no-plot"]
HOURS = pd.date_range("2022-03-01", "2022-04-10", freq="h", tz="Europe/Berlin", inclusive="left")
MONTHS = pd.date_range("2010-01-01", periods=120, freq="MS")


def write(path, name, texts):
    steps = np.arange(len(texts))
    values = 100 + 0.1 * steps + 20 * np.sin(2 * np.pi * steps / 12) + np.random.default_rng(0).normal(0, 1, len(texts))
    pd.DataFrame({name: texts, "y": values.round(3)}).to_csv(path, index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs on hours through a change of the clock, and on months with the day first; both split by yyyymm."""
    place = tmp_path_factory.mktemp("frames")
    write(place / "hours.csv", "time", HOURS.strftime("%Y-%m-%d %H:%M:%S"))
    write(place / "months.csv", "month", MONTHS.strftime("%d/%m/%Y"))
    for name, options in (("hours", ["--timezone", "Europe/Berlin"]), ("months", ["--train-until", "201712"])):
        command = ["train", f"{place / name}.csv", *QUICK, *options, "--out", str(place / name)]
        assert CliRunner().invoke(main, command).exit_code == 0
    return place


AXES = {
    "hours": {
        "texts": None, "local times": HOURS.tz_localize(None), "moments": HOURS, "UTC": HOURS.tz_convert("UTC"),
    },
    "months": {"texts": None, "dates": MONTHS, "periods": pd.PeriodIndex(MONTHS, freq="M")},
}  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in AXES.items() for kind in kinds])
def test_a_frame_forecasts_what_its_file_does(folder, name, kind):
    run, axis = load(folder / name), AXES[name][kind]
    frame = pd.read_csv(folder / f"{name}.csv")
    column = frame.columns[0]
    if axis is not None:
        frame[column] = axis
    expected = run.forecast(folder / f"{name}.csv", 3)
    pd.testing.assert_frame_equal(run.forecast(frame, 3), expected)
    pd.testing.assert_frame_equal(run.forecast(frame.set_index(column), 3), expected)
    assert (
        expected.index[0].strftime("%Y-%m-%d %H:%M")
        == {"hours": "2022-04-10 00:00", "months": "2020-01-01 00:00"}[name]
    )


def test_what_is_no_date_is_refused(folder):
    frame = pd.read_csv(folder / "months.csv")
    with pytest.raises(ValueError, match=r"^'month' of the frame holds no dates, which the run has: give it dates$"):
        load(folder / "months").forecast(frame.assign(month="soon"))
    frame.loc[7, "month"] = "soon"
    with pytest.raises(ValueError, match=r"^'month' of the frame holds 'soon' in row 8, which tells no place$"):
        load(folder / "months").forecast(frame)


def test_a_date_that_comes_twice_is_named(folder):
    frame = pd.read_csv(folder / "months.csv")
    with pytest.raises(ValueError, match=r"^'month' of the frame holds '01/12/2019' twice, in row 121 again: keep one"):
        load(folder / "months").forecast(pd.concat([frame, frame.iloc[-1:]]))
    with pytest.raises(ValueError, match=r"^'month' of the frame must increase from row to row: sort its rows by it$"):
        load(folder / "months").forecast(frame.iloc[::-1])
