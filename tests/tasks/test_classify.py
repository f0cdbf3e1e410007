"""The task classify: what it reads, what it learns from, what it reports, and the folder it leaves."""

import csv
import io
import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm import callbacks
from numlstm.cli import main
from numlstm.tasks import load
from numlstm.tasks.classify import job, report
from numlstm.tasks.classify.anomalies import Detector, make_model, samples_of, stretches
from numlstm.tasks.classify.data import dataset, read
from numlstm.tasks.classify.ecg import ecg
from numlstm.tasks.classify.generated import shapes
from numlstm.tasks.classify.inputs import PADDING, Inputs
from numlstm.tasks.classify.measure import measure
from numlstm.tasks.classify.rivals import Rivals, dtw_distances
from numlstm.tasks.classify.sequences import Sequences, read_sequences, write_sequences
from numlstm.tasks.classify.settings import Settings
from numlstm.tasks.classify.split import Split, hold_out, stratified
from numlstm.tasks.classify.table import Columns
from numlstm.tasks.classify.train import train
from numlstm.training.interruption import Interrupted

SMALL = ("--units", "4", "--epochs", "2", "--ensemble", "2")
TINY = Settings(units=4, epochs=2, ensemble=2, device="cpu")


def numlstm(*arguments, code=0):
    result = CliRunner().invoke(main, list(map(str, arguments)), prog_name="numlstm")
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def interrupt_after(patch, epochs):
    """Send a signal at the end of an epoch, counted over all models."""
    early_end, count = callbacks.EarlyStopping.on_epoch_end, iter(range(1, 1000))

    def interrupt(self, epoch, logs=None):
        early_end(self, epoch, logs)
        if next(count) == epochs:
            raise Interrupted(signal.SIGINT)

    patch.setattr(callbacks.EarlyStopping, "on_epoch_end", interrupt)


def steps_up_or_down(count=24, columns=1, seed=0):
    """Noisy lines of 6 to 12 steps that go up or down, which is their class."""
    random = np.random.default_rng(seed)
    values, labels = [], []
    for number in range(count):
        length = int(random.integers(6, 13))
        slope = 1.0 if number % 2 else -1.0
        line = slope * np.linspace(-1, 1, length)[:, None] + random.normal(0, 0.1, (length, columns))
        values.append(line)
        labels.append("up" if number % 2 else "down")
    names = tuple("abc"[:columns])
    return Sequences("lines", names, tuple(map(str, range(count))), tuple(values), None, np.array(labels))


def long_table(sequences, path, label=True):
    with path.open("w") as file:
        print(",".join(("walk", "t", *sequences.columns, *(["way"] * label))), file=file)
        for row, values in enumerate(sequences.values):
            for t, step in enumerate(values):
                cells = ["" if np.isnan(value) else repr(float(value)) for value in step]
                ends = [sequences.labels[row]] * label
                print(",".join((sequences.ids[row], str(t), *cells, *ends)), file=file)
    return path


