"""Several series in one run: groups of rows, several targets, and what is told of each."""

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from numlstm import optimizers
from numlstm.cli import main
from numlstm.data import ReadOptions, complete
from numlstm.data.panel import panel_of, read_panel, write_panel
from numlstm.tasks import load
from numlstm.tasks.forecast import job, multiples, run
from numlstm.tasks.forecast.common import settle
from numlstm.tasks.forecast.folds import Fold, together
from numlstm.tasks.forecast.measure import measure
from numlstm.tasks.forecast.pooled import BEST_RULE, naive_scale, pooled
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import Checkpoint, splits_of, train

SMALL = replace(REAL, units=3, epochs=2, ensemble=2, transform="none", device="cpu")
TINY = ("--units", "3", "--epochs", "2", "--ensemble", "2", "--transform", "none", "--device", "cpu", "--no-plot")


def cli(*arguments, code=0):
    result = CliRunner().invoke(main, list(map(str, arguments)), prog_name="numlstm")
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def rows_of(store, scale, count=140, seed=0, start="2022-01-01"):
    """A week and a wave of a month, which no naive rule knows, times a scale."""
    t, noise = np.arange(count), np.random.default_rng(seed).normal(0, 0.4, count)
    units = scale * (50 + 8 * np.sin(2 * np.pi * t / 7) + 6 * np.sin(2 * np.pi * t / 23) + noise)
    dates = pd.date_range(start, periods=count).astype(str)
    return pd.DataFrame({"store": store, "date": dates, "units": units, "price": units.round(-1) / 3})


@pytest.fixture(scope="module")
def stores():
    """Two stores, one a thousand times the other, whose rows alternate."""
    both = pd.concat([rows_of("007", 1.0), rows_of("B", 1000.0, 150, 1)])
    return both.sort_values(["date", "store"], ignore_index=True)


@pytest.fixture(scope="module")
def table(stores, tmp_path_factory):
    path = tmp_path_factory.mktemp("panel") / "sales.csv"
    stores.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(table):
    """The run of a quick training on the command line."""
    place = table.parent / "run"
    cli("train", table, "--target", "units", "--group", "store", "--horizon", 2, *TINY, "--out", place)
    return place


# Reading.


def test_each_value_of_a_column_is_a_series(table):
    panel = read_panel(table, ["units"], ["price"], ["store"])
    assert (panel.name, panel.groups, panel.keys, panel.names) == (
        "sales",
        ("store",),
        (("007",), ("B",)),
        ["007", "B"],
    )
    assert [len(series) for series in panel] == [140, 150]
    assert [series.columns for series in panel] == [("units", "price")] * 2
    assert [str(series.rule) for series in panel] == ["daily"] * 2
    assert panel.series[1].rows[:3].tolist() == [2, 4, 6]
    assert not panel.alone


def test_two_columns_tell_series_apart(stores, tmp_path):
    stores.assign(item="a,b").to_csv(tmp_path / "t.csv", index=False)
    for groups in (["store,item"], ["store", "item"]):
        panel = read_panel(tmp_path / "t.csv", ["units"], groups=groups)
        assert panel.groups == ("store", "item")
        assert panel.keys == (("007", "a,b"), ("B", "a,b"))
        assert panel.names == ["007, a,b", "B, a,b"]


def test_a_name_with_a_comma_is_the_name_of_a_column_if_there_is_one(stores, tmp_path):
    frame = stores.rename(columns={"units": "units,sold", "store": "a,b"})
    frame.to_csv(tmp_path / "t.csv", index=False)
    panel = read_panel(tmp_path / "t.csv", ["units,sold"], groups=["a,b"])
    assert (panel.groups, panel.targets) == (("a,b",), ("units,sold",))
    panel = read_panel(tmp_path / "t.csv", ["units,sold", "price"], groups=["a,b"]).of_targets(2)
    assert panel.targets == ("units,sold", "price")


def test_the_only_column_of_numbers_is_the_target_of_all(stores, tmp_path):
    stores.drop(columns="price").to_csv(tmp_path / "t.csv", index=False)
    assert read_panel(tmp_path / "t.csv", groups=["store"]).targets == ("units",)
    alone = stores.loc[stores["store"] == "B", ["date", "units", "price"]]
    alone.to_csv(tmp_path / "t.csv", index=False)
    assert read_panel(tmp_path / "t.csv", (), ["price"]).series[0].columns == ("units", "price")


