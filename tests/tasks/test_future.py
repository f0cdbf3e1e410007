"""Columns that are known in advance: what a model sees of them, where their coming values are, and what is refused."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.data import ReadOptions, Series, complete, read_csv, write_csv
from numlstm.tasks import load
from numlstm.tasks.forecast import run
from numlstm.tasks.forecast.ahead import ahead
from numlstm.tasks.forecast.choose import choose_inputs, plain_inputs
from numlstm.tasks.forecast.fitted import FittedForecaster
from numlstm.tasks.forecast.repeat import command
from numlstm.tasks.forecast.settings import REAL
from numlstm.tasks.forecast.split import Split
from numlstm.tasks.forecast.train import train

QUICK = replace(REAL, units=3, epochs=2, ensemble=2, device="cpu")


def holidays(rows=240, coming=0, seed=0):
    """A daily series with a week, which falls by 20 on each holiday; one in eight days is one."""
    rng, t = np.random.default_rng(seed), np.arange(rows + coming)
    holiday = (rng.random(rows + coming) < 0.125).astype(float)
    units = 100 + 8 * np.sin(2 * np.pi * t / 7) - 20 * holiday + rng.normal(0, 1, rows + coming)
    return pd.DataFrame({
        "date": pd.date_range("2022-01-01", periods=rows + coming), "units": np.where(t < rows, units, np.nan),
        "holiday": holiday,
    })  # fmt: skip


def read(frame, tmp_path, future=("holiday",), features=(), **options):
    frame.to_csv(tmp_path / "s.csv", index=False)
    return read_csv(tmp_path / "s.csv", "units", features, options=ReadOptions(**options), future=future)


def numlstm(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm")
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.output


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


# The rows after the end.


def test_rows_after_the_last_target_are_the_coming_ones(tmp_path):
    series = read(holidays(30, 5), tmp_path)
    assert (len(series), series.columns, series.future) == (30, ("units", "holiday"), ("holiday",))
    assert series.coming.values[:, 0].tolist() == holidays(30, 5)["holiday"][30:].tolist()
    assert series.coming.labels() == series.next_labels(5)
    assert series.next_labels(6)[::5] == ["2022-01-31", "2022-02-05"]
    assert len(read(holidays(30), tmp_path).coming) == 0


def test_a_file_without_future_columns_still_misses_them(tmp_path):
    series = read(holidays(30, 5), tmp_path, future=(), features=("holiday",))
    assert (len(series), series.coming) == (35, None)
    with pytest.raises(ValueError, match=r"row 31 \(date 2022-01-31\), column 'units' is missing"):
        complete(series)


@pytest.mark.parametrize("frame", [holidays(30, 5), holidays(30, 5).drop(columns="date")])
def test_a_written_series_is_read_with_its_coming_rows(tmp_path, frame):
    series = read(frame, tmp_path)
    with (tmp_path / "again.csv").open("w") as file:
        write_csv(series, file)
    again = read_csv(tmp_path / "again.csv", "units", future=("holiday",))
    for ours, theirs in ((series, again), (series.coming, again.coming)):
        np.testing.assert_array_equal(ours.values, theirs.values)
        np.testing.assert_array_equal(ours.axis, theirs.axis)


@pytest.mark.parametrize("gap", [31, 30])
def test_gaps_in_the_coming_rows_are_filled_as_others_are(tmp_path, gap):
    frame = holidays(30, 5)
    frame.loc[29, "holiday"] = 0.5
    holed = complete(read(frame.drop(index=gap), tmp_path), "ffill")
    assert holed.labels()[-1] == "2022-01-30"
    assert len(holed.coming) == 5
    assert holed.coming.values[gap - 30, 0] == frame["holiday"][gap - 1]
    frame.loc[gap, "holiday"] = np.nan
    assert complete(read(frame, tmp_path), "ffill").coming.values[gap - 30, 0] == frame["holiday"][gap - 1]


def moved(frame, row, days):
    return frame.assign(date=frame["date"].mask(frame.index == row, frame["date"] + pd.Timedelta(days=days)))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (holidays(30, 5).drop(index=31), r"date is daily, but 1 date is absent: 2022-02-01; give missing='ffill' or"),
        (holidays(30, 5).drop(index=30), r"date is daily, but 1 date is absent: 2022-01-31; give missing='ffill' or"),
        (moved(holidays(60, 5), 62, 0.25), r"row 63 .*does not continue date, which is daily: 2022-03-04 is next"),
        (holidays(30, 5).assign(units=np.nan), "column 'units' is empty in every row: give rows with a target"),
        (holidays(30, 5).replace({"holiday": {1.0: np.inf}}), "column 'holiday' is infinite"),
        (
            holidays(30, 5).assign(holiday=lambda f: f["holiday"].mask(f.index == 32)),
            r"row 33 \(date 2022-02-02\), column 'holiday' is missing \(missing='drop', 'ffill' or 'interpolate'",
        ),
    ],
)
def test_coming_rows_that_do_not_go_on_are_refused(tmp_path, frame, message):
    with pytest.raises(ValueError, match=message):
        complete(read(frame, tmp_path))


# What a model sees.


def fitted(series, **settings):
    settings = replace(QUICK, test_fraction=0.0, **settings)
    split = Split.of(series.clock, settings)
    if settings.rule == "none":
        return plain_inputs(series, settings, split)
    return choose_inputs(series, settings, split, None if settings.season == "none" else settings.season)


def test_a_step_shows_the_present_value_and_those_of_the_horizon(tmp_path):
    series = read(holidays(60), tmp_path)
    x = series.values[:, 1]
    inputs = fitted(series, horizon=3, season="none", calendar="none")
    seen = inputs.raw(series.values, None, np.array([20, 56]))
    assert seen.shape == (2, inputs.window, inputs.features(2)) == (2, inputs.window, 3 + 4)
    for row, origin in enumerate((20, 56)):
        for step in range(inputs.window):
            t = origin - inputs.window + 1 + step
            np.testing.assert_array_equal(seen[row, step, 3:], x[t : t + 4])
    inputs = fitted(series, horizon=3, season=7, calendar="none", window=5)
    seen = inputs.raw(series.values, None, np.array([20, 56]))[:, -1, 3:]
    for row, origin in enumerate((20, 56)):
        ahead = np.arange(origin, origin + 4)
        np.testing.assert_array_equal(seen[row], [*x[ahead], *(x[ahead] - x[ahead - 7])])


@pytest.mark.parametrize("difference", [True, False])
def test_without_a_rule_a_step_shows_them_scaled(tmp_path, difference):
    series = read(holidays(60), tmp_path)
    inputs = fitted(series, rule="none", horizon=2, window=4, difference=difference, scaling="minmax")
    changes = np.diff(series.values, axis=0) if difference else series.values
    scaled = (changes - inputs.scaler.offset[:2]) / inputs.scaler.scale[:2]
    origin = 30 - difference  # The change to a step is one row earlier.
    expected = [[*scaled[t], scaled[t + 1, 1], scaled[t + 2, 1]] for t in range(origin - 3, origin + 1)]
    np.testing.assert_allclose(inputs.windows(series.values, None, np.array([30]))[0], expected)


@pytest.mark.parametrize("rule", ["auto", "none"])
@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_nothing_else_is_seen_after_the_origin(tmp_path, rule, strategy):
    """Neither the target nor a past column; the future column changes nothing after the horizon."""
    series = read(holidays(80, 3), tmp_path)
    training = train(series, replace(QUICK, rule=rule, horizon=3, strategy=strategy, refit=False), verbose=0)
    before = training.tested.over(series).predicted
    first = training.tested.reach
    values = series.values.copy()
    values[60:, 0] += 1000
    np.testing.assert_array_equal(training.tested.over(replace(series, values=values)).predicted[: 60 - first],
                                  before[: 60 - first])  # fmt: skip
    values = series.values.copy()
    values[60:, 1] += 1
    after = training.tested.over(replace(series, values=values)).predicted
    np.testing.assert_array_equal(after[: 58 - first], before[: 58 - first])
    assert (after[58 - first] != before[58 - first]).any()


# Training.


@pytest.mark.parametrize(
    "settings", [{}, {"horizon": 2}, {"horizon": 2, "strategy": "recursive"}, {"rule": "none", "ensemble": 1}]
)
def test_the_held_out_part_and_the_coming_rows_change_nothing_that_was_chosen_or_learned(tmp_path, settings):
    series, settings = complete(read(holidays(140, 4), tmp_path)), replace(QUICK, refit=False, **settings)
    test, rng = Split.of(series.clock, settings).test, np.random.default_rng(1)
    values, axis = series.values.copy(), series.axis.copy()
    values[test:] = rng.normal(1e4, 1e4, values[test:].shape)
    axis[test:] += np.timedelta64(5000, "D")
    coming = replace(series.coming, values=rng.normal(1e4, 1e4, (4, 1)))
    plain, blind = (
        train(each, settings, verbose=0) for each in (series, replace(series, values=values, axis=axis, coming=coming))
    )
    assert plain.history == blind.history
    assert plain.tested.inputs.to_dict() == blind.tested.inputs.to_dict()
    assert plain.tested.rivals == blind.tested.rivals
    assert plain.tested.intervals.to_dict() == blind.tested.intervals.to_dict()
    for ours, theirs in zip(plain.tested.model.get_weights(), blind.tested.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert plain.metrics["rmse"] != blind.metrics["rmse"]


@pytest.mark.parametrize("settings", [{}, {"horizon": 7}, {"horizon": 7, "strategy": "recursive"}, {"rule": "none"}])
def test_a_holiday_that_is_known_is_forecast(tmp_path, settings):
    settings = {"ensemble": 1} | settings
    chosen = replace(REAL, units=12, epochs=60, refit=False, device="cpu", **settings)
    errors = {}
    for future in ((), ("holiday",)):
        errors[future] = train(read(holidays(400), tmp_path, future), chosen, verbose=0).metrics["rmse"]
    assert errors[("holiday",)] < 0.6 * errors[()]


# Runs.


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Runs of a file with 20 coming rows, at once and step by step; and the file."""
    folder = tmp_path_factory.mktemp("runs")
    frame = holidays(140, 20).assign(price=lambda f: 2 + np.sin(np.arange(len(f)) / 5))
    frame.to_csv(folder / "sales.csv", index=False)
    quick = ["--target", "units", "--future", "holiday,price", "--units", 3, "--epochs", 2, "--ensemble", 2, "--quiet"]
    quick += ["--window", 7, "--transform", "none"]
    for name, more in (("direct", ()), ("recursive", ("--strategy", "recursive")), ("plain", ("--rule", "none"))):
        numlstm("train", folder / "sales.csv", *quick, "--horizon", 3, *more, "--out", folder / name, "--no-plot")
    return folder, frame


