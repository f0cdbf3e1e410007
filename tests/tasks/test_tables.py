"""Tables of all dialects: headers, marks of numbers, encodings, dates in two columns, standard input and Parquet."""

import io
import sys
from pathlib import Path

import pandas as pd
import pytest
from witness import witness

from numlstm.data import ReadOptions, read_csv
from numlstm.data.reader import name_of
from numlstm.messages import on_command_line, option


@pytest.fixture
def read(tmp_path):
    def make(text, target=None, encoded="utf-8", **options):
        (tmp_path / "t.csv").write_bytes(text.encode(encoded))
        return read_csv(tmp_path / "t.csv", target, options=ReadOptions(**options))

    return make


# Headers.


@pytest.mark.parametrize(
    ("text", "decimal", "axis", "values"),
    [
        ("2020-01-01,5\n2020-01-02,6\n", ".", "column 1", [5, 6]),
        ("01.01.2020;5,5\n02.01.2020;6,5\n", ",", "column 1", [5.5, 6.5]),
        ("1.5\n2.5\n", ".", None, [1.5, 2.5]),
        ("here,20200101,1\nhere,20200102,2\n", ".", "column 2", [1, 2]),
        ("2020-01,NA,5\n2020-02,,6\n", ".", "column 1", [5, 6]),
    ],
)
def test_a_first_row_of_data_is_data(read, text, decimal, axis, values):
    series = read(text, decimal=decimal)
    assert (series.axis_name, series.values[:, 0].tolist()) == (axis, values)
    assert series.notes[0].startswith("the first row is data, not names: the columns are column 1, column 2")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("day,2020\n2020-01-01,5\n", "2020"),
        ("store,2019,2020\na,5,6\nb,6,7\n", "2019"),
        (",0\n0,0.5\n1,0.7\n", "0"),
        ("0\n0.5\n0.25\n", "0"),
        ("1st,2nd\n1,2\n", "1st"),
        ("2019-01,2019-02\n5,6\n6,7\n", "2019-01"),
    ],
)
def test_numbers_may_be_names(read, text, target):
    series = read(text, target)
    assert series.target == target
    assert not series.notes or "first row" not in series.notes[0]


def test_whether_there_is_a_header_can_be_told(read):
    assert read("5\n6\n", header=True).columns == ("5",)
    assert read("a,1\nb,2\n", "column 2", header=False).values[:, 0].tolist() == [1, 2]


# Dialects.


@pytest.mark.parametrize(
    ("options", "fields", "values"),
    [
        ({"decimal": ","}, ["1,5", "-2", "1e3", ",5"], [1.5, -2, 1000, 0.5]),
        ({"decimal": ",", "thousands": "."}, ["1.234,5", "12.345.678", "1234", "0,5"], [1234.5, 12345678, 1234, 0.5]),
        ({"thousands": ","}, ["1,234.5", "12", "", "-1,000"], [1234.5, 12, None, -1000]),
        ({"thousands": " "}, ["1 234", "1\u00a0234", "1\u202f234", "4"], [1234, 1234, 1234, 4]),
        ({"thousands": "'"}, ["1'234.5", "1", "2", "3"], [1234.5, 1, 2, 3]),
    ],
    ids=str,
)
def test_numbers_with_other_marks(read, options, fields, values):
    rows = "".join(f'0{day}.12.2020;"{field}"\n' for day, field in enumerate(fields, start=1))
    series = read("datum;y\n" + rows, **options)
    assert [None if value != value else value for value in series.values[:, 0].tolist()] == values
    assert series.labels()[0] == "2020-12-01"


@pytest.mark.parametrize(
    ("field", "options", "advice"),
    [
        ("1,5", {}, "give --decimal , if the comma is its decimal mark"),
        ("1,234.5", {}, "give --thousands , if its digits are in groups"),
        ("1.234,5", {}, r"give --thousands \. and --decimal , if"),
        ("1 234", {}, "give --thousands ' ' if"),
        ("1.5", {"decimal": ",", "thousands": "."}, "not a number"),  # Not 15.
        ("12.34", {"decimal": ","}, "not a number"),
    ],
)
def test_other_marks_are_advised_or_refused(read, field, options, advice):
    with on_command_line([]), pytest.raises(ValueError, match=rf"row 2 \(d 2020-01-02\), column 'y' holds .*{advice}"):
        read(f'd;y\n2020-01-01;1{options.get("decimal", ".")}25\n2020-01-02;"{field}"\n', **options)


@pytest.mark.parametrize("name", ["latin-1", "cp1252", "utf-16", "utf-8-sig", "UTF8"])
def test_other_encodings(read, name):
    assert read("größe,b\n1,2\n2,4\n", "größe", encoded=name, encoding=name).columns == ("größe",)


