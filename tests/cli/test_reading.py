"""How commands read tables: absent dates, dialects, standard input, and what a run remembers of its file."""

import bz2
import gzip
import io
import json
import lzma
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.tasks import task

PLAIN = ("--rule", "none", "--ensemble", 1, "--interval", "none", "--no-refit")
"""One model of the values themselves: how a file is read does not depend on the recipe."""
QUICK = ("--window", 4, "--units", 2, "--epochs", 1, "--no-plot", *PLAIN)


def numlstm(*arguments, code=0, stdin=None):
    """Run a command line in this process: its standard output and its standard error."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm", input=stdin)
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout, result.stderr


def days(count=60, without=(), form="%Y-%m-%d", start="2020-01-01"):
    import pandas as pd

    dates = pd.date_range(start, periods=count).delete(list(without))
    return "date,y\n" + "".join(f"{date},{row % 7}.5\n" for row, date in enumerate(dates.strftime(form)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "days.csv").write_text(days())
    (tmp_path / "gaps.csv").write_text(days(without=(20, 21, 40)))
    return tmp_path


def test_absent_dates_are_refused_and_the_advice_can_be_followed(here):
    _, error = numlstm("train", "gaps.csv", *QUICK, code=2)
    absent = "date is daily, but 3 dates are absent: 2020-01-21, 2020-01-22, 2020-02-10"
    assert error.startswith(f"Error: gaps: {absent}; give --missing ffill or interpolate to fill in, or --missing drop")
    for policy, rows in (("drop", 57), ("ffill", 60), ("interpolate", 60)):
        output, _ = numlstm("train", "gaps.csv", *QUICK, "--missing", policy, "--out", policy)
        assert f"Note: {absent}; " in output
        assert f"gaps: {rows} rows, date: daily; training on" in output
        assert numlstm("predict", policy, "--steps", 1)[0].splitlines()[1].startswith("2020-03-01,")


def test_rows_that_are_dropped_at_the_end_are_told(here):
    (here / "open.csv").write_text(days() + "2020-03-01,\n2020-03-02,\n")
    output, _ = numlstm("train", "open.csv", *QUICK, "--missing", "drop", "--out", "run")
    note = "Note: the last 2 rows miss a value and are dropped: forecasts begin after row 60 (date 2020-02-29)\n"
    assert note in output
    told, error = numlstm("predict", "run", "open.csv", "--steps", 1)
    assert note in error
    assert told.splitlines()[1].startswith("2020-03-01,")


def test_a_change_of_the_clock_is_advised_before_filling_and_merging(here):
    import pandas as pd

    def local(first, last):
        dates = pd.date_range(first, last, freq="h", tz="Europe/Berlin").tz_localize(None)
        return "date,y\n" + "".join(f"{date},{row % 7}.5\n" for row, date in enumerate(dates))

    spring, autumn = local("2024-03-29", "2024-04-02"), local("2024-10-25", "2024-10-29")
    for name, text in (("spring", spring), ("autumn", autumn)):
        (here / f"{name}.csv").write_text(text)
        numlstm("train", f"{name}.csv", *QUICK, "--timezone", "Europe/Berlin", "--quiet", "--out", name)
    zone = "give --timezone with the zone's name if clocks were"
    _, error = numlstm("train", "spring.csv", *QUICK, code=2)
    assert f"1 date is absent: 2024-03-31T02:00:00; {zone} put forward then, or else --missing ffill or inter" in error
    _, error = numlstm("train", "autumn.csv", *QUICK, code=2)
    assert f"{zone} turned back, or else --duplicates mean or last" in error
    assert "\n2024-04-02T01:00:00+02:00," in numlstm("predict", "autumn", "spring.csv", "--steps", 1)[0]


def test_a_run_reads_other_files_as_its_own_or_as_told(here):
    numlstm("train", "days.csv", *QUICK, "--quiet", "--out", "run")
    for command in ("predict", "evaluate"):
        _, error = numlstm(command, "run", "gaps.csv", code=2)
        assert "give --missing ffill or interpolate to fill in" in error
        for policy in ("drop", "ffill"):
            output, error = numlstm(command, "run", "gaps.csv", "--missing", policy)
            assert output
            assert error.startswith("Note: date is daily, but 3 dates are absent")
        assert numlstm(command, "run", "days.csv")[1] == ""
    _, error = numlstm("predict", "run", "--day-first", "--missing", "drop", code=2)
    assert error == "Error: --day-first, --missing tells how a file is read: give one after the run, or leave it out\n"
    (here / "german.csv").write_bytes(days(form="%d.%m.%Y").replace(",", ";").replace(".5\n", ",5\n").encode("utf-16"))
    german = ("--decimal", ",", "--encoding", "utf-16", "--day-first")
    assert numlstm("evaluate", "run", "german.csv", *german) == numlstm("evaluate", "run", "days.csv")


def test_a_run_remembers_how_its_file_was_read(here):
    text = days(form="%d/%m/%Y").replace(",", ";").replace(".5\n", ",5\n")
    (here / "german.csv").write_text(text)
    numlstm("train", "german.csv", *QUICK, "--quiet", "--decimal", ",", "--missing", "ffill", "--out", "run")
    config = json.loads((here / "run/config.json").read_text())
    assert (config["reading"]["decimal"], config["reading"]["day_first"]) == (",", True)
    assert config["rule"] == {"kind": "every", "step": 86_400_000_000, "origin": 0, "dates": True, "zone": None}
    # These ten days would be ten months with the month first.
    lines = text.splitlines(keepends=True)
    (here / "few.csv").write_text("".join([lines[0], *lines[32:43]]))
    output, error = numlstm("predict", "run", "few.csv", "--steps", 1)
    assert (output.splitlines()[1][:10], error) == ("2020-02-12", "")


def test_a_rule_is_that_of_the_training_where_a_few_rows_fit_several(here):
    import pandas as pd

    dates = pd.bdate_range("2020-01-01", periods=60)
    rows = [f"{date:%Y-%m-%d},{row % 7}\n" for row, date in enumerate(dates)]
    (here / "stock.csv").write_text("date,y\n" + "".join(rows))
    # A week that ends on a Friday.
    (here / "week.csv").write_text(
        "date,y\n" + "".join(row for row in rows if "2020-02-10" <= row[:10] <= "2020-02-14")
    )
    numlstm("train", "stock.csv", *QUICK, "--quiet", "--out", "run")
    assert numlstm("predict", "run", "week.csv", "--steps", 1)[0].splitlines()[1].startswith("2020-02-17,")


@pytest.mark.parametrize("option", ["", "--timezone"])
def test_a_zone_goes_through_a_run(here, option):
    import pandas as pd

    dates = pd.date_range("2019-10-20", "2020-03-28", tz="Europe/Berlin")
    (here / "zoned.csv").write_text("date,y\n" + "".join(f"{date},{row % 7}\n" for row, date in enumerate(dates)))
    zone = (option, "Europe/Berlin") if option else ()
    output, _ = numlstm("train", "zoned.csv", *QUICK, *zone, "--out", "run")
    assert ("Note: the offsets of date change as in Europe/Berlin" in output) == (not option)
    output, _ = numlstm("predict", "run", "--steps", 2)
    assert [line[:25] for line in output.splitlines()[1:]] == ["2020-03-29T00:00:00+01:00", "2020-03-30T00:00:00+02:00"]
    assert numlstm("predict", "run", "zoned.csv") == numlstm("predict", "run")


def test_irregular_dates_have_no_next_ones(here):
    moments = np.sort(np.random.default_rng(0).integers(0, 10**9, 60)).astype("datetime64[s]")
    (here / "events.csv").write_text("when,y\n" + "".join(f"{when},{row % 7}\n" for row, when in enumerate(moments)))
    output, _ = numlstm("train", "events.csv", *QUICK, "--out", "run")
    assert "Note: the steps of when follow no rule: they are counted, and no next one can be told\n" in output
    output, error = numlstm("predict", "run", "--steps", 2)
    assert [line.split(",")[0] for line in output.splitlines()] == ["when", "+1", "+2"]
    note = "the dates follow no calendar rule that tells the next ones: +1 is the first step after them"
    assert error == f"Note: {note}\n"


def test_a_file_without_a_header_loses_no_row(here):
    (here / "bare.csv").write_text(days().split("\n", 1)[1])
    output, _ = numlstm("train", "bare.csv", *QUICK, "--out", "run")
    assert "Note: the first row is data, not names: the columns are column 1, column 2, …" in output
    assert len((here / "run/data.csv").read_text().splitlines()) == 61
    assert numlstm("predict", "run", "bare.csv")[0] == numlstm("predict", "run")[0]


def test_a_file_without_a_header_is_told_of_where_a_run_has_names(here):
    (here / "bare.csv").write_text(days().partition("\n")[2])
    numlstm("train", "days.csv", *QUICK, "--quiet", "--out", "run")
    for command in ("predict", "evaluate"):
        _, error = numlstm(command, "run", "bare.csv", code=2)
        assert "it has 'column 1', 'column 2': put a row of names before its first one, or give --header if" in error


def test_steps_that_are_counted_are_told(here):
    output, _ = numlstm("train", "days.csv", *QUICK, "--date", "none", "--out", "run")
    assert "days: 60 rows, without dates; training on" in output
    assert numlstm("predict", "run", "days.csv", "--steps", 1)[0].splitlines()[1].startswith("61,")


def test_names_in_notes_are_escaped(here):
    (here / "hostile.csv").write_text(days(12, form="%d/%m/%Y").replace("date", "\x1b[2J"))
    output, _ = numlstm("train", "hostile.csv", "--window", 1, *QUICK[2:], "--out", "run")
    assert "Note: the dates of \\x1b[2J are read with the month first" in output
    assert "\x1b" not in output
    _, error = numlstm("predict", "run", "hostile.csv", "--month-first", "--missing", "drop")
    assert "\x1b" not in error


def test_standard_input_is_a_file(here):
    text = days()
    numlstm("train", "-", *QUICK, "--quiet", stdin=text)
    assert len((here / "runs/stdin/data.csv").read_text().splitlines()) == 61
    assert numlstm("evaluate", "runs/stdin", "-", stdin=text) == numlstm("evaluate", "runs/stdin", "days.csv")


def test_a_pipe_from_another_program_is_read(here):
    numlstm("train", "days.csv", *QUICK, "--quiet", "--out", "run")
    command = [sys.executable, "-m", "numlstm", "predict", "run", "/dev/stdin", "--steps", "1"]
    done = subprocess.run(command, input=days(40), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[1].startswith("2020-02-10,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--decimal ,", "the options of reading a table need a file"),
        ("days.csv --thousands .", "are both '.': give --decimal , or another --thousands"),
        ("days.csv --timezone Mars", "there is no time zone 'Mars'"),
        ("days.csv --encoding klingon", "there is no encoding 'klingon'"),
        ("days.csv --encoding utf-16", "is not utf-16 text"),
        ("days.csv --date nope", "no column 'nope'"),
        ("days.csv --date y --target y", "column 'y' is the axis, so it cannot be among target and features too"),
        ("days.csv --date y --target date", "give --sort to sort the rows, --duplicates mean or last"),
        ("days.csv --date date,y", "holds neither dates nor growing numbers"),
        ("days.csv --duplicates first", "'first' is not one of"),
        ("empty.parquet", "is damaged, or no Parquet file"),
    ],
)
def test_bad_reading_gives_one_sentence(here, arguments, message):
    if arguments == "empty.parquet":
        pytest.importorskip("pyarrow")
        (here / "empty.parquet").write_bytes(b"")
    before = sorted(here.iterdir())
    _, error = numlstm("train", *arguments.split(), *QUICK, code=2)
    assert message in error
    assert error.count("\n") == 1
    assert len(error) < 320
    assert sorted(here.iterdir()) == before


VALUES = [None, True, -1, 0.5, 1e400, 10**400, 2**62, "", "x\x1b[2J", "x" * 100_000, [], [None], {}, {"a": []}]


def _archive(texts):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            gzip.compress(b"y\n1\n"),
            "a.csv is no text but compressed by gzip: rename it so that it ends in .gz",
        ),
        ("a.csv", lzma.compress(b"y\n1\n"), "a.csv is no text but compressed by xz"),
        ("a.csv", bz2.compress(b"y\n1\n"), "a.csv is no text but compressed by bzip2"),
        ("a.csv", _archive({"b.csv": "y\n1\n"}), "a.csv is no text but a ZIP archive or a workbook"),
        (
            "a.csv",
            b"PAR1" + bytes(40) + b"PAR1",
            "a.csv is no text but a Parquet file: rename it so that it ends in",
        ),
        ("a.zip", _archive({"b.csv": "y\n1\n", "c.csv": "y\n1\n"}), "a.zip must hold exactly one file: unpack it, and"),
        ("a.zip", _archive({}), "a.zip must hold exactly one file"),
    ],
    ids=["gzip", "xz", "bzip2", "zip", "parquet", "two files", "no file"],
)
def test_what_is_no_text_is_told_by_its_kind(here, name, content, message):
    (here / name).write_bytes(content)
    error = numlstm("train", name, code=2)[1]
    assert error.startswith(f"Error: {message}")
    assert error.count("\n") == 1


def test_names_that_formats_begin_with_are_names(here):
    (here / "a.csv").write_text(days().replace("date,y", "date,PAR1").replace("date,", "BZh9,"))
    numlstm("train", "a.csv", "--target", "PAR1", *QUICK, "--quiet")


def test_any_value_in_the_rule_or_the_reading_loads_or_is_refused(here):
    """In one short sentence, and what loads forecasts."""
    numlstm("train", "days.csv", *QUICK, "--quiet", "--out", "run")
    path = here / "run/config.json"
    config = json.loads(path.read_text())
    months = {"kind": "months", "months": 1, "phase": 0, "day": 1, "time": 0, "business": False, "zone": None}
    weekly = {"kind": "weekly", "slots": [0], "zone": None}
    loaded, messages = 0, []
    for rule in (config["rule"], months, weekly, {"kind": "yyyymm", "months": 1, "phase": 0, "zone": None}):
        whole = config | {"rule": rule}
        places = [(), *(("rule", key) for key in rule), *(("reading", key) for key in whole["reading"])]
        for place in places:
            for value in VALUES if place else [None]:
                changed = json.loads(json.dumps(whole))
                if place:
                    changed[place[0]][place[1]] = value
                path.write_text(json.dumps(changed))
                try:
                    found, _ = task.load(here / "run")
                    text = found.predict(None, 2).csv()
                except ValueError as error:
                    messages.append(str(error))
                else:
                    loaded += 1
                    assert text.count("\n") == 3
    assert loaded > 4
    assert all(message.isprintable() for message in messages)
    assert max(map(len, messages)) < 300 + len(str(path))


def test_the_help_has_a_group_for_reading():
    for command in ("train", "predict", "evaluate"):
        output, _ = numlstm(command, "--help")
        options, reading = output.split("\nReading the file:\n")
        assert "--help" in options
        for flag in ("--missing", "--date", "--sort", "--duplicates", "--decimal", "--encoding", "--timezone"):
            assert flag in reading.split("Examples:")[0]
    assert "numlstm train umsatz.csv --decimal , --thousands . --encoding latin-1" in numlstm("train", "--help")[0]


def test_the_help_of_a_training_has_its_options_under_headings_and_examples_at_the_end():
    heads = ["Options", "Reading the file", "The forecast", "The models", "The test and the intervals", "The run"]
    for command, expected in (("forecast", heads), ("generate", ["Options", "The run"])):
        text, _ = numlstm("train", command, "--help")
        parts = dict(re.findall(r"^(\w[\w ]+):\n((?: .*\n|\n)+)", text, re.MULTILINE))
        assert list(parts)[-len(expected) :] == expected
        assert "--resume" in parts["The run"].split("Examples:")[0]
        assert text.rstrip().splitlines()[-1].startswith(("    numlstm train", "    zcat"))
        if command == "forecast":
            for heading, flag in zip(heads, ("target", "date", "horizon", "lr", "interval", "quiet"), strict=True):
                assert f"  --{flag} " in parts[heading]
