"""Series: read, completed, scaled, cut into windows."""

import csv
import io
import re

import numpy as np
import pytest
from witness import witness

from numlstm import Sequential, utils
from numlstm.data import Scaler, Series, complete, read_csv, sine, sliding_windows, sunspots, write_csv
from numlstm.data.axis import extend, labels
from numlstm.layers import LSTM, Dense


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def dates(*texts):
    return np.array(texts, dtype="datetime64[us]")


# Reading.


def test_target_comes_first_and_dates_become_the_axis(table):
    path = table("price,date,units\n5,2020-01-01,1\n6,2020-01-02,2.5\n7,2020-01-03,3\n")
    series = read_csv(path, "units", ["price"])
    assert series.columns == ("units", "price")
    assert series.target == "units"
    assert series.axis_name == "date"
    assert labels(series.axis) == ["2020-01-01", "2020-01-02", "2020-01-03"]
    np.testing.assert_array_equal(series.values, [[1, 5], [2.5, 6], [3, 7]])


@pytest.mark.parametrize(
    "text",
    [
        "date;units\n2020-01-01;1\n2020-02-01;2\n",
        "date\tunits\n2020-01-01\t1\n2020-02-01\t2\n",
        "date|units\n2020-01-01|1\n2020-02-01|2\n",
        '"date", "units"\n"2020-01-01", "1"\n"2020-02-01", "2"\n',
        "date,units,\n2020-01-01,1,\n2020-02-01,2,\n",
        "date,units\r\n20200101,1\r\n20200201,2\r\n",
        "date,units\n2020-02-01,2\n2020-01-01,1\n",
    ],
    ids=["semicolons", "tabs", "bars", "quotes", "trailing comma", "numbers as dates", "newest first"],
)
def test_spellings_of_one_table(table, text):
    series = read_csv(table(text))
    assert (series.axis_name, series.columns) == ("date", ("units",))
    assert labels(series.axis) == ["2020-01-01", "2020-02-01"]
    assert series.values.tolist() == [[1], [2]]


def test_byte_order_mark_is_no_part_of_a_name(table):
    assert read_csv(table("units,x\n1,5\n3,4\n", "utf-8-sig"), "units").columns == ("units",)


def test_day_first_dates_are_understood_where_month_first_makes_no_sense(table):
    rows = "".join(f"{day:02}.02.2020,{day}\n" for day in range(1, 20))
    assert labels(read_csv(table("day,units\n" + rows)).axis)[-1] == "2020-02-19"


def test_an_axis_may_be_growing_numbers_or_be_counted(table):
    assert read_csv(table("year,units\n1999,4\n2001,3\n2002,5\n")).axis.tolist() == [1999, 2001, 2002]
    series = read_csv(table("units,shop\n4,a\n3,b\n"), "units")
    assert (series.axis_name, series.axis.tolist()) == (None, [1, 2])


def test_a_column_that_is_alone_is_the_target(table):
    """Even where its numbers grow, as an axis' would."""
    series = read_csv(table("units\n1\n4\n9\n"))
    assert (series.axis_name, series.columns, series.axis.tolist()) == (None, ("units",), [1, 2, 3])


def test_times_of_day_are_no_dates(table):
    """pandas would add today's date to them, another one tomorrow."""
    series = read_csv(table("time,units\n00:01,1\n00:02,2\n9:03 PM,5\n"), "units")
    assert (series.axis_name, series.axis.tolist()) == (None, [1, 2, 3])


@pytest.mark.parametrize("field", ["$5", "5 %", "-", '"5,5"', '"1,234.50"'])
def test_what_is_no_number_in_the_only_column_is_named(table, field):
    """Rather than that a target must be named."""
    path = table(f"date,units,\n2020-01-01,1,\n2020-01-02,{field},\n")
    with pytest.raises(ValueError, match=r"row 2 \(date 2020-01-02\), column 'units' holds .*, not a number"):
        read_csv(path)


