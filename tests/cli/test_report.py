"""`report.html` of a run: what it says, the command that repeats the training, and names that would be code."""

import json
import os
import re
import shlex
import shutil
import webbrowser
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm.cli import main
from numlstm.tasks.forecast import job, report, run

GOLDEN = Path(__file__).parents[1] / "golden"
QUICK = ("--units", "4", "--epochs", "2", "--quiet")
VOID = {"meta", "link", "path", "rect"}


def numlstm(*arguments, code=0):
    """Run a command line in this process: its output, standard error included."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm")
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


class Page(HTMLParser):
    """A page whose tags must close each other: its tags, attributes and texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def command(self):
        """The command that repeats the run, as words."""
        return shlex.split(self.texts[max(k for k, text in enumerate(self.texts) if text.startswith("numlstm train"))])


def page_of(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def write_sales(path, rows=100, names=("date", "units", "price"), gaps=()):
    rng, steps = np.random.default_rng(0), np.arange(rows)
    units = 100 + 20 * np.sin(steps * 2 * np.pi / 7) + rng.normal(0, 3, rows)
    lines = [
        f"{day};{unit:.2f};{price:.2f}".replace(".", ",")
        for day, unit, price in zip(np.datetime64("2022-01-01") + steps, units, rng.random(rows), strict=True)
    ]
    header = ";".join('"' + name.replace('"', '""') + '"' for name in names)
    path.write_text("\n".join([header, *(line for k, line in enumerate(lines) if k not in gaps)]), encoding="utf-8")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def sales(tmp_path_factory):
    """A run on a file with gaps and a decimal comma, with a horizon of 3."""
    folder = tmp_path_factory.mktemp("sales")
    write_sales(folder / "my sales.csv", gaps=(50, 51))
    before = Path.cwd()
    os.chdir(folder)
    try:
        numlstm(
            "train", "my sales.csv", "--target", "units", "--features", "price", "--decimal", ",", "--missing", "ffill",
            "--horizon", 3, "--ensemble", 2, "--lr", 0.01, "--no-refit", "--device", "cpu", *QUICK, "--out", "run",
        )  # fmt: skip
    finally:
        os.chdir(before)
    return folder


# What it says.


def test_the_report_says_what_the_command_line_says(sales):
    page = page_of(sales / "run")
    metrics = json.loads((sales / "run/metrics.json").read_text())
    assert f"On the held-out part: {report.sentence(metrics)}." in page.text
    for words in ("my sales: a forecast of units", "2022-01-01 to 2022-04-10", "daily", "7 steps", "numlstm 0.1.0"):
        assert words in page.text
    assert "date is daily, but 2 dates are absent: 2022-02-20, 2022-02-21; filled by ffill" in page.text
    assert f"the model {metrics['rmse']:#.4g} {metrics['mae']:#.4g}" in page.text
    rules = {rule: name for rule, name in report.NAMES.items() if rule != "best_rule"}  # That is of several series.
    for rule, name in rules.items():
        assert f"{metrics[f'{rule}_rmse']:#.4g} {metrics[f'{rule}_mae']:#.4g}" in page.text
        assert name in page.text
    for level, share in metrics["coverage"].items():
        assert f"{level} % {100 * share:.1f} %" in page.text


def test_every_chart_has_a_caption_an_alternative_and_its_values(sales):
    text = (sales / "run/report.html").read_text(encoding="utf-8")
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("figure") == tags.count("figcaption") == 5
    pictures = [attributes for tag, attributes in page.tags if tag == "svg" and attributes.get("role") == "img"]
    assert [picture["aria-label"].partition(":")[0] for picture in pictures] == [
        "True and predicted values", "Error by step", "What comes next", "The series", "Learning curves",
    ]  # fmt: skip
    data = [json.loads(each) for each in re.findall(r'<script type="application/json">(.*?)</script>', text)]
    assert len(data) == 5
    predicted = {name: values for name, values in data[0]["v"]}["predicted 3 steps ahead"]
    forecasts = run.load(sales / "run").tested.over(run.load(sales / "run").series, 80)
    np.testing.assert_allclose([float(each) for each in predicted if each], forecasts.predicted[:, -1], rtol=1e-5)
    assert data[0]["t"][-1] == "2022-04-10"
    for chart in data:
        assert {len(values) for _, values in chart["v"]} == {len(chart["x"])} == {len(chart["t"])}


def test_the_page_is_whole_and_accessible(sales):
    text = (sales / "run/report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not re.search(r"https?:|//\w|url\(|@import", text)
    assert not [tag for tag, attributes in page.tags if "src" in attributes or tag in ("img", "iframe", "object")]
    assert page.tags[0] == ("html", {"lang": "en"})
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == tags.count("title") == 1
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert text.count("\n") < 700
    assert len((Path(report.__file__).parents[2] / "page/script.js").read_text().splitlines()) <= 60


def test_the_colours_of_text_and_lines_stand_out():
    """At least 4.5:1 for text and 3:1 for lines, as WCAG 2 asks."""
    style = (Path(report.__file__).parents[2] / "page/style.css").read_text(encoding="utf-8")

    def luminance(code):
        parts = np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    schemes = [dict(re.findall(r"--(\w+): (#\w{6});", part)) for part in style.split("@media", 2)[:2]]
    for scheme in schemes:
        for name in ("text", "soft", "model", "rival", "other"):
            for ground in ("back", "card", "shade", "warn"):
                pair = sorted(luminance(scheme[each]) for each in (name, ground))
                least = 4.5 if name in ("text", "soft") and ground != "warn" else 3
                assert (pair[1] + 0.05) / (pair[0] + 0.05) >= least, (name, ground)


def test_a_run_that_holds_nothing_out_and_one_that_was_interrupted_say_so(here):
    numlstm("train", "--samples", 80, "--test-fraction", 0, *QUICK, "--out", "run")
    assert "Nothing is held out" in page_of(here / "run").text
    shutil.copytree(GOLDEN / "run", here / "old")
    metrics = json.loads((here / "old/metrics.json").read_text())
    (here / "old/metrics.json").write_text(json.dumps(metrics | {"interrupted": True}))
    numlstm("report", "old")
    assert "The training was interrupted" in page_of(here / "old").text


def test_errors_that_cannot_be_measured_leave_a_report(here):
    values = [*range(1, 60), 1e200, *range(1, 20)]
    (here / "huge.csv").write_text("y\n" + "".join(f"{value}\n" for value in values))
    options = ["--test-fraction", 0.3, "--season", "none", "--no-refit"]
    output = numlstm("train", "huge.csv", *options, *QUICK, "--out", "run", code=2)
    assert "no errors on the held-out part" in output
    assert "There are no errors on the held-out part: the errors are too large" in page_of(here / "run").text


def test_a_long_series_makes_a_small_page(here):
    rng = np.random.default_rng(0)
    days = np.datetime64("1990-01-01T00") + np.arange(20_000)
    rows = [f"{day}:00,{value:.6f}" for day, value in zip(days, rng.normal(size=20_000).cumsum(), strict=True)]
    (here / "long.csv").write_text("\n".join(["time,value", *rows]))
    numlstm(
        "train", "long.csv", "--window", 4, "--units", 2, "--epochs", 1, "--ensemble", 1, "--transform", "none",
        "--no-refit", "--quiet", "--out", "run",
    )  # fmt: skip
    page = page_of(here / "run")
    assert (here / "run/report.html").stat().st_size < 400_000
    assert "Of 20,000 rows, the lowest and the highest of each of 500 parts are drawn." in page.text
    assert "the last 400 of 4,000 rows" in page.text


# The command that repeats it.


def repeated(folder, words, monkeypatch):
    """Run the command of a report in a folder, and return the new run."""
    monkeypatch.chdir(folder)
    assert words[:2] == ["numlstm", "train"]
    numlstm(*words[1:], "--quiet", "--no-plot", "--out", folder / "again")
    return folder / "again"


def facts_of(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in metrics.items() if name != "seconds"}


def test_the_command_repeats_the_run(sales, monkeypatch):
    words = page_of(sales / "run").command()
    assert shlex.join(words) == (
        "numlstm train 'my sales.csv' --target units --features price --decimal , --missing ffill --horizon 3 --units 4"
        " --epochs 2 --lr 0.01 --ensemble 2 --no-refit --device cpu"
    )
    again = repeated(sales, words, monkeypatch)
    assert facts_of(again) == facts_of(sales / "run")
    assert (again / "config.json").read_bytes() == (sales / "run/config.json").read_bytes()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "numlstm train"),
        ("--samples 90 --epochs 1", "numlstm train --samples 90 --epochs 1"),
        ("--dataset sunspots --seed 3", "numlstm train --dataset sunspots --seed 3"),
        ("--dataset sunspots --no-difference", "numlstm train --dataset sunspots --no-difference"),
        (
            "--dataset sunspots --scaling minmax --rule none --ensemble 3",
            "numlstm train --dataset sunspots --ensemble 3 --scaling minmax",
        ),
        ("--dataset sunspots --ensemble 1 --rule none", "numlstm train --dataset sunspots --rule none --ensemble 1"),
        ("--season 11 --train-until 40", "numlstm train --season 11 --train-until 40"),
    ],
)
def test_the_command_has_the_options_that_are_not_the_defaults(given, told):
    from numlstm.tasks.forecast.repeat import command

    def made(line):
        context = main.commands["train"].make_context("train", shlex.split(line))
        options = {name: value for name, value in context.params.items() if value not in (None, ())}
        for name in ("data", "out", "overwrite", "resume", "every", "plot", "quiet"):
            options.pop(name, None)
        return job.begin(None, options)

    first = made(given)
    assert command(first.panel.series[0], first.settings) == told
    assert made(told.removeprefix("numlstm train")).settings == first.settings


