"""The rules of axes, which of their dates are absent, and what follows. Dates as text, and time zones."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.data import ReadOptions, Series, complete, read_csv, write_csv
from numlstm.data.axis import extend, labels
from numlstm.data.rule import Rule, find_rule
from numlstm.data.zones import check_zone, to_local, to_utc


def moments(index):
    return pd.DatetimeIndex(index).to_numpy("datetime64[us]")


def days(*texts):
    return np.array(texts, dtype="datetime64[us]")


def every(freq, periods, start="2020-01-31"):
    return pd.date_range(start, periods=periods, freq=freq)


def business_days(without=()):
    index = pd.bdate_range("2023-09-01", "2024-01-12")
    return index[~index.isin(pd.DatetimeIndex(without))]


def opening_hours():
    hours = every("h", 24 * 40, "2024-01-01")
    return hours[(hours.day_of_week < 5) & (hours.hour >= 9) & (hours.hour < 17)]


@pytest.fixture
def read(tmp_path):
    """Reads a table of dates and numbers."""

    def make(dates, name="date", **options):
        path = tmp_path / "t.csv"
        path.write_text(f"{name},y\n" + "".join(f"{date},{row % 7}\n" for row, date in enumerate(dates)))
        return read_csv(path, "y", options=ReadOptions(**options))

    return make


# Rules.


@pytest.mark.parametrize(
    ("axis", "rule", "absent", "following"),
    [
        (every("15min", 50), "every 15 minutes", 0, ["2020-01-31T12:30:00", "2020-01-31T12:45:00"]),
        (every("h", 50).delete([7, 8]), "hourly", 2, ["2020-02-02T02:00:00", "2020-02-02T03:00:00"]),
        (every("D", 100).delete(range(20, 80)), "daily", 60, ["2020-05-10", "2020-05-11"]),
        (every("W-MON", 30).delete(4), "weekly on Monday", 1, ["2020-08-31", "2020-09-07"]),
        (business_days(), "business days", 0, ["2024-01-15", "2024-01-16"]),
        (business_days(["2023-12-25"]), "business days", 1, ["2024-01-15", "2024-01-16"]),
        (every("D", 60)[every("D", 60).day_of_week < 6], "Monday to Saturday", 0, ["2020-03-31", "2020-04-01"]),
        (opening_hours(), "40 times a week, the same in each", 0, ["2024-02-12T09:00:00", "2024-02-12T10:00:00"]),
        (every("MS", 30), "monthly, on the first day", 0, ["2022-08-01", "2022-09-01"]),
        (every("MS", 30) + pd.Timedelta(14, "D"), "monthly, on day 15", 0, ["2022-08-15", "2022-09-15"]),
        (every("ME", 60).delete(20), "monthly, on the last day", 1, ["2025-01-31", "2025-02-28"]),
        (every("BME", 60), "monthly, on the last business day", 0, ["2025-01-31", "2025-02-28"]),
        (every("BMS", 60), "monthly, on the first business day", 0, ["2025-02-03", "2025-03-03"]),
        (every("WOM-3FRI", 40).delete(3), "monthly, on the third Friday", 1, ["2023-06-16", "2023-07-21"]),
        (every("6h", 99, "2005-03-26").delete([3, 30, 57, 90]), "every 6 hours", 4, ["2005-04-19T18:00:00"]),
        (every("QE", 20).delete(3), "quarterly, on the last day", 1, ["2025-03-31", "2025-06-30"]),
        (every("YS", 20), "yearly", 0, ["2041-01-01", "2042-01-01"]),
        (days("2020-11-30", "2020-12-30", "2021-01-30", "2021-02-28"), "monthly, on day 30", 0, ["2021-03-30"]),
        (days("2000-01-01", *every("D", 9).strftime("%Y-%m-%d")), "daily", 7334, ["2020-02-09"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_is_found_from_the_steps_that_are_there(axis, rule, absent, following):
    axis = moments(axis)
    found = find_rule(axis)
    assert str(found) == rule
    assert found.count_absent(axis) == absent
    assert labels(found.following(axis, len(following))) == following
    assert find_rule(np.union1d(axis, found.absent(axis))).count_absent(axis) == absent
    assert Rule.from_dict(found.to_dict()) == found


def test_absent_dates_are_those_between_neighbours():
    axis = days("2020-01-01", "2020-01-02", "2020-01-05", "2020-01-06", "2020-01-07", "2020-01-09", "2020-01-10")
    rule = find_rule(axis)
    assert labels(rule.absent(axis)) == ["2020-01-03", "2020-01-04", "2020-01-08"]
    assert labels(rule.absent(axis, 1)) == ["2020-01-03"]


@pytest.mark.parametrize(
    "axis",
    [
        np.sort(np.random.default_rng(0).integers(0, 10**15, 300)).astype("datetime64[us]"),
        np.sort(np.random.default_rng(0).integers(0, 10**15, 300)),
        days("2020-01-01"),
        np.arange(9) / 8,
        np.array([-(2**63), 0, 2**63 - 1]),
    ],
    ids=["moments", "numbers", "one", "floats", "all of 64 bits"],
)
def test_what_follows_no_rule(axis):
    assert find_rule(axis) is None


@pytest.mark.parametrize(
    ("axis", "following"),
    [
        (np.arange(40) * 1_000_000 + 1577836800001000000, [1577836800041000000, 1577836800042000000]),
        (np.arange(40) + 1577836800000000001, [1577836800000000041, 1577836800000000042]),
        (np.arange(5, dtype=np.uint64) * 3, [15, 18]),
        (np.array([1999, 2001, 2002, 2003]), [2004, 2005]),
        (np.array([202210, 202211, 202212]), [202301, 202302]),
        (np.array([202203, 202206, 202209]), [202212, 202303]),
        (np.array([202210, 202211, 202212, 202213]), [202214, 202215]),
        (np.array([1, 10, 100, 1000, 10000, 100000, 1000000]), [1000900]),
        (np.arange(-(2**62), -(2**62) + 9), [-(2**62) + 9]),
    ],
    ids=str,
)
def test_whole_numbers_go_on_exactly(axis, following):
    found = extend(axis, len(following))
    assert found.tolist() == following
    assert found.dtype == axis.dtype


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (np.arange(40) + 9223372036854775700, "beyond the largest whole number of 64 bits"),
        (days("9999-12-30", "9999-12-31"), "beyond the year 9999"),
        (np.array([-(2**63), 0, 2**63 - 1]), "too far for whole numbers of 64 bits"),
        (np.array([5, 2**63, 2**64 - 1], dtype=np.uint64), "too far for whole numbers of 64 bits"),
    ],
    ids=["numbers", "dates", "all of 64 bits", "unsigned"],
)
def test_what_does_not_go_on_is_refused(axis, message):
    with pytest.raises(ValueError, match=message):
        extend(axis, 200)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"kind": "lunar"},
        {"kind": ["every"]},
        {"kind": "every", "step": 0, "origin": 0, "dates": True},
        {"kind": "every", "step": 1.5, "origin": 0, "dates": True},
        {"kind": "every", "step": 1},
        {"kind": "weekly", "slots": [3, 3]},
        {"kind": "weekly", "slots": None},
        {"kind": "months", "months": 1, "phase": 1, "day": 1, "time": 0},
        {"kind": "months", "months": 1, "phase": 0, "day": 32, "time": 0},
        {"kind": "yyyymm", "months": 1, "phase": 0, "zone": "../../etc/passwd"},
    ],
    ids=str,
)
def test_what_is_no_rule_is_refused(content):
    with pytest.raises((ValueError, TypeError)):
        Rule.from_dict(content)


# Absent dates.


def series_of(axis, values):
    axis = moments(axis)
    rows = np.arange(1, len(axis) + 1)
    return Series("s", "day", axis, ("y",), np.array(values, float)[:, None], rows, rule=find_rule(axis))


GAPPY = series_of(["2020-01-07", "2020-01-08", "2020-01-09", "2020-01-12", "2020-01-13"], [1, 2, np.nan, 7, 8])


def test_absent_dates_are_refused_with_their_rule_and_count():
    series = series_of(every("D", 9).delete([3, 4, 5, 6]), range(5))
    sentence = (
        r"^s: day is daily, but 4 dates are absent: 2020-02-03, 2020-02-04, 2020-02-05, …; give missing='ffill' or"
    )
    with pytest.raises(ValueError, match=sentence):
        complete(series)


def test_absent_dates_are_filled_as_missing_values():
    filled = complete(GAPPY, "interpolate")
    assert filled.values[:, 0].tolist() == [1, 2, 3.25, 4.5, 5.75, 7, 8]
    assert filled.labels()[3:5] == ["2020-01-10", "2020-01-11"]
    assert filled.rows.tolist() == [1, 2, 3, 0, 0, 4, 5]
    absent = "day is daily, but 2 dates are absent: 2020-01-10, 2020-01-11; filled by interpolate"
    assert filled.notes == (absent, "1 missing value is filled by interpolate")
    assert complete(GAPPY, "ffill").values[:, 0].tolist() == [1, 2, 2, 2, 2, 7, 8]


def test_dropping_counts_on_over_absent_dates():
    dropped = complete(GAPPY, "drop")
    assert dropped.values[:, 0].tolist() == [1, 2, 7, 8]
    assert "2 dates are absent" in dropped.notes[0]
    assert dropped.next_labels(1) == ["2020-01-14"]


def test_months_as_numbers_are_interpolated_by_months():
    axis = np.array([202211, 202302])
    rule = find_rule(np.array([202211, 202212]))
    series = Series("s", "m", axis, ("y",), np.array([[1.0], [4.0]]), np.array([1, 2]), rule=rule)
    filled = complete(series, "interpolate")
    assert filled.axis.tolist() == [202211, 202212, 202301, 202302]
    assert filled.values[:, 0].tolist() == [1, 2, 3, 4]
    assert filled.dates.astype(str).tolist() == ["2022-11", "2022-12", "2023-01", "2023-02"]


def test_more_absent_dates_than_fit_are_not_filled():
    series = series_of(["0001-01-01T00:00:00", "0001-01-01T00:00:01", "0001-01-01T00:00:02", "9999-01-01"], range(4))
    with pytest.raises(ValueError, match=r"every second, but 315506361597 dates are absent"):
        complete(series)
    with pytest.raises(MemoryError, match=r"a series of 315506361597 absent steps"):
        complete(series, "ffill")


def test_irregular_steps_are_told_and_counted(read):
    series = complete(read(["2020-01-01", "2020-01-03", "2020-02-14", "2020-02-15", "2020-09-09"]))
    assert series.rule is None
    assert series.notes == ("the steps of date follow no rule: they are counted, and no next one can be told",)
    assert series.next_labels(2) == ["+1", "+2"]


def test_a_date_off_the_rule_is_told(read):
    dates = [f"{day} 00:00" for day in every("D", 30).strftime("%Y-%m-%d")]
    dates[9] = dates[9].replace("00:00", "00:03")
    assert read(dates).notes == ("date is daily, but 1 of 30 are not on it, the first 2020-02-09T00:03:00",)


# Dates as text.


def test_day_and_month_are_told_apart_by_even_steps(read):
    months = every("MS", 36, "2020-01-01")
    for form, word in (("%d/%m/%Y", "day"), ("%m/%d/%Y", "month")):
        series = read(months.strftime(form))
        assert series.labels()[:3] == ["2020-01-01", "2020-02-01", "2020-03-01"]
        assert series.next_labels(1) == ["2023-01-01"]
        assert series.reading.day_first == (word == "day")
        assert f"read with the {word} first, which makes even steps" in series.notes[0]


def test_dates_that_fit_both_ways_are_told(read):
    dates = every("D", 12, "2020-01-01").strftime("%d/%m/%Y")
    series = read(dates)
    assert series.labels()[1] == "2020-02-01"
    assert "the month first, but the day may be meant: give day_first=False or day_first=True" in series.notes[0]
    assert read(dates, day_first=True).labels()[1] == "2020-01-02"
    assert read(dates, day_first=True).notes == ()
    assert read([date.replace("/", ".") for date in dates]).labels()[1] == "2020-01-02"


@pytest.mark.parametrize(
    ("name", "size", "first"),
    [
        ("timestamp", 1, "2020-01-01T00:00:00Z"),
        ("sent_time", 1000, "2020-01-01T00:00:00Z"),
        ("date", 10**6, "2020-01-01T00:00:00Z"),
        ("date", 10**9, "1577836800000000000"),
        ("unixTime", 1, "2020-01-01T00:00:00Z"),
        ("updates", 1, "1577836800"),
    ],
)
def test_seconds_since_1970_are_dates_where_their_column_says_so(read, name, size, first):
    series = read((1577836800 + 3600 * np.arange(5)) * size, name)
    assert series.labels()[0] == first
    assert series.rule.count_absent(series.axis) == 0


def test_rows_are_sorted_and_merged_by_choice(read):
    dates = ["2020-01-03", "2020-01-01", "2020-01-03", "2020-01-02"]
    with pytest.raises(ValueError, match=r"but row 3 holds '2020-01-03' again: give sort=True .*, duplicates='mean'"):
        read(dates)
    with pytest.raises(ValueError, match=r"but row 2 holds '2020-01-01': give sort=True to sort the rows$"):
        read(["2020-01-03", "2020-01-01", "2020-01-02"])
    with pytest.raises(ValueError, match=r"but row 3 holds '2020-01-03' again: give duplicates='mean' or 'last'"):
        read(dates, sort=True)
    mean, last = (read(dates, sort=True, duplicates=way) for way in ("mean", "last"))
    assert mean.labels() == last.labels() == ["2020-01-01", "2020-01-02", "2020-01-03"]
    assert mean.values[:, 0].tolist() == [1, 3, 1]
    assert last.values[:, 0].tolist() == [1, 3, 2]
    assert last.rows.tolist() == [2, 4, 3]
    assert mean.notes == ("4 rows have 3 dates: the mean of equal ones is taken",)


def test_several_series_in_one_file_are_told(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{day},{store},{row}\n" for store in "ab" for row, day in enumerate(every("D", 9).strftime("%Y-%m-%d"))]
    path.write_text("date,store,y\n" + "".join(rows))
    sentence = r"for each date has a row for each 'store': keep the rows of one, such as 'a', or give sort=True and"
    with pytest.raises(ValueError, match=sentence):
        read_csv(path, "y")
    assert len(read_csv(path, "y", options=ReadOptions(sort=True, duplicates="mean"))) == 9


def test_an_hour_that_is_there_twice_may_be_one_of_a_zone(read):
    hours = local("2020-10-24", "2020-10-26", "h").tz_localize(None)
    advice = r"give timezone= with the zone's name if clocks were turned back, or else duplicates='mean' or 'last' to"
    with pytest.raises(ValueError, match=advice):
        read(hours)
    with pytest.raises(ValueError, match=r"give timezone= .* back, or else sort=True to sort the rows, duplicates="):
        read(local("2020-10-24", "2020-10-26", "30min").tz_localize(None))
    assert str(read(hours, timezone="Europe/Berlin").rule) == "hourly"


@pytest.mark.parametrize(
    ("twice", "advice"),
    [
        ("2020-10-22T02:00", "give duplicates='mean' or 'last' to make one row of those of one date, or timezone="),
        ("2020-10-25T05:00", "give duplicates='mean' or 'last' to make one row of those of one date$"),
    ],
)
def test_an_hour_that_is_there_twice_elsewhere_is_merged(read, twice, advice):
    hours = every("h", 96, "2020-10-22")
    with pytest.raises(ValueError, match=advice):
        read(hours.append(pd.DatetimeIndex([twice])).sort_values())


@pytest.mark.parametrize("step", ["h", "15min"])
def test_an_hour_that_is_absent_in_spring_may_be_one_of_a_zone(read, step):
    dates = local("2020-03-28", "2020-03-31", step).tz_localize(None)
    advice = r"give timezone= with the zone's name if clocks were put forward then, or else missing='ffill' or 'interp"
    with pytest.raises(ValueError, match=advice):
        complete(read(dates))
    zoned = read(dates, timezone="Europe/Berlin")
    assert len(complete(zoned)) == len(dates)


def test_an_hour_on_no_sunday_may_be_one_of_a_zone_if_it_is_so_each_year(read):
    dates = every("h", 24 * 800, "2020-01-01")
    changes = pd.DatetimeIndex(["2020-03-27T02:00", "2021-03-26T02:00"])  # Fridays, as in Israel.
    with pytest.raises(ValueError, match=r"give timezone="):
        complete(read(dates.difference(changes)))
    with pytest.raises(ValueError, match=r"02:00:00; give missing="):
        complete(read(dates.difference(changes[:1])))


@pytest.mark.parametrize(
    "absent", [["2020-03-29T05:00"], ["2020-03-29T02:00", "2020-03-29T03:00"], ["2020-03-30T02:00"]]
)
def test_other_hours_that_are_absent_are_filled(read, absent):
    with pytest.raises(ValueError, match=r"absent: [^;]*; give missing="):
        complete(read(every("h", 96, "2020-03-28").difference(pd.DatetimeIndex(absent))))


def test_the_wrong_row_is_that_of_the_reading_that_has_dates(read):
    dates = [f"{day:02}/02/2020" for day in (*range(1, 20), 19)]
    with pytest.raises(ValueError, match=r"row 20 holds '19/02/2020' again: give duplicates="):
        read(dates)


def test_a_mean_leaves_missing_values_out(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("date,y\n2020-01-02,4\n2020-01-02,\n2020-01-01,\n")
    series = read_csv(path, options=ReadOptions(duplicates="mean"))
    np.testing.assert_array_equal(series.values[:, 0], [np.nan, 4])


def test_numbers_of_a_named_column_are_sorted_too(read):
    series = read([5, 3, 4], "year", date=("year",), sort=True)
    assert (series.axis_name, series.axis.tolist(), series.values[:, 0].tolist()) == ("year", [3, 4, 5], [1, 2, 0])
    with pytest.raises(ValueError, match="give sort=True"):
        read([5, 3, 4], "year", date=("year",))


# Time zones.


def local(start, end, freq, zone="Europe/Berlin"):
    return pd.date_range(start, end, freq=freq, tz=zone)


def test_an_offset_stays_in_labels_and_future_dates(read):
    series = read(["2020-01-01T00:00+05:30", "2020-01-02T00:00+05:30", "2020-01-03T00:00+05:30"])
    assert series.labels()[0] == "2020-01-01T00:00:00+05:30"
    assert series.next_labels(1) == ["2020-01-04T00:00:00+05:30"]
    assert series.axis[0] == np.datetime64("2019-12-31T18:30")
    assert read(["2020-01-01T00:00Z", "2020-01-02T00:00Z"]).next_labels(1) == ["2020-01-03T00:00:00Z"]


def test_a_local_hour_stays_through_a_change_of_the_clock(read):
    series = read(local("2019-10-01", "2020-03-28", "D"))
    assert series.zone == "Europe/Berlin"
    assert str(series.rule) == "daily"
    assert series.rule.count_absent(series.axis) == 0
    assert series.next_labels(3) == [
        "2020-03-29T00:00:00+01:00", "2020-03-30T00:00:00+02:00", "2020-03-31T00:00:00+02:00",
    ]  # fmt: skip
    assert "change as in Europe/Berlin" in series.notes[0]
    assert series.dates[-1] == np.datetime64("2020-03-28")


def test_hours_go_through_a_change_of_the_clock(read):
    series = read(local("2020-03-20", "2020-03-29 01:00", "h"), timezone="Europe/Berlin")
    assert series.next_labels(2) == ["2020-03-29T03:00:00+02:00", "2020-03-29T04:00:00+02:00"]
    # Without offsets, an hour that is there twice is told by its order.
    series = read(local("2020-10-24", "2020-10-26", "h").tz_localize(None), timezone="Europe/Berlin")
    assert series.rule.count_absent(series.axis) == 0
    assert series.labels()[26:28] == ["2020-10-25T02:00:00+02:00", "2020-10-25T02:00:00+01:00"]


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Tehran"])
def test_a_zone_is_found_by_its_changes(read, zone):
    index = local("2020-01-01 05:00", "2020-12-20", "D", zone)
    series = read(index)
    assert (to_local(series.axis, zone) == index.tz_localize(None).to_numpy("datetime64[us]")).all()
    assert series.next_labels(1) == [(index[-1] + pd.DateOffset(days=1)).isoformat()]


def test_a_written_series_keeps_its_zone(read, tmp_path):
    series = read(local("2019-10-01", "2020-03-28", "D"))
    with (tmp_path / "s.csv").open("w", newline="") as file:
        write_csv(series, file)
    back = read_csv(tmp_path / "s.csv", options=ReadOptions(timezone=series.zone))
    np.testing.assert_array_equal(back.axis, series.axis)
    assert back.labels() == series.labels()


def test_zones_that_are_none_are_refused():
    for zone in ("Mars", "", "../etc/passwd", "+1", "x" * 9999, None, 3, "Europe"):
        with pytest.raises(ValueError, match="there is no time zone"):
            check_zone(zone)
    assert check_zone("-03:30") == "-03:30"


def test_an_hour_that_clocks_leave_out_is_moved_on():
    assert labels(to_utc(days("2020-03-29T02:30"), "Europe/Berlin")) == ["2020-03-29T01:00:00"]


def test_months_as_numbers_have_a_calendar_and_a_season(tmp_path, monkeypatch):
    """200501, 200502 and so on: the model sees the day of the year, and the season is a year."""
    monkeypatch.chdir(tmp_path)
    t = np.arange(72)
    months = [f"{2005 + month // 12}{month % 12 + 1:02d}" for month in t.tolist()]
    values = 100 + t + 20 * np.sin(2 * np.pi * t / 12) + np.random.default_rng(0).normal(0, 1, 72)
    rows = [f"{month},{value:.2f}" for month, value in zip(months, values.tolist(), strict=True)]
    (tmp_path / "units.csv").write_text("\n".join(["month,units", *rows]) + "\n")
    options = ["--units", "3", "--epochs", "2", "--ensemble", "2", "--quiet", "--no-plot"]
    assert CliRunner().invoke(main, ["train", "units.csv", *options]).exit_code == 0
    found = json.loads((tmp_path / "runs/units/metrics.json").read_text())
    assert (found["calendar"], found["season"]) == (["yearday"], 12)
    coming = CliRunner().invoke(main, ["predict", "runs/units", "--steps", "2"]).stdout.splitlines()
    assert [line.partition(",")[0] for line in coming] == ["month", "201101", "201102"]


@pytest.mark.parametrize("texts", [["1901", "1902", "1904", "1905"], ["201811", "201901", "201902", "201903"]])
def test_absent_numbers_are_refused_with_the_count(read, texts):
    name = "month" if len(texts[0]) == 6 else "year"
    with pytest.raises(ValueError, match=r"but 1 value is absent: (1903|201812); give"):
        complete(read(texts, name), "refuse")


def test_months_with_two_digits_of_a_year(read):
    months = every("MS", 30, "2015-01-01")
    series = read(months.strftime("%b-%y"))
    assert (series.axis == moments(months)).all()
    assert str(series.rule) == "monthly, on the first day"