def test_a_whole_column_of_dates_goes_before_one_with_gaps(table):
    series = read_csv(table("sent,date,units\n,2020-01-01,1\n2020-02-01,2020-01-02,2\n"), "units")
    assert series.axis_name == "date"


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("", "a", "no CSV table"),
        ("\n\n", "a", "no CSV table"),
        ("a,b\n", "a", "has a header but no rows"),
        ("a,a\n1,2\n", "a", "two columns named 'a'"),
        ("a,b\n1,2\n3,4,5\n", "a", "line 3"),
        ("a,b\n1,2,3\n1,2,3\n", "a", "more fields than its header"),
        ("a,b\n1,2\n", "c", "no column 'c'; it has 'a', 'b'"),
        ("a,b,c\n1,x,4\n0,y,2\n", None, r"target column must be named \(target=\): .* numbers 'a', 'c'$"),
        ("a,b\nu,x\nv,y\n", None, r"target column must be named \(target=\): .* has no numbers, but 'a', 'b'$"),
        ("date,a\n2020-01-01,1\n2020-01-02,n/k\n", "a", r"row 2 \(date 2020-01-02\), column 'a' holds 'n/k'"),
        ('date,a\n2020-01-01,1\n2020-01-02,"1,5"\n', "a", "holds '1,5', not a number"),
        ("date,a\n2020-01-02,1\n2020-01-05,2\n2020-01-03,3\n", "a", "row 3 holds '2020-01-03'"),
        ("date,a\n2020-01-02,1\n2020-01-02,2\n", "a", "row 2 holds '2020-01-02'"),
        ("date,a\n2020-01-02,1\n2020-13-03,2\n", "a", "row 2 holds '2020-13-03'"),
        ("date,a\n2020-01-02,1\n,2\n", "a", "column 'date' must hold a date in every row"),
    ],
)
def test_bad_tables_are_refused_in_words(table, text, target, message):
    with pytest.raises(ValueError, match=message):
        read_csv(table(text), target)


def test_other_encodings_and_double_columns_are_refused(table):
    with pytest.raises(ValueError, match="not UTF-8"):
        read_csv(table("größe\n1\n2\n", "latin-1"))
    path = table("a,b\n1,2\n3,4\n")
    with pytest.raises(ValueError, match="must be named once"):
        read_csv(path, "a", ["a"])
    with pytest.raises(ValueError, match="is the axis"):
        read_csv(path, "a", axis="a")
    with pytest.raises(FileNotFoundError):
        read_csv(path.with_name("nope.csv"))


# Missing values.


def gappy(*values):
    steps = np.array([0, 1, 3, 4][: len(values)])
    return Series("s", "t", steps, ("a",), np.array(values, dtype=float)[:, None], np.arange(1, len(values) + 1))


def test_missing_values_are_refused_with_row_axis_and_column():
    with pytest.raises(ValueError, match=r"row 3 \(t 3\), column 'a' is missing"):
        complete(gappy(1, 2, np.nan, 4))


@pytest.mark.parametrize(
    ("values", "ways"),
    [
        ((1, 2, np.nan, 4), "'drop', 'ffill' or 'interpolate'"),
        ((1, 2, 3, np.nan), "'drop' or 'ffill'"),
        ((np.nan, 2, 3, 4), "'drop'"),
    ],
)
def test_only_what_does_without_the_missing_values_is_advised(values, ways):
    with pytest.raises(ValueError, match=rf"is missing \(missing={ways} does without it\)$"):
        complete(gappy(*values))


def test_nothing_is_advised_if_nothing_is_known():
    with pytest.raises(ValueError, match=r"column 'a' is missing$"):
        complete(gappy(np.nan, np.nan))


def test_policies_for_missing_values():
    series = gappy(1, 2, np.nan, 5)
    dropped = complete(series, "drop")
    assert dropped.values[:, 0].tolist() == [1, 2, 5]
    assert (dropped.axis.tolist(), dropped.rows.tolist()) == ([0, 1, 4], [1, 2, 4])
    assert complete(series, "ffill").values[:, 0].tolist() == [1, 2, 2, 5]
    assert complete(series, "interpolate").values[:, 0].tolist() == [1, 2, 4, 5]  # along the axis, whose step is 2
    assert np.isnan(series.values[2, 0])