def test_the_order_of_day_and_month_is_that_of_the_longest_series(tmp_path):
    dates = [f"01/{month:02}/{year}" for year in (2022, 2023) for month in range(1, 13)]
    long = pd.DataFrame({"store": "a", "date": dates, "y": range(24)})
    short = pd.DataFrame({"store": "b", "date": dates[:2], "y": range(2)})
    pd.concat([short, long]).to_csv(tmp_path / "t.csv", index=False)
    panel = read_panel(tmp_path / "t.csv", ["y"], groups=["store"])
    assert panel.series[0].labels() == ["2022-01-01", "2022-02-01"]
    assert all(series.reading.day_first for series in panel)


def test_a_note_on_all_series_is_told_once(stores, tmp_path):
    stores.to_csv(tmp_path / "t.csv", index=False, header=False)
    panel = read_panel(tmp_path / "t.csv", ["column 3"], groups=["column 1"], options=ReadOptions(header=False))
    assert len(panel.notes) == 1
    gap = pd.concat([rows_of("a", 1).drop(index=5), rows_of("b", 1)])
    gap.to_csv(tmp_path / "t.csv", index=False)
    panel = read_panel(tmp_path / "t.csv", ["units"], groups=["store"]).map(lambda series: complete(series, "ffill"))
    assert len(panel.notes) == 1
    assert panel.notes[0].startswith("'a': date is daily, but 1 date is absent: 2022-01-06; filled by ffill")


def test_a_panel_is_read_back_exactly(table, folder):
    panel, settings = run.resume(folder)
    given = read_panel(table, ["units"], groups=["store"])
    assert settings.horizon == 2
    assert (panel.keys, panel.groups, panel.name) == (given.keys, given.groups, given.name)
    for ours, theirs in zip(panel, given, strict=True):
        np.testing.assert_array_equal(ours.values, theirs.values)
        np.testing.assert_array_equal(ours.axis, theirs.axis)
        assert (ours.rule, ours.name) == (theirs.rule, theirs.name)


@pytest.mark.parametrize("line_break", ["\r", "\n", "\r\n"])
def test_names_and_groups_with_line_breaks_are_read_back(tmp_path, line_break):
    group, target = f"a{line_break}b", f"y{line_break}z"
    rows = "".join(f'"{key}",{step},{step}.5\n' for key in (group, "c") for step in range(3))
    (tmp_path / "t.csv").write_text(f'"g{line_break}h",t,"{target}"\n{rows}', newline="")
    names = [target], [], [f"g{line_break}h"]
    panel = read_panel(tmp_path / "t.csv", *names)
    with (tmp_path / "again.csv").open("w", newline="") as file:
        write_panel(panel, file)
    again = read_panel(tmp_path / "again.csv", *names)
    assert again.keys == panel.keys == ((group,), ("c",))
    assert again.targets == (target,)


# Refusals.