def test_a_run_of_standard_input_is_repeated_from_its_own_data(here, monkeypatch):
    write_sales(here / "sales.csv", gaps=(50,))
    with open("sales.csv") as file:
        text = file.read()
    result = CliRunner().invoke(
        main,
        shlex.split("train - --target units --decimal , --missing drop --ensemble 1 --out run") + list(QUICK),
        input=text,
    )
    assert result.exit_code == 0, result.output
    page = page_of(here / "run")
    assert "in the folder of the run, whose data.csv" in page.text
    again = repeated(here / "run", page.command(), monkeypatch)
    assert facts_of(again) == facts_of(here / "run")


@pytest.mark.parametrize("name", ["forecast", "-w.csv"])
def test_the_command_names_a_file_that_could_be_read_otherwise(here, monkeypatch, name):
    write_sales(here / name)
    numlstm("train", f"./{name}", "--target", "units", "--decimal", ",", "--ensemble", 1, *QUICK, "--out", "run")
    words = page_of(here / "run").command()
    assert words[2] == f"./{name}"
    assert facts_of(repeated(here, words, monkeypatch)) == facts_of(here / "run")


# Names that would be code.


NAMES = ("when\u202e", "</script><script>alert(1)</script>", "\u20ac <b>&amp;\"'` \U0001f600 \u05d0")


