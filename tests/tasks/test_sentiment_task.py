"""The sentiment task: its texts, its words, its refusals, its folder, and a training that goes on."""

import csv
import io
import json
import signal
import tarfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm import Sequential, set_seed
from numlstm.cli import main
from numlstm.tasks import task
from numlstm.tasks.sentiment.measure import bag_of_words, bags, measure
from numlstm.tasks.sentiment.settings import Settings
from numlstm.tasks.sentiment.texts import generated, read_archive, read_texts
from numlstm.tasks.sentiment.train import Split
from numlstm.tasks.sentiment.vocabulary import UNKNOWN, Vocabulary, words_of

SMALL = ["--ensemble", "2", "--embedding", "8", "--units", "4", "--epochs", "2", "--batch-size", "16"]
TRAINED = {"model.safetensors", "config.json", "vocabulary.txt", "data.csv", "history.csv", "metrics.json"}


def run(*words, stdin=None):
    return CliRunner().invoke(main, [*map(str, words)], input=stdin)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("texts") / "films.csv"
    texts = generated(120)
    rows = zip(texts.labels, texts.texts, strict=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("stars", "review"), *rows])
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    place = tmp_path_factory.mktemp("sentiment") / "run"
    result = train(table, place)
    assert result.exit_code == 0, result.output
    return place


def train(table, place, *more, stdin=None):
    columns = ["--text", "review", "--label", "stars"]
    return run("train", "sentiment", table, *columns, *SMALL, "--out", place, *more, stdin=stdin)


def copied(trained, tmp_path):
    place = tmp_path / "run"
    place.mkdir()
    for path in trained.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place


# Words.


def test_words_keep_negations_marks_and_smileys():
    assert words_of("It isn’t GOOD!! Really? :-) ok_2") == [
        "it",
        "isn't",
        "good",
        "!!",
        "really",
        "?",
        ":-)",
        "ok",
        "2",
    ]


def test_a_vocabulary_has_the_frequent_words_of_the_texts():
    vocabulary = Vocabulary.of(["b a a", "a b c"], 2)
    assert vocabulary.words == ("a", "b")
    assert vocabulary.size == 4
    np.testing.assert_array_equal(vocabulary.numbers(["c b a b", "…"], 3), [[UNKNOWN, 3, 2], [UNKNOWN, 0, 0]])


# Data.


def test_generated_sentences_differ_and_deny():
    texts = generated(400)
    assert len(set(texts.texts)) == 400
    assert set(texts.labels) == {"negative", "positive"}
    assert "not" in " ".join(texts.texts)