def test_filled_values_are_counted():
    assert complete(gappy(1, np.nan, 3, np.nan), "ffill").notes == ("2 missing values are filled by ffill",)
    assert complete(gappy(1, np.nan, 3), "interpolate").notes == ("1 missing value is filled by interpolate",)
    assert complete(gappy(1, 2), "ffill").notes == ()


@pytest.mark.parametrize(
    ("missing", "values", "advice"),
    [
        ("ffill", (np.nan, 2, 3), "is missing and has no value before it: give missing='drop'"),
        ("interpolate", (1, 2, np.nan), "is missing and lies at an end of the series: give missing='drop' or 'ffill'"),
        ("ffill", (np.nan, np.nan), "is missing and has no value before it"),
    ],
)
def test_a_policy_that_cannot_fill_names_those_that_can(missing, values, advice):
    with pytest.raises(ValueError, match=f"{re.escape(advice)}$"):
        complete(gappy(*values), missing)


def test_rows_that_are_dropped_at_the_end_are_counted():
    assert complete(gappy(1, np.nan, 3), "drop").notes == ()
    (note,) = complete(gappy(1, np.nan, 3, np.nan), "drop").notes
    assert re.fullmatch(r"the last row misses a value and is dropped: forecasts begin after row 3( \(.*\))?", note)
    (note,) = complete(gappy(1, 2, np.nan, np.nan), "drop").notes
    assert note.startswith("the last 2 rows miss a value and are dropped: forecasts begin after row 2")


@pytest.mark.parametrize("policy", ["ffill", "interpolate"])
def test_a_gap_with_nothing_before_it_cannot_be_filled(policy):
    with pytest.raises(ValueError, match="row 1 "):
        complete(gappy(np.nan, 2, 3, 4), policy)


def test_a_gap_at_the_end_is_not_interpolated_and_nothing_is_not_a_series():
    with pytest.raises(ValueError, match="row 4 "):
        complete(gappy(1, 2, 3, np.nan), "interpolate")
    with pytest.raises(ValueError, match="nothing is left"):
        complete(gappy(np.nan, np.nan), "drop")
    with pytest.raises(ValueError, match="missing must be one of"):
        complete(gappy(1, 2), "guess")


@pytest.mark.parametrize("policy", ["refuse", "drop", "ffill", "interpolate"])
def test_infinity_is_always_refused(policy):
    with pytest.raises(ValueError, match=r"row 2 \(t 1\), column 'a' is infinite"):
        complete(gappy(1, np.inf, np.nan, 4), policy)


# Writing.


def test_a_written_series_reads_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(1)
    axes = {
        "x": rng.random(9).cumsum(),
        "year": np.arange(1700, 1709),
        "day": np.datetime64("2020-02-27", "us") + np.arange(9) * np.timedelta64(1, "D"),
        "moment": np.datetime64("2020-02-27", "us") + np.arange(9) * np.timedelta64(1234567, "us"),
        None: np.arange(1, 10),
    }
    for name, axis in axes.items():
        values = rng.normal(size=(9, 2)) * 10.0 ** rng.integers(-9, 9, (9, 2))
        series = Series("s", name, axis, ("b", "a"), values, np.arange(1, 10))
        with (tmp_path / "s.csv").open("w", newline="") as file:
            write_csv(series, file)
        back = read_csv(tmp_path / "s.csv", "b", ["a"], name)
        np.testing.assert_array_equal(back.values, series.values)
        np.testing.assert_array_equal(back.axis, axis)
        assert back.axis_name == name


def test_names_with_separators_are_quoted():
    file = io.StringIO()
    write_csv(Series("s", 'the "day"', np.arange(2), ("a,b",), np.ones((2, 1)), np.arange(2)), file)
    assert next(csv.reader([file.getvalue().splitlines()[0]])) == ['the "day"', "a,b"]


# Axes.


