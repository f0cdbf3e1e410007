"""The files that a command writes replace nothing that is needed."""

import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.tasks import load


def numlstm(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("outputs")
    (place / "sales.csv").write_text("units\n" + "\n".join(str(10 + i % 7) for i in range(90)) + "\n")
    quick = ["--units", "2", "--epochs", "1", "--ensemble", "1", "--no-refit", "--quiet"]
    assert numlstm("train", place / "sales.csv", *quick, "--out", place / "one").exit_code == 0
    return place


@pytest.mark.parametrize("name", ["config.json", "data.csv", "model.safetensors", "metrics.json"])
@pytest.mark.parametrize("command", [["predict", "--steps", 2], ["report"], ["backtest", "--folds", 2]])
def test_no_part_of_a_run_is_replaced(place, command, name):
    verb, *options = command
    before = (place / "one" / name).read_bytes()
    result = numlstm(verb, place / "one", *options, "--out", place / "one" / name)
    assert result.exit_code == 2
    assert "would replace a part of the run" in result.stderr
    assert (place / "one" / name).read_bytes() == before
    load(place / "one")


def test_a_link_to_a_part_of_a_run_is_one_too(place):
    (place / "link.csv").symlink_to(place / "one" / "data.csv")
    result = numlstm("predict", place / "one", "--out", place / "link.csv")
    assert result.exit_code == 2
    assert "would replace a part of the run" in result.stderr


@pytest.mark.parametrize("options", [["--out", "sales.csv"], ["--plot", "./sales.csv"]])
def test_the_data_are_not_replaced(place, monkeypatch, options):
    monkeypatch.chdir(place)
    before = (place / "sales.csv").read_bytes()
    result = numlstm("predict", "one", "sales.csv", *options)
    assert result.exit_code == 2
    assert "would replace the data that are read: name another file" in result.stderr
    assert (place / "sales.csv").read_bytes() == before


def test_two_outputs_are_two_files(place):
    result = numlstm("predict", place / "one", "--out", place / "a.png", "--plot", place / "one" / ".." / "a.png")
    assert result.exit_code == 2
    assert "--out and --plot are both" in result.stderr
    assert not (place / "a.png").exists()


def test_outputs_that_name_no_file_are_refused(place):
    for value, said in {"-": "does not stand for standard output", f"{place}/a.png/": "is a folder"}.items():
        result = numlstm("predict", place / "one", "--plot", value)
        assert result.exit_code == 2
        assert said in result.stderr


def test_picture_and_report_may_be_written_anew(place):
    assert numlstm("report", place / "one").exit_code == 0
    assert numlstm("plot", place / "one").exit_code == 0
    other = numlstm("predict", place / "one", "--plot", place / "one" / "forecast.png")
    assert other.exit_code == 2
    assert "would replace a part of the run" in other.stderr


@pytest.mark.parametrize("command", [["predict", "--steps", 2], ["backtest", "--folds", 2]])
def test_the_data_of_the_training_are_not_replaced(place, command):
    before = (place / "sales.csv").read_bytes()
    verb, *options = command
    result = numlstm(verb, place / "one", *options, "--out", place / "sales.csv")
    assert result.exit_code == 2
    assert "would replace the data that" in result.stderr
    assert "was trained on: name another file" in result.stderr
    assert (place / "sales.csv").read_bytes() == before


def test_a_page_has_the_name_of_one(place):
    result = numlstm("report", place / "one", "--out", place / "notes.txt")
    assert result.exit_code == 2
    assert "its name must end in .html" in result.stderr
    assert not (place / "notes.txt").exists()


def test_a_device_is_no_file_that_is_replaced(place):
    result = numlstm("predict", place / "one", "--out", "/dev/null")
    assert (result.exit_code, result.stdout) == (0, "")