def test_names_stay_text(here, monkeypatch):
    name = "<img src=x onerror=alert(1)>.csv"
    write_sales(here / name, names=NAMES)
    options = ["--target", NAMES[1], "--features", NAMES[2], "--decimal", ",", "--horizon", 2, "--ensemble", 1]
    numlstm("train", name, *options, *QUICK, "--out", "run")
    text = (here / "run/report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert f"a forecast of {NAMES[1]}" in page.text
    assert NAMES[2] in page.text
    assert "\\u202e" in page.text
    tags = [tag for tag, _ in page.tags]
    assert "img" not in tags
    assert "b" not in [tag for tag, attributes in page.tags if attributes]
    assert tags.count("script") == tags.count("figure") + 1
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    again = repeated(here, page.command(), monkeypatch)
    assert facts_of(again) == facts_of(here / "run")


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(here):
    place = os.path.join(os.fsencode(here), b"\xff.csv")
    write_sales(Path(os.fsdecode(place)))
    numlstm("train", os.fsdecode(place), "--target", "units", "--decimal", ",", "--ensemble", 1, *QUICK, "--out", "run")
    assert "\ufffd: a forecast of units" in page_of(here / "run").text


# The command.


@pytest.mark.parametrize(
    ("name", "told"), [("run", "rmse 0.7294 against 0.4793 of persistence"), ("forecast", "ratio 0.983")]
)
def test_runs_of_earlier_versions_have_a_report(here, name, told):
    shutil.copytree(GOLDEN / name, here / "run")
    assert numlstm("report", "run") == "saved run/report.html\n"
    page = page_of(here / "run")
    assert told in page.text
    assert page.command()[:2] == ["numlstm", "train"]


def test_the_report_goes_where_it_is_told_and_into_the_browser(here, monkeypatch):
    shutil.copytree(GOLDEN / "run", here / "run")
    seen = []
    monkeypatch.setattr(webbrowser, "open", lambda place: seen.append(place) or len(seen) == 1)
    numlstm("report", "run", "--out", "a b.html", "--open")
    assert seen == [(here / "a b.html").as_uri()]
    assert not (here / "run/report.html").exists()
    assert "no browser could be started: open run/report.html" in numlstm("report", "run", "--open", code=2)
    assert (here / "run/report.html").exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("history.csv", "epoch,loss,val_loss\n1,much,0.5\n", "history.csv is damaged"),
        ("history.csv", "epoch\n1\n", "history.csv is damaged: no column 'loss'"),
        ("history.csv", "\x00\udcff", "history.csv"),
        ("metrics.json", "[", "metrics.json is damaged"),
        ("config.json", '{"task": "forecast"}', "config.json is damaged"),
        ("history.csv", None, "history.csv: No such file"),
    ],
)
def test_a_damaged_run_gives_one_sentence_and_no_page(here, file, content, message):
    shutil.copytree(GOLDEN / "run", here / "run")
    (here / "run" / file).unlink()
    if content is not None:
        (here / "run" / file).write_bytes(content.encode("utf-8", "surrogateescape"))
    output = numlstm("report", "run", code=2)
    assert output.startswith("Error: ")
    assert output.count("\n") == 1
    assert message in output
    assert not (here / "run/report.html").exists()


@pytest.mark.parametrize("value", [None, "x", -1, [], {"a": 1}, 1e308, True])
def test_any_value_in_the_metrics_of_a_run_is_told_or_refused(here, value):
    shutil.copytree(GOLDEN / "run", here / "run")
    names = json.loads((GOLDEN / "forecast/metrics.json").read_text())
    (here / "run/metrics.json").write_text(json.dumps(dict.fromkeys(names, value)))
    numlstm("report", "run")
    assert "rmse 0.7294 against 0.4793 of persistence" in page_of(here / "run").text


def test_a_report_that_fails_costs_no_run(here, monkeypatch):
    def fail(self, folder):
        raise RuntimeError("no ink")

    monkeypatch.setattr(job.Forecast, "report", fail)
    output = numlstm("train", "--samples", 60, *QUICK, "--out", "run", code=2)
    assert "Error: run has no report: no ink; `numlstm report run` writes it" in output
    assert (here / "run/forecast.png").exists()
    assert "saved run/report.html" in numlstm("report", "run")