@pytest.mark.parametrize("name", ["direct", "recursive", "plain"])
def test_a_run_forecasts_from_its_own_coming_rows_and_from_those_of_a_file(trained, tmp_path, name):
    folder, frame = trained
    own = numlstm("predict", folder / name, "--steps", 15)
    assert [row["date"] for row in table(own)] == frame["date"][140:155].dt.strftime("%Y-%m-%d").tolist()
    assert numlstm("predict", folder / name, folder / "sales.csv", "--steps", 15) == own
    frame.iloc[:155].to_csv(tmp_path / "less.csv", index=False)
    assert numlstm("predict", folder / name, tmp_path / "less.csv", "--steps", 15) == own
    frame.assign(holiday=1 - frame["holiday"]).to_csv(tmp_path / "other.csv", index=False)
    assert numlstm("predict", folder / name, tmp_path / "other.csv", "--steps", 15) != own
    assert len(table(numlstm("predict", folder / name))) == len(
        table(numlstm("predict", folder / name, folder / "sales.csv"))
    )
    errors = json.loads(numlstm("evaluate", folder / name))
    assert errors["rmse"] == json.loads((folder / name / "metrics.json").read_text())["rmse"]
    assert json.loads(numlstm("evaluate", folder / name, folder / "sales.csv"))["origins"] > errors["origins"]
    numlstm("plot", folder / name, "--out", tmp_path / "p.png")