def test_an_option_is_written_as_its_reader_gives_it():
    named = [
        ("missing",),
        ("missing", "ffill"),
        ("missing", "ffill", "drop"),
        ("thousands", " ", ","),
        ("train_until",),
    ]
    switches = [("sort", True), ("header", False), ("day_first", True), ("day_first", False)]
    assert [option(*each) for each in named + switches] == [
        "missing=", "missing='ffill'", "missing='ffill' or 'drop'", "thousands=' ' or ','", "train_until=",
        "sort=True", "header=False", "day_first=True", "day_first=False",
    ]  # fmt: skip
    with on_command_line(["missing"]):
        assert [option(*each) for each in named + switches] == [
            "--missing", "--missing ffill", "--missing ffill or drop", "--thousands ' ' or ,", "--train-until",
            "--sort", "--no-header", "--day-first", "--month-first",
        ]  # fmt: skip
    assert option("missing") == "missing="


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("sales.csv", "sales"), ("sales.2024.csv", "sales.2024"), ("sales.csv.gz", "sales"), ("sales.CSV.XZ", "sales"),
        ("sales.csv.zip", "sales"), ("sales.tsv.bz2", "sales"), ("sales.2024.gz", "sales.2024"), ("sales", "sales"),
        ("sales.csv.tar.gz", "sales"),
    ],
)  # fmt: skip
def test_a_name_has_no_endings(file, name):
    assert name_of(Path(file)) == name


def test_an_encoding_is_advised(read):
    with pytest.raises(
        ValueError, match=r"is not UTF-8 text: give its encoding, such as encoding='latin-1', 'cp1252' or 'utf-16'"
    ):
        read("größe\n1\n2\n", encoded="latin-1")


def test_dates_in_two_columns(read):
    rows = "".join(f"2020010{1 + hour // 24},{hour % 24},{hour}\n" for hour in range(30))
    series = read("day,hour,y\n" + rows, "y", date=("day", "hour"))
    assert series.axis_name == "day hour"
    assert series.next_labels(1) == ["2020-01-02T06:00:00"]
    assert series.rule.count_absent(series.axis) == 0
    series = read("day,time,y\n01/02/2020,13:30,1\n01/02/2020,13:45,2\n", date=("day", "time"))
    assert series.labels() == ["2020-01-02T13:30:00", "2020-01-02T13:45:00"]
    series = read("day,time,y\n2020-01-02,945,1\n2020-01-02,1000,2\n", date=("day", "time"))
    assert series.labels() == ["2020-01-02T09:45:00", "2020-01-02T10:00:00"]


def test_the_steps_are_counted_by_choice(read):
    series = read("date,y\n2020-01-02,1\nx,2\n", date=())
    assert (series.axis_name, series.axis.tolist(), series.columns) == (None, [1, 2], ("y",))
    with pytest.raises(ValueError, match="no column 'z'; it has 'date', 'y'"):
        read("date,y\n2020-01-02,1\n", date=("z",))


@pytest.mark.parametrize(
    "options",
    [
        {"decimal": ";"},
        {"thousands": "x"},
        {"thousands": "."},
        {"encoding": "klingon"},
        {"encoding": "base64"},
        {"encoding": None},
        {"header": 1},
        {"date": (3,)},
        {"day_first": "yes"},
        {"timezone": "Mars"},
        {"sort": 1},
        {"duplicates": "first"},
    ],
    ids=str,
)
def test_options_that_are_none_are_refused(options):
    with pytest.raises(ValueError, match=r"must|there is no|are both"):
        ReadOptions(**options)


def test_options_are_plain_data():
    options = ReadOptions(",", ".", "cp1252", True, ("a", "b"), True, "Europe/Berlin", True, "mean")
    content = options.to_dict()
    assert ReadOptions.from_dict(content | {"date": list(content["date"])}) == options
    for wrong in ([], {"date": "a"}, {"spice": 1}):
        with pytest.raises((TypeError, ValueError)):
            ReadOptions.from_dict(wrong)


# Sources.


def test_standard_input_is_read_once(monkeypatch):
    class Once(io.BytesIO):
        def seek(self, *place):
            raise OSError("a pipe")

    text = b"d;y\n01.12.2020;1\n02.12.2020;2\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Once(text)))
    series = read_csv("-")
    assert (series.name, series.labels()) == ("stdin", ["2020-12-01", "2020-12-02"])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Once(b"\xff\xff")))
    with pytest.raises(ValueError, match=r"^standard input is not UTF-8 text"):
        read_csv("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ValueError, match="standard input is closed: give a file"):
        read_csv("-")


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "UTC"])
def test_parquet(tmp_path, zone):
    witness("pyarrow")
    index = pd.date_range("2020-03-01", periods=28, tz=zone, name="when")
    frame = pd.DataFrame({"y": range(28), "z": 1.0}, index)
    frame.to_parquet(tmp_path / "t.parquet")
    series = read_csv(tmp_path / "t.parquet", "y")
    assert (series.axis_name, len(series), series.zone) == ("when", 28, zone)
    assert series.next_labels(2)[1] == {
        None: "2020-03-30", "UTC": "2020-03-30T00:00:00Z", "Europe/Berlin": "2020-03-30T00:00:00+02:00"
    }[zone]  # fmt: skip
    (tmp_path / "u.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"u\.parquet is damaged, or no Parquet file"):
        read_csv(tmp_path / "u.parquet", "y")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    def lacking(file):
        raise ImportError("Unable to find a usable engine; tried using: 'pyarrow', 'fastparquet'.\n" * 5)

    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(pd, "read_parquet", lacking)
    with pytest.raises(ImportError, match=r"^.*t\.parquet needs pyarrow: pip install 'numlstm\[parquet\]'.*CSV$"):
        read_csv(tmp_path / "t.parquet")