def ts_file(sequences, path, rows):
    lines = ["# lines", "@problemName lines", "@classLabel true down up", "@data"]
    for row in rows:
        dimensions = [",".join(map(repr, map(float, column))) for column in sequences.values[row].T]
        lines.append(":".join([*dimensions, sequences.labels[row]]))
    path.write_text("\n".join(lines) + "\n")
    return path


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours.values, theirs.values, strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours.labels.tolist() == theirs.labels.tolist()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a table in long form, and the table."""
    folder = tmp_path_factory.mktemp("run")
    table = long_table(steps_up_or_down(columns=2), folder / "walks.csv")
    columns = ("--id", "walk", "--label", "way", "--time", "t")
    text = numlstm("train", "classify", table, *columns, *SMALL, "--epochs", 20, "--lr", 0.02, "--out", folder / "R")
    return folder / "R", table, text


# Through the command line.


def test_a_run_has_its_files_and_its_sentence(run):
    folder, _, text = run
    files = {
        "model.safetensors",
        "config.json",
        "data.npz",
        "history.csv",
        "metrics.json",
        "classes.png",
        "report.html",
    }
    assert files <= {path.name for path in folder.iterdir()}
    assert "walks: 24 sequences of 7 to 12 steps and 2 columns, 2 classes; training on 18, held out 6" in text
    assert re.search(
        r"held out: accuracy \S+ against \S+ of 1-NN DTW, \S+ of logistic regression on simple features,"
        r" 0.500 of the most frequent class",
        text,
    )
    assert (folder / "classes.png").read_bytes().startswith(b"\x89PNG")


def test_the_metrics_are_those_of_evaluate_and_of_the_predictions(run):
    folder, table, _ = run
    metrics = json.loads((folder / "metrics.json").read_text())
    evaluated = json.loads(numlstm("evaluate", folder))
    assert evaluated == {name: metrics[name] for name in evaluated}
    assert sum(map(sum, metrics["confusion"])) == 6
    rows = list(csv.DictReader(io.StringIO(numlstm("predict", folder))))
    assert np.mean([row["true"] == row["predicted"] for row in rows]) == metrics["accuracy"]
    for row in rows:
        assert float(row["p_down"]) + float(row["p_up"]) == pytest.approx(1, abs=1e-4)
        assert row["predicted"] == ("up" if float(row["p_up"]) > float(row["p_down"]) else "down")
    assert json.loads(numlstm("evaluate", folder, table))["sequences"] == 24


def test_other_data_need_no_classes_to_be_predicted(run, tmp_path):
    folder, _, _ = run
    table = long_table(steps_up_or_down(6, 2, seed=1), tmp_path / "new.csv", label=False)
    rows = list(csv.reader(io.StringIO(numlstm("predict", folder, table))))
    assert rows[0] == ["id", "predicted", "p_down", "p_up"]
    assert [row[0] for row in rows[1:]] == list("012345")
    assert "has no classes to compare with" in numlstm("evaluate", folder, table, code=2)


def test_a_sequence_of_one_step_is_read_as_the_training_was(run, tmp_path):
    folder, _, _ = run
    (tmp_path / "one.csv").write_text("walk,t,a,b\n7,0,0.5,0.5\n8,0,-0.5,-0.5\n")
    rows = numlstm("predict", folder, tmp_path / "one.csv").splitlines()
    assert [row.split(",")[0] for row in rows] == ["id", "7", "8"]


def test_a_run_draws_its_picture_again(run, tmp_path):
    folder, _, _ = run
    numlstm("plot", folder, "--out", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (folder / "classes.png").read_bytes()


def test_a_training_step_is_planned_for_a_number_of_steps(run):
    folder, _, _ = run
    assert "(B 16, T 12, F 2, H 4)" in numlstm("plan", folder, "--steps", 12)
    assert "say by steps (--steps) for how many" in numlstm("plan", folder, code=2)
    assert "--steps is for a run" in numlstm("plan", "--steps", 12, code=2)


def test_the_report_is_a_page_with_the_verdict_and_the_picture(run, tmp_path):
    folder, _, text = run
    page = (folder / "report.html").read_text()
    verdict = re.search("held out: (accuracy .*)", text)[1]
    assert verdict in page
    assert "data:image/png;base64," in page
    numlstm("report", folder, "--out", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == page


def test_what_a_classifier_cannot_do_is_refused(run):
    folder, table, _ = run
    assert "looks at whole sequences" in numlstm("predict", folder, "--steps", 3, code=2)
    assert "the task classify, which has no series to backtest" in numlstm("backtest", folder, code=2)
    assert "--missing is of no use" in numlstm("predict", folder, table, "--missing", "ffill", code=2)
    assert not hasattr(load(folder), "forecast")


def test_the_help_has_the_options_and_examples():
    text = numlstm("train", "classify", "--help")
    assert "--class-weight" in text
    assert "numlstm train classify --dataset japanesevowels" in text


def test_a_training_that_is_interrupted_ends_with_the_bits_of_one_that_is_not(tmp_path, monkeypatch):
    table = long_table(steps_up_or_down(), tmp_path / "walks.csv")
    command = ("train", "classify", table, "--id", "walk", "--label", "way", "--time", "t", *SMALL, "--epochs", 6)
    numlstm(*command, "--out", tmp_path / "whole", "--no-plot")
    whole = load(tmp_path / "whole")
    for stop in (3, 9):  # In the first model, and in the second.
        place = tmp_path / f"stopped-{stop}"
        with monkeypatch.context() as patch:
            interrupt_after(patch, stop)
            text = numlstm(*command, "--checkpoint-every", 1, "--no-plot", "--out", place, code=130)
        assert f"`numlstm train --resume {place}` goes on" in text
        text = numlstm("predict", place)
        assert "was interrupted" in text
        assert "\nid,true,predicted" in text
        numlstm("train", "--resume", place, "--no-plot")
        for name in ("history.csv", "data.npz"):
            assert (place / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        for ours, theirs in zip(load(place).model.get_weights(), whole.model.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", lambda text: text.replace(b'"frame": ', b'"frame": -')),
        ("config.json", lambda text: text.replace(b'"units": 4', b'"units": "4"')),
        ("config.json", lambda text: text.replace(b'"down",', b'"other",')),
        ("config.json", lambda text: text.replace(b'"classes"', b'"class"')),
        ("data.npz", lambda text: text[:-40]),
        ("data.npz", lambda text: b""),
        ("model.safetensors", lambda text: text[:-4]),
    ],
)
def test_a_damaged_run_is_refused_in_a_sentence(run, tmp_path, file, change):
    folder, _, _ = run
    for path in folder.iterdir():
        content = path.read_bytes()
        changed = change(content) if path.name == file else content
        assert path.name != file or changed != content
        (tmp_path / path.name).write_bytes(changed)
    text = numlstm("evaluate", tmp_path, code=2)
    assert re.fullmatch(f"Error: .*{re.escape(file)}.*\n", text)


# Reading.


def test_the_two_files_of_an_archive_are_the_two_parts(tmp_path):
    lines = steps_up_or_down(columns=2)
    folder = tmp_path / "Lines"
    folder.mkdir()
    training = ts_file(lines, folder / "Lines_TRAIN.ts", range(16))
    test = ts_file(lines, folder / "Lines_TEST.ts", range(16, 24))
    for path in (training, folder):
        found = read(path, Columns())
        assert_equal(found, lines)
        assert found.held_out.tolist() == [False] * 16 + [True] * 8
        assert found.name == "Lines"
    assert len(read(test, Columns())) == 8
    assert len(read(folder, Columns(), labelled=False)) == 8


@pytest.mark.parametrize("lengths", [True, False])
def test_arrays_are_read_with_lengths_or_without(tmp_path, lengths):
    lines = steps_up_or_down(columns=2)
    x = np.full((24, 12, 2), np.nan)
    for row, values in enumerate(lines.values):
        x[row, : len(values)] = values
    said = {"lengths": lines.lengths} if lengths else {}
    np.savez(tmp_path / "lines.npz", x=x, y=lines.labels, **said)
    assert_equal(read(tmp_path / "lines.npz", Columns()), lines)
    np.savez(tmp_path / "two.npz", x=np.ones((4, 3)), y=np.arange(4) % 2, x_test=np.ones((2, 3)), y_test=[0.0, 1.0])
    two = read(tmp_path / "two.npz", Columns())
    assert two.held_out.tolist() == [False] * 4 + [True] * 2
    assert two.labels.tolist() == ["0", "1", "0", "1", "0", "1"]


def test_a_table_has_a_row_for_each_step_or_for_each_sequence(tmp_path):
    lines = steps_up_or_down()
    table = long_table(lines, tmp_path / "long.csv")
    found = read(table, Columns(id="walk", label="way", time="t"))
    assert_equal(found, lines)
    assert found.columns == ("a",)
    header, *rows = table.read_text().splitlines()
    np.random.default_rng(0).shuffle(rows)
    table.write_text("\n".join([header, *rows]))
    shuffled = read(table, Columns(id="walk", label="way", time="t"))
    order = [shuffled.ids.index(name) for name in lines.ids]
    assert_equal(shuffled.part(np.array(order)), lines)
    wide = tmp_path / "wide.csv"
    cells = [[*map(repr, map(float, values[:, 0])), *[""] * (12 - len(values))] for values in lines.values]
    rows = [",".join([label, *each]) for label, each in zip(lines.labels, cells, strict=True)]
    wide.write_text("\n".join([",".join(["label", *(f"t{n}" for n in range(12))]), *rows]))
    assert_equal(read(wide, Columns()), lines)


def test_dates_order_the_steps_and_count_in_days(tmp_path):
    (tmp_path / "v.csv").write_text("p,day,x,label\n1,2024-03-01,2,a\n1,2024-02-28,1,a\n2,2024-01-01,5,b\n")
    found = read(tmp_path / "v.csv", Columns(id="p", time="day"))
    assert found.values[0][:, 0].tolist() == [1, 2]
    assert np.diff(found.times[0]).tolist() == [2]


TS = "@classLabel true a b\n@data\n"
LONG = "p,t,x,label\n1,0,1,a\n1,1,2,a\n2,0,5,b\n2,1,5,b\n"


@pytest.mark.parametrize(
    ("name", "text", "arguments", "sentence"),
    [
        ("a.ts", "", (), "no line @data"),
        ("a.ts", TS, (), "holds no sequences after @data"),
        ("a.ts", TS + "1,x:a\n", (), "line 3 holds what is no number"),
        ("a.ts", TS + "1,2:a\n1,2:3,4:b\n", (), "line 4 has 2 dimensions, but the first has 1"),
        ("a.ts", "@timestamps true\n@data\n", (), "has timestamps"),
        ("a.ts", "@targetLabel true\n@data\n1,2:3\n", (), "has numbers as targets"),
        ("a.ts", "@classLabel false\n@data\n1,2\n", (), "has no classes to learn"),
        ("a.ts", TS + "1,2:a\n1,2:b\n", ("--label", "y"), "is no table"),
        ("a.ts", TS + "1,inf:a\n1,2:b\n", (), "holds an infinite value"),
        ("a.ts", TS + "1,2:a\n" * 9, (), "has one class only, 'a'"),
        ("a.ts", TS + "1,2:a\n" * 9 + "1,2:b\n", (), "the class 'b' has 1 of the sequences"),
        ("a.ts", TS + "1,?,2:a\n" * 9 + "1,2,3:b\n" * 9, (), "values are missing in the sequence '1'"),
        ("a.npz", "", (), "is damaged, or no .npz file"),
        ("a.csv", "", (), "is no CSV table with a header"),
        ("a.csv", "x,label\n", (), "has a header but no rows"),
        ("a.csv", LONG, ("--id", "q"), "has no column 'q'"),
        ("a.csv", LONG, ("--id", "p", "--label", "p"), "a column is named twice"),
        ("a.csv", LONG.replace("label", "kind"), ("--id", "p"), "name the column of the classes by --label"),
        ("a.csv", LONG.replace("1,1,2,a", "1,1,2,b"), ("--id", "p"), "gives the sequence '1' the class 'b'"),
        ("a.csv", LONG.replace("1,1,2,a", "1,1,two,a"), ("--id", "p"), "holds 'two', not a number"),
        ("a.csv", LONG.replace("1,1,2,a", "1,,2,a"), ("--id", "p", "--time", "t"), "has no time in the column 't'"),
        ("a.csv", LONG.replace("1,1,2,a", "1,1,2,"), ("--id", "p"), "has no value in the column 'label'"),
        ("a.csv", LONG, ("--time", "t"), "by --id"),
        ("a.csv", LONG, ("--id", "p", "--features", "x,z"), "has no column 'z'"),
        ("a.csv", "label\na\nb\n", (), "has no columns of values"),
        ("a.csv", "x,label\n1,a\n,b\n", (), "the sequence '2' has no steps"),
        ("a.csv", LONG, ("--dataset", "shapes"), "give either a file or --dataset"),
    ],
)
def test_bad_data_are_refused_in_a_sentence(tmp_path, name, text, arguments, sentence):
    (tmp_path / name).write_text(text)
    said = numlstm("train", "classify", tmp_path / name, *arguments, "--out", tmp_path / "R", code=2)
    assert re.fullmatch(f"Error: .*{re.escape(sentence)}.*\n", said)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"a": np.ones(3)}, "has no array x"),
        ({"x": np.ones((4, 3))}, "has no array y"),
        ({"x": np.ones(4), "y": np.ones(4)}, "x must hold numbers of shape"),
        ({"x": np.ones((4, 3)), "y": np.ones(3)}, r"y must have the shape \(4,\)"),
        ({"x": np.ones((4, 3)), "y": np.ones(4), "lengths": np.array([1, 2, 3, 4])}, "lengths must be whole numbers"),
        ({"x": np.array([{}, 1]), "y": np.ones(2)}, "holds Python objects"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, arrays, sentence):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path / "a.npz", Columns())


def test_a_folder_without_a_pair_or_with_several_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no pair"):
        read(tmp_path, Columns())
    lines = steps_up_or_down()
    for name in ("A", "B"):
        for part in ("TRAIN", "TEST"):
            ts_file(lines, tmp_path / f"{name}_{part}.ts", range(8))
    with pytest.raises(ValueError, match=r"the pairs 'A_TRAIN\.ts', 'B_TRAIN\.ts'"):
        read(tmp_path, Columns())


def test_classes_that_were_not_learned_and_other_columns_are_refused(run, tmp_path):
    folder, _, _ = run
    lines = steps_up_or_down(8, 2)
    other = replace(lines, labels=np.where(lines.labels == "up", "level", "down"))
    said = numlstm("evaluate", folder, long_table(other, tmp_path / "other.csv"), code=2)
    assert "has the classes 'level', which the training part has not" in said
    said = numlstm("evaluate", folder, long_table(steps_up_or_down(8), tmp_path / "one.csv"), code=2)
    assert "has no column 'b'" in said


@pytest.mark.parametrize(
    "wrong",
    [{"units": 0}, {"dropout": 1.0}, {"ensemble": 0}, {"class_weight": "x"}, {"missing": "x"}, {"test_fraction": 1.0},
     {"seed": -1}, {"frame": 0}, {"patience": -1}, {"bidirectional": 1}, {"learning_rate": 0.0}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("_", " ")):
        Settings(**wrong)


def test_a_package_that_is_not_installed_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"`pip install --no-deps aeon==1.6.0`"):
        dataset("gunpoint")


def test_data_of_a_package_are_read_from_its_files(tmp_path, monkeypatch):
    folder = tmp_path / "aeon" / "datasets" / "data" / "GunPoint"
    folder.mkdir(parents=True)
    (tmp_path / "aeon" / "__init__.py").write_text("raise AssertionError('it was imported')\n")
    lines = steps_up_or_down()
    for part, rows in (("TRAIN", range(16)), ("TEST", range(16, 24))):
        ts_file(lines, folder / f"GunPoint_{part}.ts", rows)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "aeon", raising=False)
    assert_equal(dataset("gunpoint"), lines)


def test_what_is_written_is_read_back(tmp_path):
    lines = hold_out(steps_up_or_down(columns=2), 0.25, 0)
    lines = replace(lines, times=tuple(np.arange(len(each)) * 0.5 for each in lines.values))
    write_sequences(tmp_path / "data.npz", lines)
    found = read_sequences(tmp_path / "data.npz", "lines", ("a", "b"))
    assert_equal(found, lines)
    assert found.ids == lines.ids
    assert found.held_out.tolist() == lines.held_out.tolist()
    np.testing.assert_array_equal(np.concatenate(found.times), np.concatenate(lines.times))


# Splits, inputs, measures and rivals.


def test_parts_have_the_classes_in_the_same_proportions():
    targets = np.repeat([0, 1, 2], [40, 20, 10])
    fold = stratified(targets, 5, seed=3)
    assert np.bincount(fold).tolist() == [14] * 5
    for number in range(5):
        assert np.bincount(targets[fold == number]).tolist() == [8, 4, 2]
    lines = steps_up_or_down()
    split = Split(hold_out(lines, 0.25, 0))
    assert np.bincount(split.test_targets).tolist() == [3, 3]
    assert not set(split.training.ids) & set(split.test.ids)
    assert split.test.ids != Split(hold_out(lines, 0.25, 1)).test.ids


def test_scales_are_those_of_the_training_part():
    lines = hold_out(steps_up_or_down(), 0.25, 0)
    held = tuple(1e6 * each if out else each for each, out in zip(lines.values, lines.held_out, strict=True))
    changed = Inputs.fit(Split(replace(lines, values=held)).training, None, "refuse")
    assert changed.to_dict() == Inputs.fit(Split(lines).training, None, "refuse").to_dict()


def test_frames_hold_several_steps_and_padding_is_beyond_the_end():
    values = (np.arange(10.0).reshape(5, 2), np.arange(4.0).reshape(2, 2))
    sequences = Sequences("s", ("a", "b"), ("1", "2"), values)
    inputs = Inputs.fit(sequences, 2, "refuse")
    array = inputs.array(sequences)
    assert array.shape == (2, 3, 4)
    scaled = inputs.scaler.transform(values[0])
    np.testing.assert_allclose(array[0], np.vstack([scaled, scaled[-1:]]).reshape(3, 4), rtol=1e-6)
    assert (array[1] == PADDING).all(axis=1).tolist() == [False, True, True]
    gradient = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(inputs.per_step(gradient, 5), [1, 5, 9, 13, 17])


def test_missing_values_are_told_with_the_time_since_the_last_known_one():
    nan = np.nan
    values = (np.array([[nan, 1.0], [4.0, nan], [nan, nan], [2.0, 3.0]]),)
    sequences = Sequences("s", ("a", "b"), ("1",), values, (np.array([0.0, 2.0, 4.0, 10.0]),))
    with pytest.raises(ValueError, match="--missing indicate"):
        Inputs.fit(sequences, 1, "refuse")
    inputs = Inputs.fit(sequences, 1, "indicate")
    assert inputs.unit == 2.0
    np.testing.assert_allclose(
        inputs.steps(sequences, 0),
        np.array(
            [
                [0.0, -1.0, 1.0, 0.0, 0.0, 0.0],
                [1.0, -1.0, 0.0, 1.0, np.log(2), np.log(2)],
                [1.0, -1.0, 1.0, 1.0, np.log(2), np.log(3)],
                [-1.0, 1.0, 0.0, 0.0, np.log(5), np.log(6)],
            ]
        ),
    )
    assert inputs.array(sequences).shape == (1, 4, 6)


def test_the_longest_padding_changes_no_prediction():
    lines = hold_out(steps_up_or_down(), 0.25, 0)
    classifier = train(lines, TINY, 0).classifier
    together = classifier.probabilities(lines)
    alone = np.concatenate([classifier.probabilities(lines.part(np.array([row]))) for row in range(len(lines))])
    np.testing.assert_array_equal(together, alone)


def test_balanced_classes_weigh_the_same(monkeypatch):
    lines = steps_up_or_down(40)
    kept = np.flatnonzero((lines.labels == "up") | (np.arange(40) < 16))
    lines = hold_out(lines.part(kept), 0.25, 0)
    seen = []
    from numlstm.tasks.classify import train as module

    usual = module.fit_model
    monkeypatch.setattr(
        module, "fit_model", lambda model, samples, *others: seen.append(samples) or usual(model, samples, *others)
    )
    train(lines, replace(TINY, class_weight="balanced", ensemble=1), 0)
    (samples,) = seen
    whole = [samples.weights[samples.targets == target].sum() / np.sum(samples.targets == target) for target in (0, 1)]
    assert whole[0] > 2 * whole[1]
    split = Split(lines)
    counts = np.bincount(split.training_targets)
    assert whole[0] * counts[0] == pytest.approx(whole[1] * counts[1], rel=1e-5)


def test_the_report_counts_right_and_wrong():
    metrics = measure(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0]), ("a", "b", "c", "d"))
    assert metrics["confusion"] == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["per_class"]["a"] == {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3}
    assert metrics["per_class"]["b"] == {"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "support": 2}
    assert metrics["per_class"]["c"] == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert metrics["per_class"]["d"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 0) / 3)


def test_the_sentence_says_when_a_rival_is_as_good():
    metrics = {"accuracy": 0.9, "dtw_accuracy": 0.9, "majority_accuracy": 0.5, "rival": "dtw", "rival_notes": []}
    assert report.sentence(metrics) == (
        "accuracy 0.900 against 0.900 of 1-NN DTW, 0.500 of the most frequent class, no better than 1-NN DTW"
    )
    assert "no better" not in report.sentence(metrics | {"accuracy": 0.95})


def test_time_warping_agrees_with_its_definition():
    random = np.random.default_rng(0)
    lengths = np.array([1, 7, 12, 20, 30])
    others = random.normal(size=(5, 30, 2))
    for T in (1, 9, 25):
        sequence = random.normal(size=(T, 2))
        expected = []
        for other, length in zip(others, lengths, strict=True):
            band = max(np.ceil(0.1 * max(T, length)), abs(T - length))
            table = np.full((T + 1, length + 1), np.inf)
            table[0, 0] = 0
            for i in range(T):
                for j in range(length):
                    if abs(i - j) <= band:
                        least = min(table[i, j], table[i, j + 1], table[i + 1, j])
                        table[i + 1, j + 1] = least + np.sum((sequence[i] - other[j]) ** 2)
            expected.append(table[-1, -1])
        np.testing.assert_allclose(dtw_distances(sequence, others, lengths), expected, rtol=1e-12)


def test_rivals_know_the_training_part_alone_and_say_what_they_leave_out(monkeypatch):
    split = Split(hold_out(steps_up_or_down(), 0.25, 0))
    rivals = Rivals(split.training, split.training_targets, 2, Inputs.fit(split.training, None, "refuse"))
    measured = rivals.measure(split.test, split.test_targets)
    assert measured["dtw_accuracy"] == measured["features_accuracy"] == 1.0  # A slope tells the lines apart.
    assert measured["majority_accuracy"] == 0.5
    monkeypatch.setattr("numlstm.tasks.classify.rivals._MOST", 1)
    measured = rivals.measure(split.test, split.test_targets)
    assert "dtw_accuracy" not in measured
    assert measured["rival_notes"] == ["1-NN DTW was left out: it would take too long"]


def test_the_default_data_are_learned():
    lines = hold_out(shapes(count=120, noise=0.0), 0.25, 0)
    metrics = train(lines, Settings(units=16, epochs=40, ensemble=1, patience=0, learning_rate=0.01), 0).metrics
    assert metrics["accuracy"] > metrics["majority_accuracy"] + 0.2


def test_visits_are_told_as_generated_and_have_values_missing():
    data = dataset("visits")
    assert "generated" in data.notes[0]
    share = np.isnan(np.concatenate(data.values)).mean()
    assert 0.3 < share < 0.8
    assert all((np.diff(each) >= 0).all() for each in data.times)
    assert {len(values) for values in data.values} > {6, 12}
    names, counts = np.unique(data.labels, return_counts=True)
    assert names.tolist() == ["stable", "worsens"]
    assert counts[0] > counts[1]


def test_a_table_with_empty_cells_is_learned_if_they_are_indicated(tmp_path):
    lines = steps_up_or_down()
    for values in lines.values:
        values[2] = np.nan
    table = long_table(lines, tmp_path / "gaps.csv")
    command = ("train", "classify", table, "--id", "walk", "--label", "way", "--time", "t", *SMALL, "--no-plot")
    assert "--missing indicate" in numlstm(*command, "--out", tmp_path / "R", code=2)
    numlstm(*command, "--missing", "indicate", "--out", tmp_path / "R")
    assert load(tmp_path / "R").model.input_shape == (None, None, 3)
    assert len(numlstm("predict", tmp_path / "R", table).splitlines()) == 25


# The electrocardiogram.


def heart(folder, monkeypatch, beats=26):
    """A package with a file of the format of sktime's, one beat of which comes early and is labelled."""
    place = folder / "sktime" / "datasets" / "data" / "mitdb"
    place.mkdir(parents=True)
    (folder / "sktime" / "__init__.py").write_text("raise AssertionError('it was imported')\n")
    random = np.random.default_rng(0)
    signal = random.normal(0, 0.01, 300 * beats)
    marked = np.zeros(len(signal), int)
    for beat in range(beats):
        at = 300 * beat + 150 - (90 if beat == beats - 3 else 0)
        clock = np.arange(len(signal)) - at
        signal += np.exp(-((clock / 6) ** 2)) + 0.2 * np.exp(-(((clock + 55) / 15) ** 2))
    marked[300 * (beats - 3) - 60 : 300 * (beats - 3) + 260] = 1
    rows = "".join(f"{value:.4f},{mark}\n" for value, mark in zip(signal, marked, strict=True))
    (place / "mitdb.csv").write_text("data,label\n" + rows)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(__import__("sys").modules, "sktime", raising=False)