def test_the_introduction_names_what_is_known_in_advance(trained, tmp_path):
    folder, _ = trained
    arguments = ("--target", "units", "--future", "holiday", "--future", "price", "--epochs", 1, "--no-refit")
    output = numlstm("train", folder / "sales.csv", *arguments, "--out", tmp_path / "run", "--no-plot")
    assert "sales: 140 rows, date: daily" in output
    assert "held out 28, known in advance 20 more of 'holiday', 'price'\n" in output


def test_frames_bring_the_coming_rows_at_their_end_or_apart(trained):
    folder, frame = trained
    loaded = load(folder / "direct")
    own = loaded.forecast(steps=12)
    assert own.index[0] == pd.Timestamp("2022-05-21")
    known, coming = frame.iloc[:140], frame.iloc[140:].drop(columns="units")
    for data, future in (
        (frame, None), (known, coming), (known, coming.set_index("date")), (known.set_index("date"), coming),
        (None, coming), (folder / "sales.csv", coming), (frame, coming),
    ):  # fmt: skip
        pd.testing.assert_frame_equal(loaded.forecast(data, steps=12, future=future), own, check_exact=True)
    changed = coming.assign(holiday=1 - coming["holiday"])
    assert (loaded.forecast(known, 12, future=changed)["predicted"] != own["predicted"]).any()
    assert len(loaded.forecast(known, future=coming)) == 3
    for name in ("date", "holiday"):
        with pytest.raises(ValueError, match=f"neither a column '{name}'|no column '{name}'"):
            loaded.forecast(known, future=coming.drop(columns=name))
    with pytest.raises(ValueError, match=r"frame: the coming row 1 \(date 2022-05-23\) does not continue|are absent"):
        loaded.forecast(known, future=coming.iloc[2:])
    with pytest.raises(ValueError, match=r"must be after the last known one, row 140 \(date 2022-05-20\)"):
        loaded.forecast(known, future=frame.iloc[130:])
    with pytest.raises(ValueError, match=r"frame has 0 coming rows of 'holiday', 'price', but 12 are needed"):
        loaded.forecast(known, 12)