def changed(frame, row, **fields):
    frame = frame.copy()
    for name, value in fields.items():
        frame[name] = frame[name].astype(object)
        frame.loc[row, name] = value
    return frame


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: changed(f, 5, store=""), {}, r"row 6, column 'store' is empty or NA, so the series of the row"),
        (lambda f: changed(f, 5, store="NA "), {}, r"row 6, column 'store' is empty or NA, so the series of the row"),
        (lambda f: changed(f, 4, date="2022-01-02"), {}, r"store '007': column 'date' .* row 5 holds .* again"),
        (lambda f: changed(f, 5, units=None), {}, r"store 'B': row 6 \(date 2022-01-03\), column 'units' is missing"),
        (lambda f: changed(f, 5, units="x"), {}, r"'B': row 6 \(date 2022-01-03\), column 'units' holds 'x'"),
        (lambda f: f.drop(index=5), {}, r"store 'B': date is daily, but 1 date is absent: 2022-01-03"),
        (lambda f: pd.concat([f, f[:1].assign(store="C")]), {}, r"store 'C' has one row, which is no series"),
        (
            lambda f: pd.concat([f, f[:8].assign(store="C").drop_duplicates("date")]), {},
            r"store 'C': the training part has 2 of the 4 rows, but .*: give more rows .*, or leave this series out",
        ),
        (
            lambda f: pd.concat([f, rows_of("C", 1.0, 20)]), {},
            r"store 'C': .* a season of 7 .*, or leave this series out",
        ),
        (
            lambda f: pd.concat([f, rows_of("C", 1.0, start="2030-01-01")]), {"test_from": "2022-05-01"},
            r"store 'C': the training part has 0 of the 140 rows",
        ),
        (lambda f: f, {"features": ("store",)}, r"column 'store' tells the series apart: name it once"),
        (lambda f: f, {"group": ("shop",)}, r"has no column 'shop'; it has 'store'"),
        (lambda f: f.drop(columns="store"), {}, r"has no column 'store'"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_series_and_the_row(stores, tmp_path, change, options, message):
    change(stores).to_csv(tmp_path / "t.csv", index=False)
    given = {"target": ("units",), "group": ("store",), "units": 2, "epochs": 1, "device": "cpu"} | options
    with pytest.raises(ValueError, match=message):
        job.begin(tmp_path / "t.csv", given).train(0, tmp_path / "checkpoint.safetensors", "60s", lambda: None)


def test_a_group_needs_a_file():
    assert "--group needs a file" in cli("train", "--group", "store", code=2)
    assert "has the column 'sine' and no other" in cli("train", "--target", "sine,x", code=2)


def test_a_table_of_several_series_names_the_option(stores, tmp_path):
    stores.replace({"store": {"007": "A"}}).to_csv(tmp_path / "t.csv", index=False)
    refused = cli("train", tmp_path / "t.csv", "--target", "units", code=2)
    assert "name that column by --group to forecast each" in refused


# Choices.


def series_in(folder, frames, targets=("units",), features=()):
    pd.concat(frames).to_csv(folder / "t.csv", index=False)
    return read_panel(folder / "t.csv", targets, features, ["store"])


def settled(panel, **settings):
    settings = replace(SMALL, **settings)
    return settle(panel, settings, splits_of(panel, settings))


def test_season_window_and_calendar_are_common_and_scales_each_one_s_own(tmp_path):
    noise = rows_of("noise", 1.0, 120)
    noise["units"] = np.random.default_rng(2).normal(size=120)
    panel = series_in(tmp_path, [rows_of("a", 1.0, 200), rows_of("b", 1000.0, 300, 1), noise])
    rivals, inputs = settled(panel)
    assert {each.season for each in rivals} == {7}  # Two of three have it.
    assert {(each.window, each.season, each.calendar) for each in inputs} == {(15, 7, ("weekday",))}
    assert inputs[1].scale > 500 * inputs[0].scale
    assert len({each.features(1) for each in inputs}) == 1
    few = series_in(tmp_path, [rows_of("a", 1.0), noise.assign(store="c"), noise])
    assert {each.season for each in settled(few)[0]} == {None}


def test_the_window_is_that_of_the_lowest_error_over_all_series(tmp_path):
    """A value repeats that of twenty steps before: a window of 10 knows nothing."""
    rng, frames = np.random.default_rng(0), []
    for store, scale in (("a", 1.0), ("b", 1e6)):
        values = list(rng.normal(size=20))
        for _ in range(300):
            values.append(0.95 * values[-20] + 0.3 * rng.normal())
        frames.append(pd.DataFrame({"store": store, "date": range(len(values)), "units": np.array(values) * scale}))
    _, inputs = settled(series_in(tmp_path, frames), season="none")
    assert [each.window for each in inputs] == [24, 24]


def test_a_rule_that_needs_a_season_that_most_series_lack_is_refused(tmp_path):
    rng = np.random.default_rng(3)
    frames = [rows_of(store, 1.0).assign(units=rng.normal(size=140)) for store in "ab"]
    with pytest.raises(ValueError, match="needs a season, and none was found"):
        settled(series_in(tmp_path, frames), rule="seasonal_naive")


def test_folds_of_several_series_point_to_their_own_windows():
    folds = [Fold(np.array([2, 3]), np.array([0, 1])), Fold(np.array([0]), np.array([1]))]
    both = together(folds, [4, 2])
    assert both.training.tolist() == [2, 3, 4]
    assert both.validation.tolist() == [0, 1, 5]


# Training.


def assert_same_models(ours, theirs):
    for one, other in zip(ours.results, theirs.results, strict=True):
        for first, second in ((one.tested, other.tested), (one.final, other.final)):
            assert first.inputs.to_dict() == second.inputs.to_dict()
            assert first.intervals.to_dict() == second.intervals.to_dict()
            for weights, expected in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
                np.testing.assert_array_equal(weights, expected)


@pytest.fixture(scope="module")
def trained(table):
    panel = read_panel(table, ["units"], groups=["store"])
    return panel, train(panel, replace(SMALL, units=16, epochs=60, ensemble=3), verbose=0)


def test_one_model_beats_the_rivals_of_series_of_any_scale(trained):
    _, training = trained
    assert len({id(each.tested.model) for each in training.results}) == 1
    metrics = training.metrics
    for name in ("007", "B"):
        assert metrics["series"][name]["rmse_ratio"] < 0.9
        assert metrics["series"][name]["coverage"]["95"] > 0.7
    assert metrics["series"]["B"]["rmse"] > 500 * metrics["series"]["007"]["rmse"]
    assert metrics["rmse_ratio"] < 0.9


def test_the_held_out_part_of_no_series_changes_what_was_learned(trained, stores, tmp_path):
    panel, settings = trained[0], replace(SMALL, refit=False)
    spoilt = panel.map(lambda series: replace(series, values=series.values.copy()))
    for series, split in zip(spoilt, splits_of(panel, settings), strict=True):
        series.values[split.test :] *= -7
    plain, blind = (train(each, settings, verbose=0) for each in (panel, spoilt))
    assert plain.history == blind.history
    for one, other in zip(plain.results, blind.results, strict=True):
        assert one.tested.inputs.to_dict() == other.tested.inputs.to_dict()
        assert one.tested.rivals == other.tested.rivals


def test_a_large_series_does_not_drown_the_others(trained):
    """The errors of all are means over all origins, each in parts of its series' naive error."""
    panel, training = trained
    squares, rivals, origins = 0.0, 0.0, 0
    for series, result, each in zip(panel, training.results, training.metrics["series"].values(), strict=True):
        scale = np.sqrt(np.mean(np.diff(series.values[: result.split.test, 0]) ** 2))
        assert naive_scale(series, result.split) == pytest.approx(scale)
        squares += each["origins"] * (each["rmse"] / scale) ** 2
        rivals += each["origins"] * (each[f"{each['rival']}_rmse"] / scale) ** 2
        origins += each["origins"]
    metrics = training.metrics
    assert metrics["rmse"] == pytest.approx(np.sqrt(squares / origins))
    assert metrics["rmse_ratio"] == pytest.approx(np.sqrt(squares / rivals))
    assert (metrics["rival"], metrics["origins"]) == (BEST_RULE, origins)
    assert metrics["fitted_rows"] == sum(each["fitted_rows"] for each in metrics["series"].values())


def test_pooled_forecasts_keep_what_lies_within_the_intervals(trained):
    panel, training = trained
    forecasts = [
        result.tested.over(series, result.split.test) for series, result in zip(panel, training.results, strict=True)
    ]
    together = measure(pooled(forecasts, [3.0, 1e5]))
    covered = [measure(each)["coverage"]["80"] * len(each.true) for each in forecasts]
    assert together["coverage"]["80"] == pytest.approx(sum(covered) / together["origins"])
    assert not together["late_copy"]


def test_a_constant_series_has_the_scale_one():
    series = panel_of(read_flat()).series[0]
    assert naive_scale(series, Split(5, 6, 8)) == 1.0


def read_flat():
    from numlstm.data import Series

    return Series("flat", None, np.arange(8), ("y",), np.ones((8, 1)), np.arange(8))


def test_one_series_without_a_group_is_trained_as_ever(table):
    panel = read_panel(table, ["units"], groups=["store"])
    alone = panel.series[0]
    ours, theirs = (train(data, SMALL, verbose=0) for data in (alone, panel_of(alone)))
    assert_same_models(ours, theirs)
    assert "series" not in ours.metrics
    grouped = train(replace(panel, keys=panel.keys[:1], series=(alone,)), SMALL, verbose=0)
    assert_same_models(ours, grouped)
    assert ours.metrics["rmse"] == grouped.metrics["series"]["007"]["rmse"]


class Killed(BaseException):
    """Ends a training as a kill does: nothing handles it."""


@pytest.mark.parametrize("steps", [3, 12, 21])
def test_a_training_of_several_series_that_was_killed_goes_on_to_the_same_bits(tmp_path, monkeypatch, table, steps):
    panel, checkpoint = read_panel(table, ["units"], groups=["store"]), Checkpoint(tmp_path / "c.safetensors", 1)
    run.prepare(tmp_path, panel, SMALL)
    begin, taken = optimizers.Adam.begin, []

    def end(self):
        taken.append(None)
        if len(taken) == steps:
            raise Killed
        begin(self)

    with monkeypatch.context() as patched:
        patched.setattr(optimizers.Adam, "begin", end)
        with pytest.raises(Killed):
            train(panel, SMALL, 0, checkpoint)
    assert checkpoint.path.exists()
    resumed, whole = train(*run.resume(tmp_path), 0, checkpoint), train(panel, SMALL, 0)
    assert resumed.history == whole.history
    assert_same_models(resumed, whole)


# Runs.


def test_the_command_line_tells_of_each_series(folder, table):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["series"]) == ["007", "B"]
    assert json.loads(cli("evaluate", folder))["series"].keys() == metrics["series"].keys()
    evaluated = json.loads(cli("evaluate", folder, table))
    assert evaluated["series"]["B"]["origins"] > metrics["series"]["B"]["origins"]
    text = multiples.sentences(metrics)
    assert text.startswith("2 series, in parts of each series' naive error: rmse ")
    assert "\n007: rmse " in text
    assert "\nB: rmse " in text
    many = metrics | {"series": {f"s{n}": metrics["series"]["B"] | {"rmse_ratio": n / 4} for n in range(8)}}
    lines = multiples.sentences(many).splitlines()
    assert lines[1:] == [
        "no better than their best naive forecast: 4 of 8 series",
        *(line for line in lines if line.startswith(("best: s0, rmse", "worst: s7, rmse"))),
    ]
    assert len(lines) == 4