def test_alarms_of_an_electrocardiogram_are_counted_and_no_class_gets_a_figure(tmp_path, monkeypatch):
    heart(tmp_path, monkeypatch)
    command = ("train", "classify", "--dataset", "ecg", "--units", 8, "--epochs", 6, "--out", tmp_path / "R")
    text = numlstm(*command)
    assert "1 of 26 beats is labelled abnormal, too few for classes" in text
    assert re.search(r"find \d of 1 labelled stretches with \d+ false alarms", text)
    assert "1 of 10 held-out beats abnormal, no figure for a class with fewer than 30" in text
    metrics = json.loads((tmp_path / "R" / "metrics.json").read_text())
    assert "accuracy" not in metrics
    evaluated = json.loads(numlstm("evaluate", tmp_path / "R"))
    assert evaluated == {name: metrics[name] for name in evaluated}
    rows = list(csv.DictReader(io.StringIO(numlstm("predict", tmp_path / "R"))))
    found = any(row["alarm"] == row["labelled"] == "1" for row in rows)
    assert found == bool(metrics["lstm_found"])
    numlstm("plot", tmp_path / "R", "--out", tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "R" / "classes.png").read_bytes()
    for refused, sentence in (
        (("predict", tmp_path / "R", "--steps", 2), "does not look ahead"),
        (("evaluate", tmp_path / "R", tmp_path / "x.csv"), "has its own signal"),
        (("backtest", tmp_path / "R"), "has no series to backtest"),
        (("train", "classify", "--dataset", "ecg", "--ensemble", 2), "--ensemble is of no use"),
    ):
        assert sentence in numlstm(*refused, code=2)
    config = (tmp_path / "R" / "config.json").read_text()
    for old, new in (('"scale": ', '"scale": -'), ('"lstm"', '"lstn"')):
        (tmp_path / "R" / "config.json").write_text(config.replace(old, new))
        assert re.fullmatch(r"Error: .*config.json is damaged.*\n", numlstm("evaluate", tmp_path / "R", code=2))


