"""The command line as a user runs it."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm.cli import main

FILES = {"model.safetensors", "config.json", "data.csv", "history.csv", "metrics.json", "forecast.png", "report.html"}
BOUNDS = ("lower_80", "upper_80", "lower_95", "upper_95")


def numlstm(*arguments, code=0):
    """Run a command line in this process: its output, standard error included."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm")
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def product(*arguments):
    """What a command line writes to standard output."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numlstm")
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def process(*arguments, **options):
    """Start a command line in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([sys.executable, "-m", "numlstm", *map(str, arguments)], **pipes)


def python(code):
    """What a Python process of its own prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def sales(rows=120, seed=0):
    """A CSV of daily sales with a trend and a week, their price, and a column of text."""
    rng = np.random.default_rng(seed)
    days = np.datetime64("2022-01-01") + np.arange(rows)
    units = 100 + 0.3 * np.arange(rows) + 20 * np.sin(np.arange(rows) * 2 * np.pi / 7) + rng.normal(0, 2, rows)
    prices = rng.random(rows)
    lines = [f"{day},{unit:.2f},{price:.2f},here" for day, unit, price in zip(days, units, prices, strict=True)]
    return "\n".join(["date,units,price,shop", *lines]) + "\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of one's own, as the working directory, with sales.csv in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sales.csv").write_text(sales())
    return tmp_path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Finished runs: one of the target alone, one with a further column and a horizon of 3, one with counted steps."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "sales.csv").write_text(sales())
    (folder / "counted.csv").write_text("y\n" + "".join(f"{(-1) ** i * i % 7}\n" for i in range(60)))
    quick = ["--window", 7, "--units", 4, "--epochs", 3, "--quiet"]
    csv_file, target = folder / "sales.csv", ["--target", "units"]
    numlstm("train", csv_file, *target, *quick, "--out", folder / "alone")
    numlstm("train", csv_file, *target, *quick, "--features", "price", "--horizon", 3, "--out", folder / "both")
    numlstm("train", folder / "counted.csv", *quick, "--out", folder / "counted", "--no-plot")
    return folder


# Training.


def test_the_main_job(here):
    output = numlstm("train")
    run = here / "runs" / "sine"
    assert {path.name for path in run.iterdir()} == FILES
    assert (run / "forecast.png").read_bytes().startswith(b"\x89PNG")
    assert "saved in runs/sine" in output
    assert output.count("Epoch") == 10  # plain lines, since this is no terminal
    assert "\r" not in output
    history = table((run / "history.csv").read_text())
    assert [row["epoch"] for row in history] == [str(epoch) for epoch in range(1, 11)]
    assert list(history[0]) == ["epoch", "loss", "val_loss"]
    assert 0.0135 < float(history[-1]["loss"]) < 0.0175
    metrics = json.loads((run / "metrics.json").read_text())
    assert {"rmse", "mae", "persistence_rmse", "persistence_mae"} <= set(metrics)
    assert metrics["rmse_ratio"] == pytest.approx(metrics["rmse"] / metrics[f"{metrics['rival']}_rmse"])
    assert metrics["rmse_ratio"] < 1
    assert metrics["backend"] == "cpu"
    assert metrics["kernel_name"]
    config = json.loads((run / "config.json").read_text())
    assert (config["target"], config["features"], config["axis"]) == ("sine", [], "x")
    assert config["models"]["model.safetensors"]["inputs"]["scaler"] == {"offset": [0.0], "scale": [1.0]}


def test_samples_and_numbered_folders(here):
    for place in ("runs/sine", "runs/sine-2"):
        assert f"saved in {place}" in numlstm("train", "--samples", 90, "--epochs", 1, "--no-plot")
        assert {path.name for path in (here / place).iterdir()} == FILES - {"forecast.png", "report.html"}
        assert len(table((here / place / "data.csv").read_text())) == 90


def test_the_first_argument_may_be_a_task(here):
    output = numlstm("train", "forecast", "--samples", 120, "--epochs", 1)
    assert "saved in runs/sine" in output
    assert json.loads((here / "runs/sine/config.json").read_text())["task"] == "forecast"
    assert numlstm("train", "forecast", "--help").startswith("Usage: numlstm train forecast [OPTIONS] [CSV]")
    assert numlstm("train", "--help").startswith("Usage: numlstm train [OPTIONS] [TASK] [CSV]")


def test_a_file_with_the_name_of_a_task(here):
    (here / "forecast").write_text(sales())
    output = numlstm("train", "./forecast", "--target", "units", "--epochs", 1, "--no-refit", "--ensemble", 1)
    assert "saved in runs/forecast" in output


@pytest.mark.parametrize("word", ["sentimnt", "sales"])
def test_a_word_that_is_neither_a_task_nor_a_file(here, word):
    output = numlstm("train", word, code=2)
    assert output.startswith(
        f"Error: {word} is neither a file nor a task: give the path of a file, or one of classify, forecast"
    )
    assert not (here / "runs").exists()


def test_sunspots(here):
    numlstm("train", "--dataset", "sunspots", "--quiet", "--no-plot")
    assert json.loads((here / "runs/sunspots/metrics.json").read_text())["rmse_ratio"] <= 0.75


def test_a_command_with_everything_in_it(here):
    output = numlstm(
        "train", "sales.csv", "--target", "units", "--window", 24, "--horizon", 1, "--units", 64, "--layers", 2,
        "--epochs", 2, "--batch-size", 32, "--lr", "1e-3", "--optimizer", "adam", "--seed", 7, "--device", "cpu",
        "--out", "runs/sales",
    )  # fmt: skip
    assert "saved in runs/sales" in output
    config = json.loads((here / "runs/sales/config.json").read_text())
    assert config["axis"] == "date"
    given = {"window": 24, "units": 64, "layers": 2, "learning_rate": 1e-3, "seed": 7, "device": "cpu"}
    assert given.items() <= config["settings"].items()


def test_every_optimizer_that_is_offered_trains_in_its_own_way(here):
    weights = set()
    for name in ("adam", "adamw", "nadam", "rmsprop", "sgd"):
        numlstm("train", "--samples", 60, "--epochs", 1, "--optimizer", name, "--no-plot", "--quiet", "--out", name)
        assert json.loads((here / name / "config.json").read_text())["settings"]["optimizer"] == name
        weights.add((here / name / "model.safetensors").read_bytes())
    assert len(weights) == 5


def test_an_existing_place_is_refused_unless_overwritten(here):
    quick = ["train", "--samples", 60, "--epochs", 1, "--no-plot", "--quiet", "--out", "mine"]
    numlstm(*quick)
    first = (here / "mine/model.safetensors").read_bytes()
    assert "mine exists" in numlstm(*quick, "--seed", 1, code=2)
    assert (here / "mine/model.safetensors").read_bytes() == first
    numlstm(*quick, "--seed", 1, "--overwrite")
    assert (here / "mine/model.safetensors").read_bytes() != first
    assert sorted(path.name for path in here.iterdir()) == ["mine", "sales.csv"]


def test_quiet_says_nothing_and_a_seed_repeats_a_run(here):
    for out in ("a", "b"):
        assert numlstm("train", "--samples", 60, "--epochs", 2, "--quiet", "--seed", 3, "--out", out) == ""
    for name in ("config.json", "data.csv", "history.csv", "forecast.png"):
        assert (here / "a" / name).read_bytes() == (here / "b" / name).read_bytes(), name
    assert numlstm("predict", "a") == numlstm("predict", "b")


@pytest.mark.parametrize("policy", ["drop", "ffill", "interpolate"])
def test_missing_values_are_treated_as_told(here, policy):
    lines = sales().splitlines()
    lines[30] = re.sub(r",[\d.]+,", ",,", lines[30], count=1)
    (here / "gaps.csv").write_text("\n".join(lines))
    command = ["train", "gaps.csv", "--target", "units", "--epochs", 1, "--no-plot", "--out", "run"]
    assert "row 30 (date 2022-01-30), column 'units' is missing" in numlstm(*command, code=2)
    numlstm(*command, "--missing", policy)
    kept = table((here / "run/data.csv").read_text())
    assert len(kept) == (119 if policy == "drop" else 120)
    assert all(row["units"] for row in kept)
    assert len(table(product("predict", "run", "gaps.csv"))) > 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nope.csv", "nope.csv: No such file or directory"),
        (".", "Is a directory"),
        ("sales.csv --target nope", "no column 'nope'; it has 'date', 'units', 'price', 'shop'"),
        ("sales.csv --target units --features nope", "no column 'nope'"),
        ("sales.csv --target units --features price,units", "must be named once"),
        ("sales.csv", "target column must be named"),
        ("sales.csv --target shop", "row 1 (date 2022-01-01), column 'shop' holds 'here', not a number"),
        ("sales.csv --target units --window 120", "need 122: give more rows or a shorter window"),
        ("sales.csv --target units --dataset sine", "not both"),
        ("--samples 12", "training part has"),
        ("--samples 0", "samples must be at least 2, not 0"),
        ("--dataset sunspots --samples 50", "--samples is for the sine only"),
        ("--dataset sunspots --target nope", "and no other"),
        ("--dataset moon", "'moon' is not one of"),
        ("--units 0", "units must be a whole number from 1 on, not 0"),
        ("--window 0", "window must be"),
        ("--horizon 0", "horizon must be"),
        ("--layers -1", "layers must be"),
        ("--epochs 0", "epochs must be"),
        ("--batch-size 0", "batch size must be"),
        ("--lr 0", "learning rate must be"),
        ("--lr nan", "learning rate must be"),
        ("--lr 1e30", "no longer a finite number"),
        ("--clip -1", "clip norm must be"),
        ("--patience -1", "patience must be"),
        ("--seed -1", "seed must be"),
        ("--season 1", "season must be a whole number from 2 on, not 1"),
        ("--season often", "--season must be a whole number, auto or none, not 'often'"),
        ("--season 500", "needs 1000: give more rows or a shorter season"),
        ("--test-fraction 1", "test fraction must lie"),
        ("--validation-fraction 0.95", "validation fraction must"),
        ("--units many", "'many' is not a valid integer"),
        ("--missing guess", "'guess' is not one of"),
        ("--optimizer lion", "'lion' is not one of"),
        ("--device cuda:7", "is not one of"),
        ("--frobnicate", "No such option"),
        ("sales.csv more.csv", "unexpected extra argument"),
        ("--units 10000000", "not enough memory"),
        ("--out sales.csv", "sales.csv exists"),
        ("--out sales.csv --overwrite", "is no folder"),
        ("--out sales.csv/run", "cannot make a folder there"),
        ("--out sales.csv/deep/run", "cannot make a folder there"),
        ("--out . --overwrite", "is no run folder"),
        ("--overwrite", "--overwrite needs --out"),
        ("sales.csv --target units --train-until soon", "--train-until must be a date such as 2020-12-31, not 'soon'"),
        ("sales.csv --target units --test-from 2024", "leaves no row to hold out: the last one is 2022-04-30"),
        (
            "sales.csv --target units --train-until 2022-03 --test-from 2022-04",
            "give one of --train-until and --test-from",
        ),
        ("sales.csv --target units --interval 120", "interval must be percentages from 1 to below 100"),
        ("sales.csv --target units --ensemble 0", "ensemble must be a whole number from 1 to 100, not 0"),
        ("sales.csv --target units --ensemble 60", "an ensemble of 60 needs 120 windows"),
        ("sales.csv --target units --season none --rule seasonal_naive", "needs a season, and none was found"),
        ("sales.csv --target units --rule persistence --no-difference", "are for --rule none"),
    ],
)
def test_bad_training_input_gives_one_sentence_and_leaves_nothing(here, arguments, message):
    with np.errstate(all="ignore"):
        output = numlstm("train", *arguments.split(), code=2)
    error = output[output.index("Error: ") :]
    assert message in error
    assert error.count("\n") == 1
    assert "Traceback" not in output
    assert [path.name for path in here.iterdir()] == ["sales.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no CSV table"),
        (b"date,units\n", "has a header but no rows"),
        (b"date,units\n2020-01-01,1\n", "training part has"),
        (b"units,units\n1,2\n", "two columns named"),
        (b"date,units\n2020-01-01,1\n2020-01-02,inf\n", "row 2 (date 2020-01-02), column 'units' is infinite"),
        (b"date,units\n2020-01-01,1\n2020-01-02,\n", "row 2 (date 2020-01-02), column 'units' is missing"),
        (b"date,units\n2020-01-01,1\n2020-01-02,two\n", "holds 'two', not a number"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is not UTF-8 text"),
        (b"\x00" * 100, "Error"),
    ],
)
def test_bad_tables_give_one_sentence_and_leave_nothing(here, text, message):
    (here / "sales.csv").write_bytes(text)
    output = numlstm("train", "sales.csv", "--target", "units", code=2)
    assert message in output
    assert output.count("\n") == 1
    assert [path.name for path in here.iterdir()] == ["sales.csv"]


def test_names_are_shown_as_they_are(here):
    """A dollar sign begins a formula for matplotlib, which these are not."""
    (here / "money.csv").write_text("year,$ in \\$_\n" + "".join(f"{1900 + i},{i % 5}\n" for i in range(60)))
    numlstm("train", "money.csv", "--epochs", 1, "--quiet")
    assert (here / "runs/money/forecast.png").stat().st_size > 0


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(here):
    """Files that come from elsewhere have such names: bytes in another encoding."""
    place = os.fsdecode(b"gr\xf6sse.csv")
    (here / place).write_text(sales())
    assert "saved in runs/gr\ufffdsse" in numlstm("train", place, "--target", "units", "--epochs", 1)
    out = os.fsdecode(b"\xf6")
    assert "saved in \ufffd" in numlstm("train", place, "--target", "units", "--epochs", 1, "--no-plot", "--out", out)
    assert numlstm("evaluate", out) == numlstm("evaluate", "runs/gr\ufffdsse")


def test_what_the_font_lacks_is_no_warning(here, recwarn):
    text = "year,\u4fa1\u683c\n" + "".join(f"{1900 + i},{i % 5}\n" for i in range(60))
    (here / "prices.csv").write_text(text, encoding="utf-8")
    numlstm("train", "prices.csv", "--epochs", 1, "--quiet")
    assert not list(recwarn)


def test_a_constant_series_is_no_error(here):
    (here / "flat.csv").write_text("units\n" + "5\n" * 60)
    assert "repeating the last value is exact" in numlstm("train", "flat.csv", "--epochs", 2)
    assert json.loads((here / "runs/flat/metrics.json").read_text())["rmse_ratio"] is None


def test_a_file_is_forecast_by_a_rule_and_an_ensemble_and_once_more_on_all_rows(here):
    quick = ["--units", 4, "--epochs", 3, "--ensemble", 2]
    output = numlstm(
        "train", "sales.csv", "--target", "units", "--train-until", "2022-04-10", "--interval", "50", *quick
    )
    assert (
        "120 rows, date: daily; training 2 models on 100, each stopped by another part of them, held out 20" in output
    )
    assert re.search(r"model 1/2: 3 epochs, .*\nmodel 2/2: 3 epochs, .*\nrefit 1/2: 3 epochs, .*\nrefit 2/2", output)
    assert re.search(
        r"held out: rmse \S+ against \S+ of the seasonal (change|naive rule), rmse ratio .* 50 % interval", output
    )
    assert "predict uses a model of all 120 rows" in output
    folder = here / "runs/sales"
    assert {path.name for path in folder.iterdir()} == FILES | {"tested.safetensors"}
    history = table((folder / "history.csv").read_text())
    assert [row["model"] for row in history] == [str(model) for model in (1, 2, 3, 4) for _ in range(3)]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["season"], metrics["fitted_rows"], metrics["refitted"]) == (7, 100, True)
    assert list(table(product("predict", folder, "--steps", 2))[0]) == ["date", "predicted", "lower_50", "upper_50"]
    evaluated = json.loads(product("evaluate", folder))
    assert evaluated == {name: metrics[name] for name in evaluated}


def test_a_run_that_holds_nothing_out(here):
    quick = ["--units", 4, "--epochs", 2, "--ensemble", 2, "--test-fraction", 0, "--out", "run"]
    assert "nothing held out; rmse out of fold" in numlstm("train", "sales.csv", "--target", "units", *quick)
    assert {path.name for path in (here / "run").iterdir()} == FILES
    assert "the run sales held nothing out" in numlstm("evaluate", "run", code=2)
    assert json.loads(numlstm("evaluate", "run", "sales.csv"))["rmse"] > 0
    numlstm("plot", "run")


# What a run is good for.


def test_predictions_over_the_run_s_own_data(runs):
    rows = table(product("predict", runs / "alone"))
    assert list(rows[0]) == ["date", "units", "predicted", *BOUNDS]
    known = table(sales())
    first = len(known) - len(rows)
    assert first == 14  # a window of 7 differences from the week before
    assert [row["date"] for row in rows] == [row["date"] for row in known[first:]]
    assert [float(row["units"]) for row in rows] == [float(row["units"]) for row in known[first:]]
    assert all(np.isfinite(float(row["predicted"])) for row in rows)


def test_predictions_over_other_data_go_to_a_file(runs, tmp_path):
    (tmp_path / "new.csv").write_text(sales(40, seed=1))
    out = tmp_path / "predicted.csv"
    out.write_text("old")
    assert product("predict", runs / "both", tmp_path / "new.csv", "--out", out) == ""
    rows = table(out.read_text())
    dates = [row["date"] for row in table(sales(40))]
    assert [(row["date"], row["step"]) for row in rows[:6]] == list(
        zip(dates[14:17] + dates[15:18], "123123", strict=True)
    )
    assert len(rows) == 3 * 24
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "predicted.csv"]


def test_steps_after_the_end(runs):
    rows = table(product("predict", runs / "alone", "--steps", 10))
    assert list(rows[0]) == ["date", "predicted", *BOUNDS]
    assert [row["date"] for row in rows] == [str(np.datetime64("2022-05-01") + step) for step in range(10)]
    assert len(table(product("predict", runs / "both", "--steps", 3))) == 3
    assert "at most 3 steps ahead, not 4" in numlstm("predict", runs / "both", "--steps", 4, code=2)
    assert [row["row"] for row in table(product("predict", runs / "counted", "--steps", 2))] == ["61", "62"]


def test_one_step_after_the_end_is_what_predict_says_once_it_is_known(runs, tmp_path):
    lines = sales().splitlines()
    (tmp_path / "cut.csv").write_text("\n".join(lines[:-1]))
    (step,) = table(product("predict", runs / "alone", tmp_path / "cut.csv", "--steps", 1))
    last = table(product("predict", runs / "alone"))[-1]
    assert (step["date"], step["predicted"]) == (last["date"], last["predicted"])


def test_evaluate_and_plot(runs, tmp_path):
    metrics = json.loads((runs / "both/metrics.json").read_text())
    again = json.loads(numlstm("evaluate", runs / "both"))
    assert again == {name: metrics[name] for name in again}
    assert len(again["rmse_by_step"]) == 3
    (tmp_path / "new.csv").write_text(sales(40, seed=1))
    assert json.loads(numlstm("evaluate", runs / "both", tmp_path / "new.csv"))["origins"] == 24
    picture = (runs / "both/forecast.png").read_bytes()
    (runs / "both/forecast.png").unlink()
    numlstm("plot", runs / "both")
    assert (runs / "both/forecast.png").read_bytes() == picture
    numlstm("plot", runs / "both", "--out", tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes() == picture
    for name, begin in (("p.SVG", b"<?xml"), ("p.pdf", b"%PDF"), ("p.jpg", b"\xff\xd8"), ("p.webp", b"RIFF")):
        numlstm("plot", runs / "both", "--out", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(begin)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("predict nope", "is no run folder"),
        ("evaluate sales.csv", "is no run folder"),
        ("plot .", "is no run folder"),
        ("predict", "Missing argument 'RUN'"),
        ("predict RUN nope.csv", "nope.csv: No such file"),
        ("predict RUN renamed.csv", "renamed.csv has no column 'units'"),
        ("evaluate RUN undated.csv", "undated.csv has no column 'date'"),
        ("predict RUN short.csv", "has 3 rows, but at least 15 are needed"),
        ("predict RUN short.csv --steps 1", "has 3 rows, but at least 14 are needed"),
        ("predict RUN --steps 0", "steps must be"),
        ("predict RUN --out nope/file.csv", "nope/file.csv: there is no folder nope"),
        ("predict RUN --out folder", "Is a directory"),
        ("plot RUN --out folder", "Is a directory"),
        ("plot RUN --out p.txt", "p.txt cannot be a picture: its name must end in one of .png, .pdf, .svg"),
        ("plot RUN --out picture", "picture cannot be a picture"),
        ("predict RUN --out .", ".: Is a directory"),
        ("plan RUN --dtype float64", "--dtype is for a layer"),
        ("plan RUN --shape 1,2,3,4", "give either a run folder or --shape"),
        ("predict RUN --frobnicate", "No such option"),
        ("forecast", "No such command"),
    ],
)
def test_bad_use_of_a_run_gives_one_sentence(runs, here, arguments, message):
    text = sales(20)
    (here / "renamed.csv").write_text(text.replace("units", "pieces"))
    (here / "undated.csv").write_text(text.replace("date", "day"))
    (here / "short.csv").write_text("\n".join(text.splitlines()[:4]))
    (here / "folder").mkdir()
    before = sorted(here.rglob("*"))
    output = numlstm(*(runs / "alone" if word == "RUN" else word for word in arguments.split()), code=2)
    assert message in output
    assert output.count("\n") == 1
    assert sorted(here.rglob("*")) == before


# Around the commands.


def test_info_names_what_runs():
    output = numlstm("info")
    for word in ("numlstm", "python", "numba", "numpy", "cores", "threads", "gpu"):
        assert re.search(rf"^{word}\s+\S", output, re.MULTILINE), word


def test_every_command_explains_itself():
    assert "Commands:" in numlstm()
    assert re.fullmatch(r"numlstm, version \S+\n", numlstm("--version"))
    commands = (
        "train",
        "predict",
        "evaluate",
        "backtest",
        "generate",
        "translate",
        "transcribe",
        "plot",
        "report",
        "info",
    )
    for command in commands:
        assert "Usage: numlstm" in numlstm(command, "--help")


def test_debugging_shows_the_traceback(here, monkeypatch):
    monkeypatch.setenv("NUMLSTM_DEBUG", "1")
    result = CliRunner().invoke(main, ["train", "nope.csv"])
    assert isinstance(result.exception, FileNotFoundError)


def test_the_end_does_not_look_at_all_objects_again():
    """What is registered first runs last."""
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 10_000))\n"
    assert python(code + "from numlstm.cli import main; main(['--version'])").splitlines()[-1] == "True"


def test_help_imports_nothing_heavy():
    heavy = "numba", "matplotlib", "pandas", "safetensors"
    code = f"import sys; from numlstm.cli import main; print([name for name in {heavy} if name in sys.modules])"
    assert python(code) == "[]\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932"])
def test_every_command_prints_in_any_encoding(here, encoding):
    """A column's name, the rule of a summary and \N{MICRO SIGN}s are not in all of them."""
    (here / "d.csv").write_text("\u4fa1größe\n" + "".join(f"{k % 5}\n" for k in range(60)), encoding="utf-8")
    code = """
import sys
import numlstm
from numlstm.cli import main

for line in (
    "train d.csv --window 7 --units 4 --epochs 2 --out run", "evaluate run", "predict run", "plot run", "plan run",
    "plan --shape 3,4,5,6", "info", "warmup", "bench stream --peers none --rounds 1",
):
    try:
        main(line.split())
    except SystemExit as end:
        assert not end.code, line
model = numlstm.Sequential([numlstm.layers.Dense(2, input_shape=(3,))])
model.summary()
"""
    environment = os.environ | {"PYTHONIOENCODING": encoding, "NUMLSTM_DEBUG": "1"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, cwd=here, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    assert b"Dense" in result.stdout


def test_training_without_a_table_needs_no_pandas(here):
    """Loading it takes longer than the whole main job."""
    code = (
        "import sys; from numlstm.cli import main\n"
        "try: main(['train', '--samples', '60', '--epochs', '1', '--quiet', '--no-plot'])\n"
        "except SystemExit as end: print(end.code, 'pandas' in sys.modules)"
    )
    assert python(code) == "0 False\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to all processes of a console")