def test_a_training_of_many_series_is_introduced_in_one_line(table):
    told = job.begin(table, {"target": ("units",), "group": ("store",)}).introduction()
    assert told.startswith("sales: 2 series with 290 rows, date: daily; training 5 models on 232, each stopped by")


def read(text):
    from io import StringIO

    return pd.read_csv(StringIO(text), dtype={"store": str})


def test_predictions_have_their_group_first(folder, table, stores):
    ahead = read(cli("predict", folder, "--steps", 3).split("trained in the same way\n")[-1])
    assert list(ahead.columns) == ["store", "date", "predicted", "lower_80", "upper_80", "lower_95", "upper_95"]
    assert ahead["store"].tolist() == ["007"] * 3 + ["B"] * 3
    assert ahead["date"].tolist()[2:4] == ["2022-05-23", "2022-05-31"]
    assert ahead["predicted"][3] > 500 * ahead["predicted"][0]
    each = read(cli("predict", folder, table).split("trained in the same way\n")[-1])
    known = stores.merge(each, on=["store", "date"], suffixes=("", "_predicted"))
    assert len(known) == len(each) > 200
    np.testing.assert_array_equal(known["units"], known["units_predicted"])


def test_some_of_the_series_can_be_forecast_and_unknown_ones_are_refused(folder, stores, tmp_path):
    stores[stores["store"] == "B"].to_csv(tmp_path / "b.csv", index=False)
    only = read(cli("predict", folder, tmp_path / "b.csv", "--steps", 1).split("trained in the same way\n")[-1])
    assert only["store"].tolist() == ["B"]
    assert list(json.loads(cli("evaluate", folder, tmp_path / "b.csv"))["series"]) == ["B"]
    stores.replace({"store": {"B": "C"}}).to_csv(tmp_path / "c.csv", index=False)
    for command in ("predict", "evaluate"):
        refused = cli(command, folder, tmp_path / "c.csv", code=2)
        assert "store 'C' was not in the training, so its scales are not known: the run has '007', 'B'" in refused
    stores[:8].to_csv(tmp_path / "short.csv", index=False)
    assert "store '007' has 4 rows, but at least" in cli("predict", folder, tmp_path / "short.csv", code=2)


