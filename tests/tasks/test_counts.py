"""A target that counts something is not forecast below 0, and neither are its bounds."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.data import Series
from numlstm.tasks import load
from numlstm.tasks.forecast.ahead import ahead
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.train import train

QUICK = replace(REAL, units=3, epochs=2, ensemble=2, refit=False, transform="none", device="cpu")
FEW = np.random.default_rng(0).poisson(0.7, 200).astype(float)


def trained(values):
    count = np.arange(len(values))
    series = Series("s", None, count, ("y",), values[:, None], count + 1)
    return series, train(series, QUICK, verbose=0).tested


def lowest(series, forecaster):
    found = forecaster.over(series, 160)
    predicted, bounds = ahead(forecaster, series, 20)
    return min(values.min() for values in (predicted, found.predicted, *bounds.values(), *found.bounds.values()))


def test_counts_are_not_forecast_below_0():
    series, forecaster = trained(FEW)
    assert lowest(series, replace(forecaster, counts=False)) < 0
    assert lowest(series, forecaster) == 0


@pytest.mark.parametrize("values", [FEW - 1, FEW + 0.5], ids=["below 0", "fractions"])
def test_what_is_no_count_may_be_below_0(values):
    assert lowest(*trained(values)) < 0


def test_only_what_is_learned_from_decides_in_the_test_and_all_that_is_known_after_the_end():
    values = FEW.copy()
    values[170:] -= 5
    series, forecaster = trained(values)
    assert forecaster.over(series, 160).predicted.min() == 0
    predicted, bounds = ahead(forecaster, series, 20)
    assert predicted.min() < 0
    assert (bounds["lower_80"] < bounds["upper_80"]).all()


def test_a_run_folder_and_its_report_know(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sold.csv").write_text("sold\n" + "".join(f"{value:.0f}\n" for value in FEW))
    command = [
        "train",
        "sold.csv",
        "--units",
        "3",
        "--epochs",
        "2",
        "--ensemble",
        "2",
        "--transform",
        "none",
        "--quiet",
    ]
    assert CliRunner().invoke(main, [*command, "--out", "run"]).exit_code == 0
    run = load("run")
    assert (run.forecaster.counts, run.tested.counts) == (True, True)
    assert lowest(run.series, run.tested) == 0
    assert re.search("Lowest forecast and bound</dt><dd>0: all values", (tmp_path / "run" / "report.html").read_text())
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    for model in config["models"].values():
        del model["counts"]  # As in runs of before.
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert not load("run").forecaster.counts
