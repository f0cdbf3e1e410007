"""`numlstm backtest` as a user runs it."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm import optimizers
from numlstm.cli import main

QUICK = ["--units", "3", "--epochs", "2", "--ensemble", "2"]


def numlstm(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run, one that held nothing out, and the file of both."""
    place = tmp_path_factory.mktemp("backtest")
    rng, t = np.random.default_rng(0), np.arange(120)
    units = 100 + 20 * np.sin(t * 2 * np.pi / 7) + rng.normal(0, 2, 120)
    days = np.datetime64("2022-01-01") + t
    rows = [f"{day},{unit:.2f},1" for day, unit in zip(days, units, strict=True)]
    (place / "sales.csv").write_text("\n".join(["date,units,price", *rows]) + "\n")
    command = ["train", place / "sales.csv", "--target", "units", *QUICK, "--quiet", "--no-plot"]
    for options in (["--out", place / "run"], ["--out", place / "whole", "--test-fraction", 0]):
        assert numlstm(*command, *options).exit_code == 0
    return place


def test_a_run_gives_a_table_a_file_and_a_picture(folder, tmp_path):
    result = numlstm("backtest", folder / "run", "--out", tmp_path / "all.csv", "--plot", tmp_path / "folds.svg")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("sales: units, 5 folds of 4 rows, 1 step ahead from every origin\n")
    assert len([line for line in result.stdout.splitlines() if " 2022-" in line]) == 6
    rows = list(csv.DictReader((tmp_path / "all.csv").open()))
    assert [row["fold"] for row in rows] == [str(fold) for fold in range(1, 6) for _ in range(4)]
    assert (rows[0]["origin"], rows[0]["date"], rows[-1]["date"]) == ("2022-04-10", "2022-04-11", "2022-04-30")
    assert b"<svg" in (tmp_path / "folds.svg").read_bytes()


def test_a_file_is_measured_without_a_run_as_the_run_of_it(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = numlstm("backtest", folder / "sales.csv", "--target", "units", *QUICK, "--folds", 2, "--json")
    expected = numlstm("backtest", folder / "run", "--folds", 2, "--json")
    assert found.exit_code == 0
    assert json.loads(found.stdout) == json.loads(expected.stdout)
    assert json.loads(found.stdout)["folds"][1]["fitted_rows"] == 96
    assert not list(tmp_path.iterdir())


def test_refit_trains_for_every_fold(folder):
    found = json.loads(numlstm("backtest", folder / "run", "--folds", 2, "--refit", "--json").stdout)
    assert found["refit"]
    assert [fold["fitted_rows"] for fold in found["folds"]] == [96, 108]
    once = json.loads(numlstm("backtest", folder / "run", "--folds", 2, "--json").stdout)
    assert once["folds"][1]["rmse"] != found["folds"][1]["rmse"]


def test_a_run_that_held_nothing_out_can_be_trained_again(folder):
    assert numlstm("backtest", folder / "whole", "--folds", 2, "--refit").exit_code == 0


def test_steps_of_the_horizon_have_a_table(folder):
    command = ["backtest", folder / "sales.csv", "--target", "units", *QUICK, "--horizon", 3, "--folds", 2]
    lines = numlstm(*command).stdout.splitlines()
    assert [line.split()[0] for line in lines[-4:]] == ["step", "1", "2", "3"]


# Several series.


@pytest.fixture(scope="module")
def stores(folder, tmp_path_factory):
    """A file of two stores, of which the second ends a month before the first, and a run of it."""
    place = tmp_path_factory.mktemp("stores")
    header, *rows = (folder / "sales.csv").read_text().split()
    lines = [f"store,{header}", *(f"north,{row}" for row in rows), *(f"south,{row}" for row in rows[:90])]
    (place / "sales.csv").write_text("\n".join(lines) + "\n")
    command = ["train", place / "sales.csv", "--target", "units", "--group", "store", *QUICK, "--quiet", "--no-plot"]
    assert numlstm(*command, "--out", place / "run").exit_code == 0
    return place


def test_a_run_of_several_series_gives_a_table_a_file_and_a_picture(stores, tmp_path):
    result = numlstm("backtest", stores / "run", "--out", tmp_path / "all.csv", "--plot", tmp_path / "folds.svg")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("sales: units, 2 series, 5 folds of 3 to 4 rows, 1 step ahead from every origin\n")
    assert [line.split()[0] for line in result.stdout.splitlines()[-3:]] == ["series", "north", "south"]
    rows = list(csv.DictReader((tmp_path / "all.csv").open()))
    assert [(row["store"], row["fold"]) for row in rows] == [
        (store, str(fold))
        for store, count in (("north", 4), ("south", 3))
        for fold in range(1, 6)
        for _ in range(count)
    ]
    assert (rows[-1]["origin"], rows[-1]["date"]) == ("2022-03-30", "2022-03-31")
    assert b"<svg" in (tmp_path / "folds.svg").read_bytes()


def test_a_file_with_groups_is_measured_as_the_run_of_it(stores):
    options = ["--target", "units", "--group", "store", *QUICK, "--folds", 2, "--json"]
    for refit in ([], ["--refit"]):
        found = numlstm("backtest", stores / "sales.csv", *options, *refit)
        expected = numlstm("backtest", stores / "run", "--folds", 2, "--json", *refit)
        assert found.exit_code == 0
        assert json.loads(found.stdout) == json.loads(expected.stdout)
    assert list(json.loads(found.stdout)["series"]) == ["north", "south"]


def test_several_targets_are_measured_each(folder, tmp_path):
    command = ["backtest", folder / "sales.csv", "--target", "units,price", *QUICK, "--folds", 2]
    result = numlstm(*command, "--out", tmp_path / "all.csv")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[-3:]] == ["series", "units", "price"]
    row = next(csv.DictReader((tmp_path / "all.csv").open()))
    assert list(row)[:6] == ["fold", "origin", "step", "date", "units", "units_predicted"]
    assert "price_upper_95" in row