def test_a_run_forecasts_a_frame_by_group_and_axis(folder, table, stores):
    loaded = load(folder)
    own = loaded.forecast(steps=5)
    assert own.index.names == ["store", "date"]
    assert own.loc["B"].index[0] == pd.Timestamp("2022-05-31")
    assert list(own.columns) == ["predicted", "lower_80", "upper_80", "lower_95", "upper_95"]
    assert len(loaded.forecast()) == 2 * 2
    dated = stores.assign(date=pd.to_datetime(stores["date"]))
    for data in (stores, dated.set_index("date"), dated.set_index(["store", "date"]), table, str(table)):
        pd.testing.assert_frame_equal(loaded.forecast(data, steps=5), own, check_exact=True)
    with pytest.raises(ValueError, match="store 'x' was not in the training"):
        loaded.forecast(stores.assign(store="x").drop_duplicates("date"))
    with pytest.raises(ValueError, match=r"the frame: row 3, column 'store' is empty"):
        loaded.forecast(changed(stores, 2, store=None))
    with pytest.raises(TypeError, match=r"pandas\.DataFrame"):
        loaded.forecast([1.0])


@pytest.mark.parametrize(
    ("change", "steps", "error", "message"),
    [
        (lambda f: pd.concat([f, f[["units"]]], axis=1), 1, ValueError, "the frame has two columns named 'units'"),
        (lambda f: pd.concat([f, f[["store"]]], axis=1), 1, ValueError, "the frame has two columns named 'store'"),
        (lambda f: f.assign(units=1j), 1, ValueError, "column 'units' of the frame holds complex numbers"),
        (lambda f: f[:0], 1, ValueError, "the frame has no rows"),
        (lambda f: f, "3", TypeError, "steps must be an integer, not '3'"),
        (lambda f: f, 1.5, TypeError, "steps must be an integer, not 1.5"),
        (lambda f: f, 0, ValueError, "steps must be at least 1, not 0"),
    ],
)
def test_a_frame_that_is_none_of_series_is_refused(folder, stores, change, steps, error, message):
    with pytest.raises(error, match=message):
        load(folder).forecast(change(stores), steps)