@pytest.mark.parametrize(
    ("axis", "following"),
    [
        (dates("2019-12-31", "2020-01-31", "2020-02-29"), ["2020-03-31", "2020-04-30"]),
        (dates("2020-01-01", "2020-02-01", "2020-03-01"), ["2020-04-01", "2020-05-01"]),
        (dates(*(f"2020-01-{day:02}" for day in (1, 2, 3, 6, 7, 8, 9, 10))), ["2020-01-13", "2020-01-14"]),
        (dates("2020-01-01", "2020-01-02", "2020-01-05", "2020-01-06"), ["2020-01-07", "2020-01-08"]),
        (dates("2020-01-01T00:00", "2020-01-01T00:15"), ["2020-01-01T00:30:00", "2020-01-01T00:45:00"]),
        (np.array([1700, 1701, 1702]), ["1703", "1704"]),
        (np.array([0.5, 0.75]), ["1.0", "1.25"]),
    ],
    ids=["month ends", "months", "business days", "days with a gap", "quarter hours", "years", "numbers"],
)
def test_an_axis_goes_on_as_it_came(axis, following):
    assert labels(extend(axis, 2)) == following


@pytest.mark.parametrize("axis", [np.array([1]), np.array(["2024-01-01"], "datetime64[us]"), np.zeros(0)], ids=str)
def test_too_short_an_axis_does_not_tell_how_it_goes_on(axis):
    with pytest.raises(ValueError, match=f"{len(axis)} rows do not tell how their axis goes on"):
        extend(axis, 2)


# Scaling and windows.


def test_scalers_do_what_their_names_say_and_undo_it():
    values = np.random.default_rng(0).normal([3, -5], [2, 70], (50, 2))
    standard = Scaler.fit(values, "standard").transform(values)
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standard.std(axis=0), 1)
    minmax = Scaler.fit(values, "minmax").transform(values)
    assert (minmax.min(axis=0).tolist(), minmax.max(axis=0).tolist()) == ([0, 0], [1, 1])
    np.testing.assert_array_equal(Scaler.fit(values, "none").transform(values), values)
    for scaling in ("standard", "minmax", "none"):
        scaler = Scaler.from_dict(Scaler.fit(values, scaling).to_dict())
        np.testing.assert_allclose(scaler.inverse(scaler.transform(values)[:, 1], 1), values[:, 1])


def test_a_constant_column_is_only_shifted():
    for scaling in ("standard", "minmax"):
        scaler = Scaler.fit(np.full((5, 1), 7.0), scaling)
        assert scaler.transform(np.array([[8.0]])).tolist() == [[1.0]]


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"offset": [1], "scale": [0]},
        {"offset": [1, 2], "scale": [1]},
        {"offset": ["x"], "scale": [1]},
        {"offset": [float("nan")], "scale": [1]},
        {"offset": 1, "scale": 1},
    ],
)
def test_what_is_no_scaler_is_refused(content):
    with pytest.raises(ValueError, match="a scaler needs"):
        Scaler.from_dict(content)


def test_rounding_does_not_make_a_constant_column_vary():
    scaler = Scaler.fit(np.full((100, 1), 0.1))
    assert scaler.scale == 1
    np.testing.assert_allclose(scaler.transform(np.array([[0.2]])), 0.1)


def test_unscalable_numbers_and_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="too large"):
        Scaler.fit(np.array([[-1e308], [1e308]]))
    with pytest.raises(ValueError, match="scaling must be one of"):
        Scaler.fit(np.ones((2, 1)), "robust")


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (3, 1), (2, 3), (5, 2)])
def test_windows_and_what_follows_them(window, horizon):
    values = np.arange(14.0).reshape(7, 2)
    inputs, targets = sliding_windows(values, window, horizon)
    count = 7 - window - horizon + 1
    assert (inputs.shape, targets.shape) == ((count, window, 2), (count, horizon))
    for i in range(count):
        np.testing.assert_array_equal(inputs[i], values[i : i + window])
        np.testing.assert_array_equal(targets[i], values[i + window : i + window + horizon, 0])


def test_impossible_windows_are_refused():
    with pytest.raises(ValueError, match="need at least 8 steps, not 7"):
        sliding_windows(np.ones((7, 1)), 7)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        sliding_windows(np.ones((7, 1)), 0)


# Bundled data.