def test_ctrl_c_leaves_a_usable_run(here):
    with process("train", "--epochs", 1_000_000, cwd=here, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as training:
        for line in training.stdout:
            if line.startswith("Epoch 3/"):
                break
        training.send_signal(signal.SIGINT)
        time.sleep(0.05)
        training.send_signal(signal.SIGINT)  # impatience must not cost the run
        _, error = training.communicate(timeout=60)
    assert training.returncode == 130
    assert error.startswith("Interrupted: the run holds what was learned until then")
    # The second Ctrl-C may come before the first has written a checkpoint.
    assert {path.name for path in (here / "runs/sine").iterdir()} - {"checkpoint.safetensors"} == FILES
    metrics = json.loads((here / "runs/sine/metrics.json").read_text())
    assert metrics["interrupted"] is True
    assert len(table((here / "runs/sine/history.csv").read_text())) == metrics["epochs"] >= 2
    assert json.loads(numlstm("evaluate", "runs/sine"))["rmse"] == metrics["rmse"]


def test_ctrl_c_before_anything_was_learned_leaves_nothing(here, monkeypatch):
    from numlstm.tasks.forecast import train

    def press(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", press)
    assert "Interrupted." in numlstm("train", code=130)
    assert [path.name for path in here.iterdir()] == ["sales.csv"]


def test_a_reader_that_has_had_enough_is_no_error(runs):
    with process("predict", runs / "alone", "--steps", 3_000) as prediction:
        assert prediction.stdout.readline() == ",".join(["date", "predicted", *BOUNDS]) + "\n"
        prediction.stdout.close()
        assert re.fullmatch(r"predict uses the model of all 120 rows; .*\n", prediction.stderr.read())