def test_a_page_tells_of_each_series_and_repeats_the_training(folder, table, tmp_path):
    cli("report", folder, "--out", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "sales: a forecast of 2 series of units" in page
    assert "<h2>007</h2>" in page
    assert "<h2>B</h2>" in page
    assert f"numlstm train {table} --target units --group store --horizon 2" in page


def test_rows_with_several_on_a_date_are_told_of_groups_where_they_can_be_named(stores, tmp_path):
    named = tmp_path / "named.csv"
    stores.replace({"store": {"007": "A"}}).to_csv(named, index=False)
    for command in ("train", "backtest"):
        error = cli(command, named, "--target", "units", code=2)
        assert "for each date has a row for each 'store': keep the rows of one" in error
        assert "or name that column by --group to forecast each" in error


def test_rows_are_those_of_the_table_for_any_number_of_targets(table):
    told = job.begin(table, {"target": ("units", "price"), "group": ("store",)}).introduction()
    assert told.startswith("sales: 4 series with 290 rows, date: daily; training 5 models on 232, each stopped by")
    assert told.endswith("held out 58")


def test_several_series_write_no_text(folder):
    sentence = f"Error: {folder} is a run of the task forecast, which writes no text\n"
    assert cli("generate", folder, code=2) == sentence


def test_a_picture_has_a_panel_for_each_of_a_few_series(folder, tmp_path, monkeypatch):
    from numlstm.tasks.forecast import charts

    seen, draw = [], charts._draw
    monkeypatch.setattr(charts, "_draw", lambda panel, curves: [seen.append(curves.title), draw(panel, curves)])
    cli("plot", folder, "--out", tmp_path / "two.png")
    assert [title.split(":")[0] for title in seen] == ["007", "B"]
    assert (tmp_path / "two.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda config: config["series"].pop(), "does not hold the series that config.json tells of"),
        (lambda config: config["series"][0].update(group=["x"]), "does not hold the series"),
        (lambda config: config["series"][0].update(group=["x", "y"]), "has the groups 'x', 'y', but 1 are needed"),
        (lambda config: config["series"][1].update(config["series"][0]), "its series do not fit each other"),
        (lambda config: config["series"][1]["split"].update(steps=149), "'B' has 150 rows, but .* tells of 149"),
        (lambda config: config.update(series=[]), "it tells of no series"),
        (lambda config: config.update(series=[1]), "must be described by an object"),
    ],
)  # fmt: skip
def test_a_damaged_description_is_refused(folder, tmp_path, damage, message):
    shutil.copytree(folder, tmp_path / "run")
    config = json.loads((folder / "config.json").read_text())
    damage(config)
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        run.load(tmp_path / "run")


