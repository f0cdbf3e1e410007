"""Hostile arguments and files on the command line: one short sentence, code 2, and nothing of it on the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from numlstm.cli import main

HUGE = ("9223372036854775807", "9" * 30, "9" * 5000)


def refused(*arguments):
    """Run a command line that fails: its only line of standard error."""
    result = CliRunner().invoke(main, [*map(str, arguments)], prog_name="numlstm")
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    line = result.stderr[:-1]
    assert line.isprintable()
    assert len(line) <= len("Error: ") + 300
    return line


@pytest.fixture
def failing(monkeypatch):
    """Makes `numlstm info` raise an error."""

    def make(error):
        @click.command()
        def info():
            raise error

        monkeypatch.setitem(main.commands, "info", info)

    return make


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "Error: not enough memory"),
        (MemoryError("3 GB"), "Error: not enough memory: 3 GB"),
        (OSError(28, "No space left on device"), "Error: No space left on device"),
        (OSError(28, "No space left on device", "a\x1b[2J"), "Error: a\\x1b[2J: No space left on device"),
        (ValueError(), "Error: ValueError"),
        (ValueError("two\nlines"), "Error: two lines"),
        (EOFError("the end came early"), "Error: the end came early"),
        (click.UsageError("\x07"), "Error: \\x07"),
    ],
    ids=str,
)
def test_an_error_is_one_plain_sentence(failing, error, line):
    failing(error)
    result = CliRunner().invoke(main, ["info"])
    assert result.exit_code == 2
    assert result.stderr.strip() == line


def test_a_long_error_keeps_its_beginning_and_its_end(failing):
    failing(ValueError("begin " + "x" * 1_000_000 + " end"))
    line = refused("info")
    assert line.startswith("Error: begin x")
    assert line.endswith("x end")


@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b[31m", "x" * 100_000, os.fsdecode(b"\xff\xfe"), "\u202egnp.csv"], ids=range(4)
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("{}",),
        ("train", "{}"),
        ("train", "--target", "{}"),
        ("train", "--units", "{}"),
        ("train", "--device", "{}"),
        ("predict", "{}"),
        ("plan", "--shape", "{}"),
        ("bench", "--peers", "{}"),
        ("bench", "{}"),
    ],
)
def test_hostile_arguments_are_shortened_and_escaped(tmp_path, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    refused(*(argument.replace("{}", text) for argument in arguments))


@pytest.mark.parametrize(
    "arguments",
    [("train", ""), ("train", "--out", ""), ("predict", ""), ("plot", "x", "--out", ""), ("bench", "--json", "")],
)
def test_an_empty_path_is_refused(arguments):
    assert "a path must not be empty" in refused(*arguments)


@pytest.mark.parametrize("number", HUGE, ids=len)
@pytest.mark.parametrize(
    "arguments",
    [
        *(("train", f"--{name}") for name in ("samples", "window", "horizon", "units", "layers", "checkpoint-every")),
        ("bench", "train", "--peers", "none", "--samples"),
        ("bench", "train", "--peers", "none", "--units"),
        ("bench", "stream", "--peers", "none", "--units"),
        ("bench", "kernels", "--peers", "none", "--shape", "1,1,1,"),
        ("bench", "options", "--shape", "1,1,1,"),
    ],
    ids=" ".join,
)
def test_huge_numbers_are_refused(tmp_path, monkeypatch, arguments, number):
    monkeypatch.chdir(tmp_path)
    last = [f"{arguments[-1]}{number}"] if arguments[-1].endswith(",") else [arguments[-1], number]
    refused(*arguments[:-1], *last)
    assert not list(tmp_path.iterdir())


def test_a_pipe_without_a_writer_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "f.csv")
    process = subprocess.run(
        [sys.executable, "-m", "numlstm", "train", "f.csv"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (process.returncode, process.stderr) == (2, "Error: f.csv: it is a pipe, expected a file\n")


def test_a_full_disk_names_the_place(tmp_path, monkeypatch):
    """`write` of a full disk raises an error without the file's name."""

    def full(series, file):
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("numlstm.tasks.forecast.run.write_panel", full)
    quick = ("train", "--samples", "60", "--epochs", "1", "--units", "2", "--no-plot", "--quiet")
    assert refused(*quick, "--out", "mine") == "Error: mine: No space left on device"
    assert refused(*quick) == "Error: runs/sine: No space left on device"
    assert not list(tmp_path.iterdir())