def test_the_threshold_of_an_alarm_sees_nothing_held_out(tmp_path, monkeypatch):
    heart(tmp_path, monkeypatch)
    signal = ecg()
    changed = replace(signal, values=np.where(np.arange(len(signal)) < signal.test, signal.values, 1e3))
    model = make_model(Settings(units=4), "cpu", 0)
    assert Detector.fit(model, signal).threshold == Detector.fit(model, changed).threshold
    ours, theirs = (samples_of(each, "") for each in (signal, changed))
    np.testing.assert_array_equal(ours.inputs, theirs.inputs)
    np.testing.assert_array_equal(ours.validation[1], theirs.validation[1])


def test_stretches_that_are_close_are_one():
    marks = np.array([1, 1, 0, 1, 0, 0, 0, 1], bool)
    assert stretches(marks) == [(0, 2), (3, 4), (7, 8)]
    assert stretches(marks, 2) == [(0, 4), (7, 8)]


def test_an_electrocardiogram_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    heart(tmp_path, monkeypatch)
    command = ("train", "classify", "--dataset", "ecg", "--units", 4, "--epochs", 4, "--no-plot", "--quiet")
    numlstm(*command, "--out", tmp_path / "whole")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        numlstm(*command, "--checkpoint-every", 1, "--out", tmp_path / "R", code=130)
    numlstm("train", "--resume", tmp_path / "R", "--no-plot", "--quiet")
    for name in ("history.csv", "data.npz"):
        assert (tmp_path / "R" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    weights = (load(tmp_path / each).model.get_weights() for each in ("R", "whole"))
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_warmup_names_the_kernels_of_a_training():
    assert job.kernels_used()


def test_the_script_of_the_readme_runs():
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (script,) = [code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "tasks.classify" in code]
    assert len(script.splitlines()) <= 20
    found = {}
    exec(script.replace("epochs=60", "epochs=1"), found)
    assert found["accuracy"] > 0