# Several targets.


def test_each_target_is_a_series_that_sees_the_others(stores, tmp_path):
    alone = stores.loc[stores["store"] == "B", ["date", "units", "price"]]
    alone.to_csv(tmp_path / "t.csv", index=False)
    place = tmp_path / "run"
    cli("train", tmp_path / "t.csv", "--target", "units,price", *TINY, "--out", place)
    assert (place / "data.csv").read_text().splitlines()[0] == "date,units,price"
    loaded = run.load(place)
    assert [each.forecaster.columns for each in loaded.runs] == [("units", "price"), ("price", "units")]
    assert list(json.loads((place / "metrics.json").read_text())["series"]) == ["units", "price"]
    ahead = loaded.forecast()
    assert ahead.index.name == "date"
    assert list(ahead.columns)[:2] == ["units_predicted", "units_lower_80"]
    assert "price_predicted" in ahead.columns
    pd.testing.assert_frame_equal(loaded.forecast(alone), ahead, check_exact=True)
    table = loaded.predict(None, None)
    assert table.header[:3] == ("date", "units", "units_predicted")
    rows = list(table.rows)
    assert len(rows[0]) == len(table.header)
    at = table.header.index("price")
    assert [row[at] for row in rows] == alone["price"].tolist()[-len(rows) :]


@pytest.mark.parametrize("horizon", [1, 3])
def test_targets_are_fed_back_together_beyond_the_horizon(stores, tmp_path, horizon):
    alone = stores.loc[stores["store"] == "B", ["date", "units", "price"]]
    alone.to_csv(tmp_path / "t.csv", index=False)
    options = ("--target", "units,price", "--horizon", horizon, *TINY)
    cli("train", tmp_path / "t.csv", *options, "--out", tmp_path / "run")
    loaded = load(tmp_path / "run")
    found = loaded.forecast(steps=2 * horizon)
    first = loaded.forecast()
    pd.testing.assert_frame_equal(found.iloc[:horizon], first, check_exact=True, check_freq=False)
    known = pd.DataFrame(
        {"date": first.index.astype(str), "units": first["units_predicted"], "price": first["price_predicted"]}
    )
    later = loaded.forecast(pd.concat([alone, known], ignore_index=True))
    for target in ("units", "price"):
        name = f"{target}_predicted"
        np.testing.assert_allclose(found[name][horizon:], later[name], rtol=1e-4)
        assert (found[f"{target}_lower_95"] < found[f"{target}_lower_80"]).all()
    rows = read(cli("predict", tmp_path / "run", "--steps", 2 * horizon).split("trained in the same way\n")[-1])
    np.testing.assert_allclose(rows["price_predicted"], found["price_predicted"], rtol=1e-6)


def test_targets_that_see_further_columns_stop_at_the_horizon(stores, tmp_path):
    stores.assign(rain=np.arange(len(stores)) % 3).to_csv(tmp_path / "t.csv", index=False)
    options = ("--target", "units,price", "--features", "rain", "--group", "store")
    cli("train", tmp_path / "t.csv", *options, *TINY, "--out", tmp_path / "run")
    refused = cli("predict", tmp_path / "run", "--steps", 2, code=2)
    assert "at most 1 steps ahead, not 2: beyond that it needs future values of 'rain', which it does not" in refused