@pytest.mark.parametrize("missing", ["refuse", "drop"])
def test_gaps_before_the_coming_rows_of_a_frame_are_treated_as_without_them(trained, missing):
    folder, frame = trained
    loaded = replace(load(folder / "direct"), missing=missing)
    known, coming = frame.iloc[:140].drop(index=100), frame.iloc[140:]
    pd.testing.assert_frame_equal(loaded.forecast(known, future=coming), loaded.forecast(pd.concat([known, coming])))


def test_a_training_that_goes_on_has_its_coming_rows(trained, tmp_path):
    folder, _ = trained
    series = complete(read_csv(folder / "sales.csv", "units", future=["holiday", "price"]))
    run.prepare(tmp_path, series, QUICK)
    again, settings = run.resume(tmp_path)
    assert (settings, again.columns, again.future) == (QUICK, series.columns, series.future)
    for ours, theirs in ((series, again), (series.coming, again.coming)):
        np.testing.assert_array_equal(ours.values, theirs.values)
        np.testing.assert_array_equal(ours.axis, theirs.axis)


def test_the_command_that_repeats_a_training_names_what_is_known_in_advance(trained, tmp_path):
    folder, _ = trained
    loaded = load(folder / "recursive")
    text = command(loaded.series, loaded.settings)
    assert "--target units --future holiday --future price --window 7 --horizon 3 --strategy recursive" in text
    numlstm("report", folder / "recursive", "--out", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Known in advance" in page
    assert "There is no forecast" not in page


def test_coming_hours_go_through_a_change_of_the_clock(tmp_path):
    frame = holidays(140, 30)
    hours = pd.date_range("2024-03-25T05:00", periods=170, freq="h", tz="Europe/Berlin")
    frame["date"] = [hour.isoformat() for hour in hours]  # The clock changes two hours after the last target.
    series = complete(read(frame, tmp_path, timezone="Europe/Berlin"))
    assert (len(series), len(series.coming)) == (140, 30)
    assert series.next_labels(30) == frame["date"][140:].tolist()
    assert pd.DatetimeIndex(series.next_clock(30)).equals(pd.DatetimeIndex(hours[140:].tz_localize(None), freq=None))


def test_dates_without_a_rule_are_those_of_the_coming_rows(tmp_path):
    frame = holidays(60, 5)
    frame["date"] += pd.to_timedelta(np.random.default_rng(0).integers(0, 20, 65).cumsum() * 3, unit="h")
    frame.to_csv(tmp_path / "s.csv", index=False)
    quick = ["--target", "units", "--future", "holiday", "--units", 2, "--epochs", 1, "--ensemble", 1, "--quiet"]
    numlstm("train", tmp_path / "s.csv", *quick, "--out", tmp_path / "run", "--no-plot")
    rows = table(numlstm("predict", tmp_path / "run", "--steps", 5))
    assert pd.to_datetime([row["date"] for row in rows]).tolist() == frame["date"][60:].tolist()


def test_too_few_coming_rows_are_refused_in_a_sentence(trained, tmp_path):
    folder, frame = trained
    frame.iloc[:142].to_csv(tmp_path / "few.csv", index=False)
    message = (
        "Error: few has 2 coming rows of 'holiday', 'price', but 3 are needed, as the model sees those of its whole"
        " horizon of 3: append rows with 'date', 'holiday', 'price' filled and 'units' empty\n"
    )
    assert numlstm("predict", folder / "direct", tmp_path / "few.csv", "--steps", 2, code=2) == message
    assert len(table(numlstm("predict", folder / "recursive", tmp_path / "few.csv", "--steps", 2))) == 2
    assert "has 20 coming rows of 'holiday', 'price', but 21 are needed" in numlstm(
        "predict", folder / "direct", "--steps", 21, code=2
    )
    message = "but 21 are needed: give them by future=, or append rows with 'date', 'holiday', 'price' filled"
    with pytest.raises(ValueError, match=message):
        load(folder / "direct").forecast(steps=21)


@pytest.mark.parametrize("name", ["direct", "plain"])
def test_a_part_of_the_horizon_needs_its_own_coming_rows_alone(trained, name):
    """The steps 19 and 20 are forecast from step 17 on, with the forecasts before it as values."""
    folder, frame = trained
    loaded = load(folder / name)
    found = loaded.forecast(steps=20)
    pd.testing.assert_frame_equal(found.iloc[:18], loaded.forecast(steps=18), check_freq=False)
    units = np.append(frame["units"][:140], found["predicted"][:17])
    later = frame.assign(units=np.append(units, [np.nan] * 3))
    np.testing.assert_allclose(found["predicted"][18:], loaded.forecast(later)["predicted"][1:], rtol=1e-5)
    assert (found["lower_80"] < found["predicted"]).all()
    assert found.notna().all(axis=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--future nothing", "has no column 'nothing'"),
        ("--future holiday --features holiday", "must be named once among target, features and the columns that are"),
        ("--future units", "must be named once among target, features and the columns that are known in advance"),
        ("--future date", "holds '2022-01-01', not a number"),
    ],
)
def test_columns_that_cannot_be_known_in_advance_are_refused(trained, tmp_path, arguments, message):
    folder, _ = trained
    output = numlstm("train", folder / "sales.csv", "--target", "units", *arguments.split(), code=2)
    assert message in output