def test_a_table_may_have_tabs_quotes_and_columns_of_any_order(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('label\ttext\nbad\t"one ""two""\nthree"\ngood\tfour\n')
    found = read_texts(path, (None, None))
    assert found.texts == ('one "two" three', "four")
    assert found.labels == ("bad", "good")


def test_of_two_columns_the_other_one_is_the_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("label,what\nbad,one\ngood,two\n")
    found = read_texts(path, (None, None))
    assert found.columns == ("what", "label")
    assert found.texts == ("one", "two")


def archive(path, rows):
    def packed(name, content):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        return file.getvalue()

    inner = packed("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt", "".join(rows).encode())
    path.write_bytes(packed("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz", inner))
    return path


def test_ratings_of_the_archive_become_labels(tmp_path):
    rows = ["1\t2.5\tA fine  film\n", "2\t-0.1\tA poor one\n", "3\t0.0\tA film\n"]
    texts = read_archive("movies", archive(tmp_path / "a.tar.gz", rows))
    assert texts.texts == ("A fine film", "A poor one")
    assert texts.labels == ("positive", "negative")
    assert texts.notes == ("texts with the rating 0 are left out: 1",)


def test_a_threshold_makes_two_labels_of_ratings(tmp_path):
    path = tmp_path / "stars.csv"
    path.write_text("text,label\na,1\nb,5\nc,3\nd,3.5\n")
    found = read_texts(path, (None, None), threshold=3)
    assert found.texts == ("a", "b", "d")
    assert found.labels == ("negative", "positive", "positive")
    assert found.notes == ("texts with the rating 3 are left out: 1",)


def test_other_texts_may_have_one_label_or_empty_ones(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,good\nb,good\n")
    assert read_texts(path, ("text", "label"), labeled=False).labels == ("good", "good")
    path.write_text("text,label\na,\nb,\n")
    assert read_texts(path, ("text", "label"), labeled=False).labels is None


def test_a_run_of_ratings_reads_other_ratings(tmp_path):
    rows = "".join(f"good {n},{4 + n % 2}\npoor {n},{1 + n % 2}\n" for n in range(9))
    (tmp_path / "stars.csv").write_text(f"text,stars\n{rows}")
    words = [tmp_path / "stars.csv", "--label", "stars", "--threshold", "3", "--out", tmp_path / "run"]
    assert run("train", "sentiment", *words, *SMALL).exit_code == 0
    (tmp_path / "other.csv").write_text("text,stars\ngood,4.5\npoor,0.5\n")
    found = json.loads(run("evaluate", tmp_path / "run", tmp_path / "other.csv").output)
    assert [found["per_label"][name]["texts"] for name in ("negative", "positive")] == [1, 1]


def test_the_parts_have_all_texts_once_and_the_proportions_of_the_labels(table):
    texts = read_texts(table, ("review", "stars"))
    split = Split.of(texts, Settings())
    parts = [split.training, split.validation, split.test]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(120))
    for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
        for label in (0, 1):
            whole = np.sum(split.targets == label)
            assert abs(np.sum(split.targets[part] == label) - share * whole) <= 1
    assert set(split.vocabulary.words) <= {word for text in texts.part(split.training).texts for word in words_of(text)}


# Scores.


def test_scores_count_each_label():
    found = measure(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), ("a", "b", "c"))
    assert found["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found["per_label"]["b"] == {"precision": pytest.approx(1 / 3), "recall": 1.0, "f1": 0.5, "texts": 1}


def test_the_bag_of_words_learns_which_words_matter():
    x = np.array([[2, 4, 0], [3, 4, 4], [4, 2, 0], [4, 3, 1]] * 20)
    y = np.array([0, 1, 0, 1] * 20)
    np.testing.assert_array_equal(bags(x[:2], 5), [[0, 0, 1, 0, 1], [0, 0, 0, 1, 1]])
    model = bag_of_words(x, y, 5, 2)
    np.testing.assert_array_equal(model.predict(bags(x, 5), verbose=0).argmax(axis=1), y)


# The run folder.


def test_a_run_folder_has_the_scores_beside_those_of_rivals(trained):
    assert {path.name for path in trained.iterdir()} == TRAINED | {"sentiment.png", "report.html"}
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["texts"] == 24
    assert metrics["most_frequent_accuracy"] == pytest.approx(0.5, abs=0.1)
    assert "against a bag of words" in metrics["verdict"]
    assert len((trained / "history.csv").read_text().splitlines()) == 5


def test_evaluate_measures_the_held_out_part_or_other_texts(trained, table):
    metrics = json.loads((trained / "metrics.json").read_text())
    found = json.loads(run("evaluate", trained).output)
    assert found == {name: metrics[name] for name in found}
    assert json.loads(run("evaluate", trained, table).output)["texts"] == 120


def test_predict_writes_the_words_that_counted(trained, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("the plot is not bad\n\nthe music is dull\n")
    rows = list(csv.DictReader(run("predict", trained, path).output.splitlines()))
    assert [row["text"] for row in rows] == ["the plot is not bad", "the music is dull"]
    assert all(row["predicted"] in ("negative", "positive") for row in rows)
    assert all(0.5 <= float(row["probability"]) <= 1 for row in rows)
    words = [part.split()[0] for part in rows[0]["words"].split(", ")]
    assert len(words) == 3
    assert set(words) <= {"the", "plot", "is", "not", "bad"}


def test_an_influence_is_what_the_label_loses_without_the_word(trained):
    classifier = task.load(trained)[0].classifier
    (words,) = classifier.influences(["the plot is not bad"])
    x = classifier.vocabulary.numbers(["the plot is not bad"], classifier.length)
    whole = classifier.model.predict(x, verbose=0)[0]
    assert [word for word, _ in words] == ["the", "plot", "is", "not", "bad"]
    for step, (_, gain) in enumerate(words):
        without = x.copy()
        without[0, step] = 0
        left = classifier.model.predict(without, verbose=0)[0]
        assert gain == pytest.approx(whole[whole.argmax()] - left[whole.argmax()], abs=1e-6)


def test_plot_and_report_come_from_the_folder(trained, tmp_path):
    assert run("plot", trained, "--out", tmp_path / "a.png").exit_code == 0
    assert run("report", trained, "--out", tmp_path / "a.html").exit_code == 0
    assert (tmp_path / "a.png").read_bytes() == (trained / "sentiment.png").read_bytes()
    assert (tmp_path / "a.html").read_bytes() == (trained / "report.html").read_bytes()


def test_a_training_that_was_interrupted_goes_on_to_the_same_bits(table, trained, tmp_path, monkeypatch):
    place, fits = tmp_path / "run", []
    fit = Sequential.fit

    def interrupted(model, *rest, **options):
        fits.append(1)
        if len(fits) == 2:
            signal.raise_signal(signal.SIGTERM)
        return fit(model, *rest, **options)

    monkeypatch.setattr(Sequential, "fit", interrupted)
    result = train(table, place, "--checkpoint-every", "1")
    monkeypatch.undo()
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    metrics = json.loads((place / "metrics.json").read_text())
    assert (metrics["interrupted"], metrics["members"]) == (True, 1)
    result = run("train", "sentiment", "--resume", place)
    assert result.exit_code == 0, result.output
    for name in ("model.safetensors", "history.csv", "data.csv", "vocabulary.txt", "sentiment.png", "report.html"):
        assert (place / name).read_bytes() == (trained / name).read_bytes(), name


# The README.


def test_the_script_of_the_readme_learns():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in readme.split("```python")[1:]]
    (script,) = (block for block in blocks if "words = Vocabulary.of(data.texts" in block)
    assert len(script.splitlines()) <= 20
    found = {}
    set_seed(0)
    exec(compile(script, "README.md", "exec"), found)
    assert found["model"].history.history["val_accuracy"][-1] > 0.9


# Standard input.


def test_a_table_of_standard_input_is_trained_on(table, trained, tmp_path):
    result = train("-", tmp_path / "run", "--no-plot", stdin=table.read_bytes())
    assert result.exit_code == 0, result.output
    assert result.output.startswith("stdin: ")
    assert (tmp_path / "run" / "data.csv").read_bytes() == (trained / "data.csv").read_bytes()


@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_table_of_standard_input_has_commas_or_tabs(separator, trained):
    text = f'stars{separator}"review"\npositive{separator}the plot is good\n'
    predicted = run("predict", trained, "-", stdin=text).output
    assert predicted.startswith("text,label,predicted,probability,words\nthe plot is good,positive,")
    assert json.loads(run("evaluate", trained, "-", stdin=text).output)["texts"] == 1


def test_standard_input_without_the_column_of_text_has_a_text_in_each_line(trained, tmp_path):
    lines = "the plot is good, and moving\nthe cast is dull\n"
    (tmp_path / "lines.txt").write_text(lines)
    assert run("predict", trained, "-", stdin=lines).output == run("predict", trained, tmp_path / "lines.txt").output


def test_standard_input_is_named_in_messages(trained):
    result = run("predict", trained, "-", stdin="")
    assert result.exit_code == 2
    assert "standard input holds no text" in result.output


# Refusals.

ROWS = "".join(f"good,word {number}\nbad,other {number}\n" for number in range(9))


@pytest.mark.parametrize(
    ("name", "content", "words", "part"),
    [
        ("a.csv", "", [], "holds no texts"),
        ("a.csv", "label,text\n", [], "holds no texts"),
        ("a.csv", "label,text\ngood,a,b\nbad,c\n", [], "row 2 has 3 fields, but there are 2 columns"),
        ("a.csv", f"label,text\n{ROWS}", ["--text", "review"], "has no column 'review', but 'label', 'text'"),
        ("a.csv", "a,b,c\n1,2,3\n", [], "say by --text which one is the text"),
        ("a.csv", "text,text,label\na,b,c\n", [], "has two columns named 'text'"),
        ("a.csv", "label,text\ngood,\nbad,b\n", [], "row 2 has no text in the column 'text'"),
        ("a.csv", "label,text\n,a\nbad,b\n", [], "text 1 has no label"),
        ("a.csv", "label,text\ngood,a\ngood,b\n", [], "has the labels 'good': at least 2"),
        ("a.csv", "label,text\ngood,a\nbad,b\n", [], "the label 'bad' has 1 texts: at least 5 are needed"),
        ("a.csv", "label,text\n" + "".join(f"{n / 7},a\n" for n in range(200)), [], "--threshold makes two of ratings"),
        ("a.csv", f"label,text\n{ROWS}", ["--least", "99"], "no word occurs 99 times"),
        ("a.csv", 'label,text\ngood,"a\n', [], "is damaged"),
        ("a.csv", f"label,text\n{ROWS}", ["--encoding", "klingon"], "there is no text encoding 'klingon'"),
        ("a.csv", b"label,text\ngood,\xff\n", [], "is not utf-8"),
        ("a.csv", f"label,text\n{ROWS}", ["--threshold", "3"], "has the rating 'good', which is no number"),
        ("a.csv", f"label,text\n{ROWS}", ["--threshold", "nan"], "threshold must be a finite number"),
        ("a.csv", "label,text\n4,a\n5,b\n", ["--threshold", "3"], "has the labels 'positive': at least 2"),
        ("a.csv", "label,text\n3,a\n3,b\n", ["--threshold", "3"], "has the labels none: at least 2"),
        ("a.txt", "good\n", [], "has no labels"),
        ("a.csv", f"label,text\n{ROWS}", ["--dataset", "generated"], "give either a table or --dataset"),
        ("a.csv", f"label,text\n{ROWS}", ["--dataset", "movies"], "opened successfully; `pip download"),
        ("a.csv", f"label,text\n{ROWS}", ["--dataset", "movies", "--text", "text"], "tells how a table is read"),
        ("a.csv", f"label,text\n{ROWS}", ["--units", "0"], "units must be a whole number from 1"),
        ("a.csv", f"label,text\n{ROWS}", ["--units", "100000000"], "not enough memory"),
        ("a.csv", f"label,text\n{ROWS}", ["--dropout", "1"], "dropout must be at least 0 and below 1"),
        ("a.csv", f"label,text\n{ROWS}", ["--lr", "nan"], "learning rate"),
        ("a.csv", f"label,text\n{ROWS}", ["--test-fraction", "0.95"], "must leave something to train on"),
        ("a.csv", f"label,text\n{ROWS}", ["--test-fraction", "0.85"], "none is left to learn from"),
    ],
)
def test_bad_texts_and_options_are_refused_in_a_sentence(name, content, words, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run("train", "sentiment", name, *words)
    assert result.exit_code == 2, result.output
    assert part in result.output
    assert len([line for line in result.output.splitlines() if line.startswith("Error")]) == 1
    assert [path.name for path in tmp_path.rglob("*")] == [name]


def test_a_data_set_that_is_not_there_is_told_how_to_bring(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("train", "sentiment", "--dataset", "movies")
    assert result.exit_code == 2
    assert "`pip download --no-deps --no-binary :all: vaderSentiment==3.3.2` brings it" in result.output


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["predict", "--steps", "3"], "no steps to forecast"),
        (["backtest"], "no series to backtest"),
        (["evaluate", "lines.txt"], "has no labels to compare with"),
        (["evaluate", "other.csv"], "has the labels 'five'"),
        (["predict", "empty.txt"], "holds no text"),
        (["predict", "lines.txt", "--decimal", ","], "--encoding alone"),
    ],
)
def test_a_run_refuses_what_it_cannot_do(words, part, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.txt").write_text("a film\n")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "other.csv").write_text("review,stars\na,five\nb,negative\n")
    command, *rest = words
    result = run(command, trained, *rest)
    assert result.exit_code == 2
    assert part in result.output


@pytest.mark.parametrize(
    ("name", "old", "new", "part"),
    [
        ("config.json", '"units": 4', '"units": 0', "config.json is damaged: units"),
        ("config.json", '"length": ', '"length": 1', "damaged"),
        ("config.json", '"negative"', '"x"', "is damaged: it is not what config.json tells of"),
        ("vocabulary.txt", "the\n", "", "is not the model"),
        ("vocabulary.txt", "the\n", "is\n", "damaged"),
        ("data.csv", "positive", "negative", "at least 2 are needed"),
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
