"""The memory task: its sequences, its refusals, its folder, and a training that goes on."""

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm import Sequential, set_seed
from numlstm.cli import main
from numlstm.tasks.memory import network
from numlstm.tasks.memory.measure import measure
from numlstm.tasks.memory.problems import Problem, Source, Use
from numlstm.tasks.memory.settings import Settings

SMALL = ["--lags", "4,6", "--budget", "128", "--batch-size", "16", "--units", "4", "--seeds", "2"]
TRAINED = {"model.safetensors", "config.json", "trials.csv", "gradients.csv", "history.csv", "metrics.json"}


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)])


def train(place, *more):
    return run("train", "memory", *SMALL, "--out", place, *more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("memory") / "run"
    result = train(place)
    assert result.exit_code == 0, result.output
    return place


class Stopping:
    """The batches of a training, of which the fourth one comes with a signal."""

    def __init__(self, source):
        self.source = source

    def __len__(self):
        return len(self.source)

    def __getitem__(self, number):
        self.taken = getattr(self, "taken", 0) + 1
        if self.taken == 4:
            signal.raise_signal(signal.SIGTERM)
        return self.source[number]


def copied(trained, tmp_path):
    place = tmp_path / "run"
    place.mkdir()
    for path in trained.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place


# The sequences.


def test_the_target_of_the_adding_problem_is_the_sum_of_one_marked_number_of_each_half():
    drawn = Problem("adding", 9).draw(50, 3, Use.TEST)
    assert drawn.x.shape == (50, 9, 2)
    for x, y in zip(drawn.x, drawn.y, strict=True):
        first, second = np.flatnonzero(x[:, 1])
        assert first < 4 <= second
        np.testing.assert_allclose(y[0], x[first, 0] + x[second, 0], rtol=1e-6)


def test_the_copy_task_asks_for_its_symbols_after_the_sign():
    drawn = Problem("copy", 5).draw(50, 3, Use.TEST)
    symbols = np.argmax(drawn.x, axis=2)
    assert symbols.shape == (50, 11)
    np.testing.assert_array_equal(drawn.y[:, -3:], symbols[:, :3])
    assert (symbols[:, 7] == 5).all()
    assert (np.delete(symbols, [0, 1, 2, 7], axis=1) == 4).all()
    np.testing.assert_array_equal(drawn.weights[0] > 0, [False] * 8 + [True] * 3)
    np.testing.assert_allclose(drawn.weights.mean(), 1)


@pytest.mark.parametrize("name", ["adding", "copy"])
def test_a_batch_follows_from_its_number_and_all_batches_differ(name):
    problem = Problem(name, 12)
    source = Source(problem, 8, 5, seed=1)
    first, second = source[2], Source(problem, 8, 9, seed=1)[2]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    others = [source[3][0], Source(problem, 8, 5, seed=2)[2][0], problem.draw(8, 1, Use.TEST, 2).x]
    assert not any(np.array_equal(first[0], other) for other in others)


def test_the_naive_rival_of_the_adding_problem_has_a_third_and_a_sixth():
    target = Problem("adding", 20).draw(20_000, 0, Use.FRESH).y[:, 0]
    found = measure(Problem("adding", 20), target, target)
    assert found["mae"] == 0
    assert found["right"] == 1
    np.testing.assert_allclose([found["naive_mae"], found["naive_mse"]], [1 / 3, 1 / 6], rtol=0.02)


def test_a_copy_is_right_if_all_its_symbols_are():
    target = np.array([[0, 1, 2], [3, 3, 3]])
    found = measure(Problem("copy", 5), target, np.array([[0, 1, 2], [3, 3, 4]]))
    assert (found["accuracy"], found["right"], found["naive_accuracy"]) == (5 / 6, 0.5, 0.25)


# The gradient.


def test_the_gradient_of_a_fresh_lstm_vanishes_with_forget_bias_1_and_not_with_5():
    problem = Problem("adding", 60)
    far = {}
    for bias in (1.0, 5.0):
        model = network.make_model(Settings(forget_bias=bias), "lstm", problem, 0, "cpu")
        norms = network.gradient_norms(model, problem, 0)
        assert norms.shape == (60,)
        far[bias] = norms[-1] / norms[0]
    assert far[1.0] < 1e-4
    assert far[5.0] > 0.1


@pytest.mark.parametrize("name", ["adding", "copy"])
def test_the_gradient_is_that_of_the_last_output(name):
    problem = Problem(name, 5)
    model = network.make_model(Settings(units=3), "gru", problem, 0, "cpu")
    norms = network.gradient_norms(model, problem, 0)
    x = problem.draw(64, 0, Use.TEST).x
    layer, step = model.layers[0], 1e-2

    def last(x):
        y = np.asarray(layer(x))
        return (y if y.ndim == 2 else y[:, -1]).sum(axis=1, dtype=np.float64)

    slopes = np.zeros(x.shape)
    for at in np.ndindex(x.shape[1:]):
        moved = np.zeros_like(x)
        moved[(slice(None), *at)] = step
        slopes[(slice(None), *at)] = (last(x + moved) - last(x - moved)) / (2 * step)
    np.testing.assert_allclose(norms, np.linalg.norm(slopes, axis=2).mean(axis=0)[::-1], rtol=2e-3)


# The run folder.


def test_a_run_folder_has_a_trial_for_each_lag_cell_and_seed(trained):
    assert {path.name for path in trained.iterdir()} == TRAINED | {"memory.png", "report.html"}
    rows = list(csv.DictReader((trained / "trials.csv").open()))
    found = [(row["lag"], row["cell"], row["seed"]) for row in rows]
    assert found == [(lag, cell, seed) for lag in "46" for cell in ("rnn", "lstm") for seed in "01"]
    assert {int(row["sequences"]) for row in rows} == {128}
    metrics = json.loads((trained / "metrics.json").read_text())
    assert "RNN solved 0 of 2" in metrics["verdict"]
    assert [row["trials"] for row in metrics["trials"]] == [2] * 4
    distances = {row["distance"] for row in csv.DictReader((trained / "gradients.csv").open())}
    assert distances == set("012345")


def test_a_problem_that_is_solved_ends_its_trial_and_gives_the_model(tmp_path):
    more = ["--problem", "copy", "--lags", "1,2"]
    assert "a lag must be a whole number from 2" in run("train", "memory", *more, "--out", tmp_path / "no").output
    words = ["--problem", "copy", "--cell", "rnn", "--lags", "2", "--seeds", "1", "--out", tmp_path / "run"]
    result = run("train", "memory", *words)
    assert result.exit_code == 0, result.output
    assert "RNN solved 1 of 1" in result.output
    (row,) = csv.DictReader((tmp_path / "run" / "trials.csv").open())
    assert row["solved"] == "1"
    assert int(row["sequences"]) < Settings().budget
    assert float(row["right"]) > 0.9
    answers = run("predict", tmp_path / "run").output.splitlines()
    assert answers[0] == "sequence,target,output,right"
    assert sum(line.endswith(",1") for line in answers) > 90


def test_evaluate_measures_every_lag_on_new_sequences(trained):
    found = json.loads(run("evaluate", trained).output)
    assert {"lag_4", "lag_6"} <= set(found)
    assert found["lag_6"]["naive_mae"] == pytest.approx(1 / 3, rel=0.1)


def test_predict_writes_targets_beside_outputs(trained):
    rows = list(csv.DictReader(run("predict", trained).output.splitlines()))
    assert len(rows) == 100
    for row in rows:
        assert float(row["target"]) == pytest.approx(float(row["first"]) + float(row["second"]), abs=1e-5)


def test_plot_and_report_come_from_the_folder(trained, tmp_path):
    assert run("report", trained, "--out", tmp_path / "a.html").exit_code == 0
    page = (tmp_path / "a.html").read_bytes()
    assert page == (trained / "report.html").read_bytes()
    assert b"numlstm train memory --lags 4,6 --seeds 2 --budget 128 --units 4 --batch-size 16" in page
    assert run("plot", trained, "--out", tmp_path / "a.png").exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == (trained / "memory.png").read_bytes()


# Going on.


def test_a_training_that_was_interrupted_goes_on_to_the_same_bits(trained, tmp_path, monkeypatch):
    place, steps = tmp_path / "run", []
    fit = Sequential.fit

    def interrupted(model, x, *rest, **options):
        steps.append(1)
        return fit(model, Stopping(x) if len(steps) == 3 else x, *rest, **options)

    monkeypatch.setattr(Sequential, "fit", interrupted)
    result = train(place, "--checkpoint-every", "1")
    monkeypatch.undo()
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    assert json.loads((place / "metrics.json").read_text())["interrupted"]
    assert len((place / "trials.csv").read_text().splitlines()) == 3
    result = run("train", "memory", "--resume", place)
    assert result.exit_code == 0, result.output
    for name in ("model.safetensors", "trials.csv", "gradients.csv", "history.csv", "memory.png", "report.html"):
        assert (place / name).read_bytes() == (trained / name).read_bytes(), name


# The README.


def test_the_script_of_the_readme_learns():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in readme.split("```python")[1:]]
    (script,) = (block for block in blocks if "gradient = np.abs(model.input_gradient" in block)
    assert len(script.splitlines()) <= 20
    found = {}
    set_seed(0)
    exec(compile(script, "README.md", "exec"), found)
    assert found["gradient"].shape == (40,)
    assert found["model"].history.history["val_mae"][-1] < 0.2


