"""`numlstm predict --plot`: a picture of the end of the data and of what comes after it."""

import csv
import io

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.tasks import load
from numlstm.tasks.forecast.ahead import ahead
from numlstm.tasks.forecast.report import future_of

QUICK = ["--units", "3", "--epochs", "2", "--ensemble", "2", "--quiet", "--no-plot"]


def numlstm(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of one series, of two, of two targets, and of a column known in advance."""
    place = tmp_path_factory.mktemp("plot")
    rng, t = np.random.default_rng(0), np.arange(120)
    units = 100 + 20 * np.sin(t * 2 * np.pi / 7) + rng.normal(0, 2, 120)
    days = np.datetime64("2022-01-01") + t
    rows = [f"{day},{unit:.2f},{i % 5},{'ab'[i % 2]}" for i, (day, unit) in enumerate(zip(days, units, strict=True))]
    (place / "sales.csv").write_text("\n".join(["date,units,holiday,store", *rows]) + "\n")
    options = {
        "one": ["--target", "units"],
        "two": ["--target", "units", "--group", "store"],
        "targets": ["--target", "units,holiday"],
        "known": ["--target", "units", "--future", "holiday"],
    }
    for name, chosen in options.items():
        command = ["train", place / "sales.csv", "--horizon", "3", *QUICK, *chosen, "--out", place / name]
        assert numlstm(*command).exit_code == 0
    return place


@pytest.mark.parametrize("run", ["one", "two", "targets"])
def test_the_future_is_drawn_beside_the_csv(folder, tmp_path, run):
    picture = tmp_path / "future.svg"
    alone = numlstm("predict", folder / run, "--steps", 9)
    drawn = numlstm("predict", folder / run, "--steps", 9, "--plot", picture)
    assert (drawn.exit_code, drawn.stdout) == (0, alone.stdout)
    assert b"<svg" in picture.read_bytes()


def test_the_picture_has_the_numbers_of_the_csv_after_the_last_known_value(folder):
    run = load(folder / "one")
    curves = future_of(run.series, ahead(run.forecaster, run.series, 9))
    rows = list(csv.DictReader(io.StringIO(numlstm("predict", folder / "one", "--steps", 9).stdout)))
    last = run.series.values[-1, 0]
    assert curves.true[-10] == last
    assert np.isnan(curves.true[-9:]).all()
    for name, values in {"predicted": curves.predicted, "lower_80": curves.intervals["80"][0]}.items():
        np.testing.assert_allclose(values, [last, *(float(row[name]) for row in rows)], rtol=1e-6)
    assert [str(day) for day in curves.axis[-9:].astype("M8[D]")] == [row["date"] for row in rows]
    assert curves.title == "sales: 9 steps after 2022-04-30"


def test_a_picture_that_fails_does_not_cost_the_numbers(folder, tmp_path):
    result = numlstm("predict", folder / "known", "--plot", tmp_path / "future.png")  # The data have no coming rows.
    assert result.exit_code == 2
    assert "0 coming rows of" in result.stderr
    assert result.stdout == numlstm("predict", folder / "known").stdout
    assert not list(tmp_path.iterdir())


def test_what_is_no_picture_is_refused_before_anything_is_written(folder, tmp_path):
    result = numlstm("predict", folder / "one", "--out", tmp_path / "a.csv", "--plot", tmp_path / "future.txt")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be a picture" in result.stderr
    assert not list(tmp_path.iterdir())