def test_several_targets_of_several_series(stores, tmp_path):
    stores.to_csv(tmp_path / "t.csv", index=False)
    place = tmp_path / "run"
    cli(
        "train", tmp_path / "t.csv", "--target", "units", "--target", "price", "--group", "store", *TINY, "--out", place
    )
    names = ["007, units", "007, price", "B, units", "B, price"]
    assert list(json.loads((place / "metrics.json").read_text())["series"]) == names
    loaded = run.load(place)
    assert loaded.panel.names == names
    assert len({id(each.forecaster.model) for each in loaded.runs}) == 1
    assert loaded.predict(None, 1).header[:4] == ("store", "date", "units_predicted", "units_lower_80")
    ahead = loaded.forecast(stores)
    assert ahead.shape[0] == 2
    assert not any(math.isnan(value) for value in ahead["price_predicted"])
    assert list(json.loads(cli("evaluate", place, tmp_path / "t.csv"))["series"]) == names


def test_columns_known_in_advance_are_those_of_each_series(stores, tmp_path):
    """The coming rows of the two stores begin on different dates."""
    ahead = [rows_of(store, 1.0, 6, start=start) for store, start in (("007", "2022-05-21"), ("B", "2022-05-31"))]
    coming = pd.concat(ahead)
    coming["units"] = np.nan
    pd.concat([stores, coming]).to_csv(tmp_path / "t.csv", index=False)
    options = ("--target", "units", "--group", "store", "--future", "price", "--strategy", "recursive", "--horizon", 2)
    cli("train", tmp_path / "t.csv", *options, *TINY, "--out", tmp_path / "run")
    loaded = run.load(tmp_path / "run")
    assert [len(each.series.coming) for each in loaded.runs] == [6, 6]
    own = loaded.forecast(steps=6)
    assert own.loc["007"].index[0] == pd.Timestamp("2022-05-21")
    assert own.loc["B"].index[0] == pd.Timestamp("2022-05-31")
    later = loaded.forecast(stores, steps=6, future=coming.drop(columns="units"))
    pd.testing.assert_frame_equal(later, own, check_exact=True)
    one = loaded.forecast(stores, steps=1, future=coming.drop(columns="units").drop_duplicates("store"))
    np.testing.assert_array_equal(one["predicted"], own.groupby("store")["predicted"].first())
    unknown = coming.drop(columns="units").assign(store=coming["store"].replace("B", "C"))
    with pytest.raises(ValueError, match="store 'C' was not in the training"):
        loaded.forecast(stores, future=unknown)
    with pytest.raises(ValueError, match="store 'B' has coming rows, but the data have no rows of it: take them out"):
        loaded.forecast(stores[stores["store"] == "007"], future=coming)
    with pytest.raises(ValueError, match=r"store '007' has 6 coming rows of 'price', but 7 are needed"):
        loaded.predict(loaded.panel.map(lambda series: series), 7)


@pytest.mark.parametrize(
    ("constant", "settings"),
    [
        (1234.5678, {}), (7.0, {"horizon": 3}), (7.0, {"transform": "log"}), (0.0, {}),
        (0.0, {"transform": "sqrt", "window": 1}), (1234.5678, {"rule": "none"}),
        (7.0, {"rule": "none", "difference": False, "horizon": 3}), (7.0, {"horizon": 3, "strategy": "recursive"}),
    ],
)  # fmt: skip
def test_a_constant_series_is_forecast_as_its_constant(stores, constant, settings, tmp_path):
    stores.assign(units=stores["units"].where(stores["store"] == "B", constant)).to_csv(tmp_path / "t.csv", index=False)
    panel = read_panel(tmp_path / "t.csv", ["units"], groups=["store"])
    training = train(panel, replace(SMALL, **settings), verbose=0)
    assert training.metrics["series"]["007"]["coverage"] == {"80": 1.0, "95": 1.0}
    assert training.metrics["series"]["007"]["rmse"] == 0.0
    run.save(tmp_path, panel, training)
    ahead = load(tmp_path).forecast(steps=20).loc["007"]
    assert (ahead == constant).to_numpy().all()
    assert training.metrics["series"]["B"]["rmse"] > 0


def test_options_of_reading_are_for_all_series(stores, tmp_path):
    shuffled = stores.sample(frac=1, random_state=0)
    shuffled.to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    options = ReadOptions(decimal=",", sort=True)
    panel = read_panel(tmp_path / "t.csv", ["units"], groups=["store"], options=options)
    assert sorted(panel.keys) == [("007",), ("B",)]
    for key, series in zip(panel.keys, panel, strict=True):
        expected = stores.loc[stores["store"] == key[0], "units"]
        np.testing.assert_array_equal(series.values[:, 0], expected)