# Refusals.


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["x.csv"], "leave x.csv out"),
        (["--lags", "8,4"], "lags must grow"),
        (["--lags", "4,,8"], "whole numbers with commas"),
        (["--lags", "1"], "from 2 to"),
        (["--cell", "rnn,elman"], "cell must name some of rnn, lstm, gru"),
        (["--cell", "rnn", "--cell", "rnn"], "each once"),
        (["--budget", "10"], "at least the batch size of 32"),
        (["--seeds", "0"], "seeds must be a whole number from 1"),
        (["--seed", "-1"], "seed must be"),
        (["--units", "0"], "units must be"),
        (["--units", "100000000"], "not enough memory"),
        (["--lags", "10000", "--batch-size", "1000000", "--budget", "1000000"], "not enough memory"),
        (["--lags", "10001"], "from 2 to 10000"),
        (["--lr", "nan"], "learning rate"),
        (["--forget-bias", "inf"], "forget bias"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(words, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a\n1\n")
    result = run("train", "memory", *words)
    assert result.exit_code == 2
    assert part in result.output
    assert len([line for line in result.output.splitlines() if line.startswith("Error")]) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["x.csv"]


@pytest.mark.parametrize(
    "words", [["predict", "--steps", "3"], ["evaluate", "x.csv"], ["predict", "x.csv"], ["backtest"]]
)
def test_a_run_refuses_what_it_cannot_do(words, trained):
    command, *rest = words
    result = run(command, trained, *rest)
    assert result.exit_code == 2
    assert "a run of memory" in result.output or "a run of the task memory, which" in result.output


@pytest.mark.parametrize(
    ("name", "old", "new", "part"),
    [
        ("config.json", '"problem": "adding"', '"problem": "x"', "config.json is damaged: problem must be"),
        ("config.json", '"lag": 6', '"lag": 7', "no trial of the settings"),
        ("config.json", '"units": 4', '"units": 5', "is not the model"),
        ("config.json", '"problem": "adding"', '"problem": "copy"', "is not the model"),
        ("trials.csv", "sequences", "s", "trials.csv is damaged"),
        ("trials.csv", "4,rnn", "5,rnn", "not those of the settings"),
        ("gradients.csv", ",0,0,", ",0,0,-", "gradients.csv is damaged"),
        ("gradients.csv", "rnn,before,0,5", "lstm,before,0,5", "differ in length"),
    ],
)
def test_a_damaged_folder_is_refused(name, old, new, part, trained, tmp_path):
    place = copied(trained, tmp_path)
    text = (place / name).read_text()
    assert old in text
    (place / name).write_text(text.replace(old, new))
    result = run("evaluate", place)
    assert result.exit_code == 2
    assert part in result.output
    assert "Traceback" not in result.output