def test_past_columns_stay_unknown_beyond_the_horizon(trained, tmp_path):
    folder, _ = trained
    quick = ["--target", "units", "--features", "price", "--future", "holiday", "--units", 3, "--epochs", 1, "--quiet"]
    more = [
        "--horizon",
        3,
        "--ensemble",
        2,
        "--window",
        7,
        "--transform",
        "none",
        "--out",
        tmp_path / "run",
        "--no-plot",
    ]
    numlstm("train", folder / "sales.csv", *quick, *more)
    assert len(table(numlstm("predict", tmp_path / "run", "--steps", 3))) == 3
    output = numlstm("predict", tmp_path / "run", "--steps", 4, code=2)
    assert (
        "at most 3 steps ahead, not 4: beyond that it needs future values of 'price', which it does not forecast (train"
        in output
    )


def test_coming_rows_are_refused_by_a_run_without_future_columns(tmp_path):
    frame = holidays(60)
    frame.to_csv(tmp_path / "s.csv", index=False)
    numlstm("train", tmp_path / "s.csv", "--target", "units", "--epochs", 1, "--quiet", "--out", tmp_path / "run",
            "--no-plot")  # fmt: skip
    with pytest.raises(ValueError, match="has no columns that are known in advance"):
        load(tmp_path / "run").forecast(frame, future=frame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"future": "holiday"}, "future must be a list, not 'holiday'"),
        ({"future": [1, 2]}, "the name of a column must be a string, not 1"),
        ({"future": ["holiday"]}, "its model sees 13 inputs, but scales"),
        ({"future": []}, "its model sees 5 inputs, but scales"),
        ({"settings": {"strategy": "both"}}, "strategy must be one of direct, recursive, not 'both'"),
        ({"settings": {"strategy": "recursive"}}, "but scales"),
    ],
)
def test_a_damaged_config_is_refused(trained, tmp_path, change, message):
    folder, _ = trained
    for file in (folder / "direct").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {name: config[name] | value if isinstance(value, dict) else value for name, value in change.items()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"config\.json is damaged: ") as caught:
        load(tmp_path)
    assert message in str(caught.value)


def test_a_series_made_by_hand_needs_coming_rows():
    values = np.ones((40, 2))
    series = Series("s", None, np.arange(1, 41), ("a", "b"), values, np.arange(1, 41))
    inputs = fitted(replace(series, coming=series.take(slice(0))), season="none")
    inputs = replace(inputs, future=1)
    with pytest.raises(
        ValueError,
        match="s has 0 coming rows of 'b', but 1 are needed: give them by future=, or append rows with 'b' f",
    ):
        ahead(FittedForecaster(None, inputs, series.columns), series, 1)