def test_the_sine_is_the_same_every_time_and_as_noisy_as_it_says():
    series = sine()
    assert (len(series), series.axis[0], series.axis[-1]) == (1000, 0.0, 50.0)
    np.testing.assert_array_equal(series.values, sine().values)
    assert np.std(series.values[:, 0] - np.sin(series.axis)) == pytest.approx(0.1, rel=0.05)
    with pytest.raises(ValueError, match="samples must be at least 2"):
        sine(1)


def test_the_sunspots_are_whole():
    series = sunspots()
    assert (len(series), series.axis[0], series.axis[-1]) == (309, 1700, 2008)
    assert (series.values[0, 0], series.values[-1, 0]) == (5.0, 2.9)
    assert series.values.sum() == pytest.approx(15373.4)


# Windows as Keras cuts them

SERIES, TARGETS = np.arange(200.0).reshape(100, 2), np.arange(100)
CUTS = [
    {"sequence_length": 5},
    {"sequence_length": 5, "sequence_stride": 3, "sampling_rate": 2},
    {"sequence_length": 7, "start_index": 10, "end_index": 60, "batch_size": 4},
    {"sequence_length": 3, "batch_size": None, "end_index": 9},
    {"sequence_length": 4, "start_index": 90, "batch_size": 3, "sampling_rate": 2},
]


@pytest.mark.parametrize("targets", [TARGETS, None], ids=["targets", "no targets"])
@pytest.mark.parametrize("options", CUTS, ids=str)
def test_windows_are_keras_windows(options, targets):
    keras = witness("keras")
    witness("grain")
    cut = keras.utils.timeseries_dataset_from_array
    expected = list(cut(SERIES, targets, format="grain", **options))
    made = utils.timeseries_dataset_from_array(SERIES, targets, **options)
    assert len(made) == len(expected)
    for ours, theirs in zip(made, expected, strict=True):
        for one, other in zip(*(([ours], [theirs]) if targets is None else (ours, theirs)), strict=True):
            np.testing.assert_array_equal(one, np.asarray(other))


@pytest.mark.parametrize("options", CUTS, ids=str)
def test_a_window_begins_at_its_target(options):
    rate = options.get("sampling_rate", 1)
    for x, y in utils.timeseries_dataset_from_array(SERIES, TARGETS, **options):
        first = np.asarray(y)[..., None] + rate * np.arange(options["sequence_length"])
        np.testing.assert_array_equal(x[..., 0], 2 * first)


def test_shuffled_windows_are_the_same_in_another_order():
    passes = []
    for _ in range(2):
        made = utils.timeseries_dataset_from_array(SERIES, TARGETS, 5, batch_size=8, shuffle=True, seed=1)
        passes += [np.concatenate([y for _, y in made]) for _ in range(2)]
    np.testing.assert_array_equal(passes[:2], passes[2:])
    assert (passes[0] != passes[1]).any()
    np.testing.assert_array_equal(np.sort(passes[0]), np.arange(96))


def test_windows_train_a_model():
    model = Sequential([LSTM(2), Dense(1)])
    model.compile("sgd", "mse")
    windows = utils.timeseries_dataset_from_array(SERIES / 200, TARGETS / 100, 5, batch_size=16)
    model.fit(windows, epochs=2, verbose=0, validation_data=windows)
    assert model.optimizer.iterations == 2 * len(windows) == 12
    assert model.predict(windows).shape == (96, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequence_length": 101}, "no window fits: it takes 101 steps and a target, but there are 100 steps"),
        ({"sequence_length": 0}, "sequence_length must be at least 1"),
        ({"sequence_length": 5, "end_index": 100}, "end_index must be at most 99"),
        ({"sequence_length": 5, "start_index": -1}, "start_index must be at least 0"),
        ({"sequence_length": 5, "start_index": 9, "end_index": 9}, "end_index must be at least 10"),
        ({"sequence_length": 5, "sampling_rate": 100}, "sampling_rate must be at most 99"),
        ({"sequence_length": 5, "format": "torch"}, "format must be 'tf' or 'grain'"),
    ],
    ids=str,
)
def test_windows_that_cannot_be_cut(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        utils.timeseries_dataset_from_array(SERIES, TARGETS, **options)