def test_a_store_that_is_too_short_for_the_folds_is_named(stores):
    result = numlstm("backtest", stores / "run", "--folds", 20)
    message = "sales, store 'south': the held-out part has 18 of the 90 rows, but 20 folds of a horizon of 1 need 20:"
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "--group" in numlstm("backtest", "--help").stdout


# Endings.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run --folds 0", "folds must be a whole number from 1 on, not 0"),
        ("run --folds 25", "25 folds of the 24 held-out rows have 0 each, but the horizon is 1: give at most 24"),
        ("run --folds many", "'many' is not a valid integer"),
        ("whole", "held nothing out, so its model has seen every fold: give --refit"),
        (".", "is no run folder: it has no config.json"),
        ("nope", "nope: No such file or directory"),
        (
            "run --horizon 3 --sort",
            "is a run with its own data and settings: give it without --sort, --horizon, or give a file with",
        ),
        ("sales.csv", "target column must be named"),
        ("sales.csv --target units --horizon 7 --folds 4", "have 6 each, but the horizon is 7: give at most 3"),
        ("sales.csv --target units --no-refit", "No such option"),
        ("run --plot folds.txt", "folds.txt cannot be a picture"),
        ("run --out nowhere/all.csv", "there is no folder nowhere"),
    ],
)
def test_bad_input_gives_one_sentence_and_leaves_nothing(folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    result = numlstm("backtest", *arguments.split())
    assert result.exit_code == 2
    error = result.output[result.output.index("Error: ") :]
    assert message in error
    assert error.count("\n") == 1
    assert {path.name for path in folder.iterdir()} == {"run", "whole", "sales.csv"}


def test_ctrl_c_ends_it_in_one_line_and_leaves_nothing(folder, tmp_path, monkeypatch):
    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(optimizers.Adam, "begin", stop)
    result = numlstm("backtest", folder / "run", "--refit", "--out", tmp_path / "all.csv")
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (130, "", "Interrupted.")
    assert not list(tmp_path.iterdir())


def test_a_picture_that_fails_does_not_cost_the_table(folder, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError("no fonts")

    monkeypatch.setattr("numlstm.tasks.forecast.backtest_picture.fan_figure", fail)
    result = numlstm("backtest", folder / "run", "--plot", tmp_path / "folds.png")
    assert result.exit_code == 2
    assert "5 folds of 4 rows" in result.stdout
    assert result.stderr == "Error: no fonts\n"


def test_the_trainings_are_told_in_one_line_of_a_terminal(folder, monkeypatch):
    monkeypatch.setattr("numlstm.terminal.is_terminal", lambda stream: True)
    result = numlstm("backtest", folder / "run", "--folds", 2, "--refit")
    expected = ["fold 1/2: training on 96 rows", "fold 2/2: training on 108 rows", ""]
    assert result.stderr == "".join(f"\r\x1b[K{text}" for text in expected)
    assert "\x1b" not in result.stdout
